"""Simulated mailboxes and DMA engines: what their registers do, when, and what they refuse."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mk_dma.transport import Dma
from mk_mailbox.transport import Mailbox
from mk_sim.coherence import Coherence
from mk_sim.devices import attach
from mk_sim.engine import Actor, Engine
from mk_sim.parameters import derive
from multikernel import assemble
from multikernel.blueprint import Blueprint
from multikernel.errors import PeerError, PlatformError
from multikernel.events import DeviceFault
from multikernel.interfaces import LINE, Endpoint
from multikernel.system.registers import (
    DOORBELL,
    FILL,
    HEAD,
    STATUS,
    TAKE,
    Descriptor,
    DmaStatus,
    MailboxStatus,
)
from multikernel.system.ring import LinesMemory
from multikernel.system.routes import Routes
from tests.transports.device_boards import FAR, HOST, LOW, MEMORY, dma_board, mailbox_board

AREAS = {HOST: LOW + 0x1_0000, FAR: MEMORY + 0x1_0000}
"""Each side's own memory in these tests."""
SLOW = "links: [{a: node0, b: box, kind: pcie, latency_ns: 50000, bandwidth_mbs: 1000}]\n"


class ActorLines:
    """`interfaces.Lines` of an actor over the coherence model."""

    coherent = False

    def __init__(self, machine: Machine, core: int, address: int, count: int, cached: bool) -> None:
        coherence, actor, first = machine.coherence, machine.engine.actor(core), address // LINE
        self.count = count
        load = coherence.load if cached else coherence.load_uncached
        store = coherence.store if cached else coherence.store_uncached
        self.load: Callable[[int], Awaitable[bytes]] = lambda index: load(actor, core, first + index)
        self.store: Callable[[int, bytes], Awaitable[None]] = lambda index, line: store(
            actor, core, first + index, line
        )
        self.clean: Callable[[int], Awaitable[None]] = lambda index: coherence.clean(actor, core, first + index)
        self.invalidate: Callable[[int], Awaitable[None]] = lambda index: coherence.invalidate(
            actor, core, first + index
        )
        self.fence: Callable[[], Awaitable[None]] = lambda: coherence.fence(actor, core)


class Machine:
    """A board's engine, memory and devices, without a kernel."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.engine = Engine(0)
        self.coherence = Coherence(self.engine, derive(blueprint))
        self.interrupts: list[tuple[int, int]] = []
        self.faults: list[DeviceFault] = []
        self.assumptions = attach(blueprint, self.engine, self.coherence, self)
        self._routes = Routes(blueprint)

    def interrupt(self, core: int, at_ps: int) -> None:
        self.interrupts.append((core, at_ps))

    def fault(self, event: DeviceFault) -> None:
        self.faults.append(event)

    def window(self, core: int, peer: int) -> ActorLines:
        return ActorLines(self, core, *self._routes.registers(core, peer), cached=False)

    def memory(self, core: int) -> ActorLines:
        return ActorLines(self, core, AREAS[core], 64, cached=True)

    def link(self, transport: Mailbox | Dma, core: int, peer: int, there: int = 0) -> Endpoint:
        memory = LinesMemory(self.memory(core), self.window(core, peer), AREAS[core], there or AREAS[peer])
        return transport.open(memory, 8, side=int(core > peer))

    def run(self, *programs: tuple[int, Callable[[Actor], Awaitable[None]]]) -> None:
        for core, program in programs:
            self.engine.actor(core).start(_coroutine(program, self.engine.actor(core)))
        self.engine.run(self.engine.now + 1_000_000_000_000)
        assert self.engine.waiting() == ()


async def _coroutine(program: Callable[[Actor], Awaitable[None]], actor: Actor) -> None:
    await program(actor)


def machine(tmp_path: Path, text: str) -> Machine:
    file = tmp_path / "board.yaml"
    file.write_text(text)
    return Machine(assemble(str(file), platform="sim"))


def exchange(machine: Machine, transport: Mailbox | Dma) -> list[list[bytes]]:
    """Each of two cores sends 60 messages of every length while it receives; what arrived where."""
    draw = random.Random(1)
    sent = [[draw.randbytes(length) for length in range(57)] for _ in range(2)]
    got: list[list[bytes]] = [[], []]

    def talk(end: Endpoint, side: int) -> Callable[[Actor], Awaitable[None]]:
        async def program(actor: Actor) -> None:
            left = list(sent[side])
            while any(len(come) < 57 for come in got):
                if left and await end.try_send(left[0]):
                    left.pop(0)
                payload = await end.poll()
                if payload is not None:
                    got[side].append(payload)
                actor.spend(100_000)

        return program

    ends = machine.link(transport, HOST, FAR), machine.link(transport, FAR, HOST)
    machine.run((HOST, talk(ends[0], 0)), (FAR, talk(ends[1], 1)))
    assert got == sent[::-1]
    return got


@pytest.mark.parametrize(("text", "transport"), [(mailbox_board(), Mailbox()), (dma_board(), Dma())])
def test_messages_of_every_length_both_ways(tmp_path: Path, text: str, transport: Mailbox | Dma) -> None:
    first, second = machine(tmp_path, text), machine(tmp_path, text)
    exchange(first, transport)
    exchange(second, transport)
    assert (first.engine.now, first.interrupts) == (second.engine.now, second.interrupts)


# Mailbox


@pytest.mark.parametrize(("slots", "size"), [(1, 1), (2, 7), (1, 8), (3, 64), (5, 200)])
def test_buffers_of_any_number_and_size_carry_messages(tmp_path: Path, slots: int, size: int) -> None:
    """Those of more than a line are used as far as one store fills them."""
    exchange(
        machine(tmp_path, mailbox_board().replace("slots: 1, bytes: 32", f"slots: {slots}, bytes: {size}")), Mailbox()
    )


def test_a_full_mailbox_ignores_more_and_taking_from_it_interrupts_who_fills_it(tmp_path: Path) -> None:
    board = machine(tmp_path, mailbox_board())
    seen: list[MailboxStatus] = []

    async def fills(actor: Actor) -> None:
        window = board.window(FAR, HOST)
        for number in range(6):
            await window.store(FILL, bytes([number + 1]) * LINE)
        seen.append(MailboxStatus.unpack(await window.load(STATUS)))

    async def takes(actor: Actor) -> None:
        window = board.window(HOST, FAR)
        for number in range(4):
            assert await window.load(HEAD) == (bytes([number + 1]) * 4).ljust(LINE, b"\0")
            await window.store(TAKE, bytes(LINE))
        await window.store(TAKE, bytes(LINE))  # there is nothing left to take
        seen.append(MailboxStatus.unpack(await window.load(STATUS)))

    board.run((FAR, fills))
    assert [core for core, _ in board.interrupts] == [HOST] * 4
    board.run((HOST, takes))
    assert [core for core, _ in board.interrupts] == [HOST] * 4 + [FAR]
    assert seen == [MailboxStatus(0, 0, 0, 4, 0, 4, 4, 32), MailboxStatus(4, 4, 4, 0, 0, 1, 32, 4)]


def test_a_mailbox_of_unstated_size_is_the_least_possible_and_said(tmp_path: Path) -> None:
    board = machine(tmp_path, mailbox_board().replace(", slots: 1, bytes: 32", ""))
    assert [note.partition(",")[0] for note in board.assumptions] == [
        "device box: buffers not stated",
        "device box: bytes of a buffer not stated",
    ]
    exchange(board, Mailbox())


# DMA engine


def copy(source: int, target: int, lines: int = 1, number: int = 1) -> bytes:
    return Descriptor(source, target, lines, number, 1).pack()


def status(board: Machine, core: int, peer: int) -> DmaStatus:
    found: list[DmaStatus] = []

    async def look(actor: Actor) -> None:
        found.append(DmaStatus.unpack(await board.window(core, peer).load(STATUS)))

    board.run((core, look))
    return found[0]


def test_the_header_is_written_last(tmp_path: Path) -> None:
    """Two lines are copied; whoever watches the first sees its payload, and only then its header."""
    board = machine(tmp_path, dma_board())
    first = AREAS[FAR] // LINE
    seen: list[tuple[bytes, bytes]] = []

    class Watcher:
        def poke(self, value: int, time: int) -> None:
            seen.append((board.coherence.peek_memory(first), board.coherence.peek_memory(first + 1)))

    async def send(actor: Actor) -> None:
        own = board.memory(HOST)
        for index in (0, 1):
            await own.store(index, bytes([index + 1]) * LINE)
            await own.clean(index)
        await own.fence()
        await board.window(HOST, FAR).store(DOORBELL, copy(AREAS[HOST], AREAS[FAR], lines=2))

    board.coherence.watch_memory(FAR, first, Watcher(), 1)
    board.run((HOST, send))
    whole = b"\1" * LINE
    assert seen == [(bytes(8) + whole[8:], b"\2" * LINE), (whole, b"\2" * LINE)]
    assert [core for core, _ in board.interrupts] == [FAR]


def test_the_engine_reads_memory_and_no_cache(tmp_path: Path) -> None:
    board = machine(tmp_path, dma_board())

    async def send(actor: Actor) -> None:
        own = board.memory(HOST)
        await own.store(0, b"\1" * LINE)
        await own.fence()
        await board.window(HOST, FAR).store(DOORBELL, copy(AREAS[HOST], AREAS[FAR]))

    board.run((HOST, send))
    assert board.coherence.peek_memory(AREAS[FAR] // LINE) == bytes(LINE)


def test_a_full_queue_refuses_and_pairs_share_queues_where_there_are_few(tmp_path: Path) -> None:
    for channels, other in ((1, 0), (2, 16)):
        board = machine(tmp_path, dma_board(SLOW, channels))

        async def posts(actor: Actor, peer: int, board: Machine = board) -> None:
            window = board.window(FAR, peer)
            for number in range(18):
                await window.store(DOORBELL, copy(AREAS[FAR], AREAS[HOST], number=number + 1))

        async def both(actor: Actor) -> None:
            await posts(actor, HOST)
            await posts(actor, 3)

        board.run((FAR, both))
        assert status(board, FAR, HOST) == DmaStatus(16, 16, 0)
        assert status(board, FAR, 3) == DmaStatus(other, other, 0)


@pytest.mark.parametrize(
    ("source", "target", "lines"),
    [
        (AREAS[HOST], 1 << 40, 1),
        (1 << 40, AREAS[FAR], 1),
        (AREAS[HOST] + 8, AREAS[FAR], 1),
        (AREAS[HOST], AREAS[FAR], 0),
        (2 * MEMORY - LINE, AREAS[FAR], 1 << 40),
    ],
)
def test_what_the_engine_does_not_reach_is_a_fault_that_is_told(
    tmp_path: Path, source: int, target: int, lines: int
) -> None:
    board = machine(tmp_path, dma_board())

    async def send(actor: Actor) -> None:
        await board.window(HOST, FAR).store(DOORBELL, copy(source, target, lines))

    board.run((HOST, send))
    assert status(board, HOST, FAR) == DmaStatus(1, 1, 1)
    assert [(fault.core, fault.device) for fault in board.faults] == [(HOST, "box")]
    assert f"{source:#x} to {target:#x}" in board.faults[0].text
    assert board.interrupts == []


def test_a_peer_whose_area_is_nowhere_is_the_peers_fault(tmp_path: Path) -> None:
    board = machine(tmp_path, dma_board())
    end = board.link(Dma(), HOST, FAR, there=1 << 40)

    async def send(actor: Actor) -> None:
        await end.try_send(b"lost")
        actor.spend(10_000_000)
        with pytest.raises(PeerError, match="0x10000000000"):
            await end.try_send(b"more")

    board.run((HOST, send))


# Time


def test_who_is_behind_the_link_pays_for_it(tmp_path: Path) -> None:
    board = machine(tmp_path, dma_board(SLOW))
    took: dict[int, int] = {}

    def load(core: int, peer: int) -> Callable[[Actor], Awaitable[None]]:
        async def program(actor: Actor) -> None:
            await board.window(core, peer).load(STATUS)
            took[core] = actor.clock

        return program

    board.run((HOST, load(HOST, FAR)), (FAR, load(FAR, HOST)))
    assert took[HOST] - took[FAR] == 100_000_000


def test_a_copy_takes_the_way_there_and_back_and_its_bytes_over_the_bandwidth(tmp_path: Path) -> None:
    board = machine(tmp_path, dma_board(SLOW))
    rung: list[int] = []

    async def send(actor: Actor) -> None:
        window = board.window(FAR, HOST)
        await window.store(DOORBELL, copy(AREAS[FAR], AREAS[HOST], lines=10))
        await window.fence()
        rung.append(board.engine.now)

    board.run((FAR, send))
    ((core, at),) = board.interrupts
    assert core == HOST
    assert at - rung[0] == 100_000_000 + 11 * LINE * 1000  # ten lines, and the header after the last


def test_a_device_of_a_class_without_a_model_is_told(tmp_path: Path) -> None:
    from dataclasses import replace

    file = tmp_path / "board.yaml"
    file.write_text(dma_board())
    blueprint = assemble(str(file), platform="sim")
    strange = replace(blueprint, devices=(replace(blueprint.devices[0], cls="pigeon"),))
    with pytest.raises(PlatformError, match="no model of device box of class pigeon"):
        Machine(strange)
