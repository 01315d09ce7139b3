"""Kernels on boards whose cores do not all share memory: they boot, talk, agree, and serve each other."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from multikernel.blueprint import Blueprint
from multikernel.errors import Busy, LocalMisuse, MultikernelError, PeerError
from multikernel.events import Booted, CoreFailed, MonitorJoined, Row
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from multikernel.system.dispatcher import UnhandledFault
from multikernel.system.layout import PAGE
from multikernel.system.routes import TREES
from multikernel.system.runtime import Dispatcher
from tests.circuits.boards import CARDS, CHAIN, HOPS
from tests.promises.kernels import SECOND, blueprint, boot

BOARDS = pytest.mark.parametrize("board", [CHAIN, CARDS, HOPS])
REPORTS = "reports"


@BOARDS
def test_every_core_joins_and_every_class_of_pairs_conforms(board: str) -> None:
    with boot(board, {}) as kernel:
        assert [core.state for core in kernel.cores()] == ["joined"] * len(kernel.blueprint.cores)
        rows = kernel.run("conform", messages=120)
        slots = {entry.name: entry.slots for entry in kernel.blueprint.pair_classes}
        assert {*rows.column("class")} == {*slots, "self"}
        assert {*rows.column("transport")} == {entry.transport for entry in kernel.blueprint.pair_classes} | {"lmp"}
        windows = zip(rows.column("class"), rows.column("transport"), rows.column("window"), strict=True)
        assert {window for name, transport, window in windows if transport == "multi-hop"} <= {16, 8}
        assert kernel.run("ping", rounds=3, messages=16).rows


def test_the_window_of_a_circuit_is_the_blueprint_s_from_end_to_end() -> None:
    with boot(CHAIN, {}) as kernel:
        rows = kernel.run("conform", messages=16)  # a multiple of the window: all credits are back
        windows = zip(rows.column("transport"), rows.column("window"), strict=True)
        assert {window for transport, window in windows if transport == "multi-hop"} == {16}


@BOARDS
def test_the_same_seed_gives_the_same_run(board: str) -> None:
    digests = set()
    for _ in range(2):
        with boot(board, {}, seed=7) as kernel:
            kernel.run("conform", messages=20)
            digests.add(kernel.stop().digest)
    assert len(digests) == 1


@pytest.mark.determinism
def test_hash_seeds_change_nothing() -> None:
    code = "import sys; from tests.determinism.runs import digest; print(digest(sys.argv[1], 'ping'))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, HOPS], cwd=Path(__file__).parents[2], text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE,
        ).stdout
        for seed in ("0", "1", "4711")
    }  # fmt: skip
    assert len(digests) == 1


def test_real_cores_relay_too() -> None:
    bound = blueprint(CHAIN, "host")
    with Multikernel(bound).boot("host", BootOptions(timeout_ns=20 * SECOND)) as kernel:
        assert {"multi-hop"} < {*kernel.run("conform", messages=40).column("transport")}


# Failures


def without(board: str, *cores: int) -> Blueprint:
    whole = blueprint(board)
    return replace(
        whole, cores=tuple(replace(core, fails="no clock") if core.id in cores else core for core in whole.cores)
    )


@pytest.mark.parametrize(
    ("board", "broken", "lost"), [(CHAIN, 1, (1, 2, 3)), (CHAIN, 2, (2, 3)), (CHAIN, 3, (3,)), (CARDS, 4, (4,))]
)
def test_a_gateway_that_does_not_come_up_fails_what_is_behind_it(
    board: str, broken: int, lost: tuple[int, ...]
) -> None:
    with boot(without(board, broken), {}) as kernel:
        told = {event.core: event.reason for event in kernel.events if isinstance(event, CoreFailed)}
        assert tuple(told) == lost
        assert "no hello within" in told[broken]
        assert all(f"its gateway, core {core - 1}, did not come up" == told[core] for core in lost[1:])
        (booted,) = (event for event in kernel.events if isinstance(event, Booted))
        assert booted.members == len(kernel.blueprint.cores) - len(lost)
        assert kernel.run("conform", messages=20).rows
        assert kernel.run("unmap", pages=1).stale_hits == 0


async def asks_the_lost(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """What comes of connecting and spawning, from a core that is up, to one that is not."""
    reports = await dispatcher.export(REPORTS)
    await dispatcher.spawn_on(1, "asker", 3)
    return (Row(("told",), ((await (await reports.accept()).recv()).decode(),)),)


async def asker(dispatcher: Dispatcher) -> tuple[()]:
    told = ""
    try:
        await dispatcher.connect(dispatcher.argument, "nobody")
    except PeerError:
        told += "no service, "
    try:
        await dispatcher.spawn_on(dispatcher.argument, "asker")
    except PeerError:
        told += "no start"
    await (await dispatcher.connect(0, REPORTS)).send(told.encode())
    return ()


def test_a_core_behind_a_lost_gateway_is_refused_to_who_asks() -> None:
    with boot(without(CHAIN, 2), {"asks": asks_the_lost, "asker": asker}) as kernel:
        assert kernel.run("asks").column("told") == ["no service, no start"]


def test_hello_is_said_by_the_core_itself_whoever_passes_it_on() -> None:
    with boot(CHAIN, {}) as kernel:
        joined = [event.core for event in kernel.events if isinstance(event, MonitorJoined)]
        assert sorted(joined) == [0, 1, 2, 3]


# Agreement


async def all_lose_it(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Every core maps memory of its own at one address; agreements of each tree take it away everywhere."""
    listener = await dispatcher.export(REPORTS)
    others = [core.id for core in dispatcher.environment.blueprint.cores if core.id != dispatcher.core]
    channels = []
    for core in others:
        await dispatcher.spawn_on(core, "loses-it")
        channels.append(await listener.accept())
    rows = []
    frame = await dispatcher.memory.allocate(PAGE)
    for tree in TREES:
        mapping = await dispatcher.vspace.map(frame)
        for channel in channels:
            await channel.send(mapping.address.to_bytes(8, "little"))
        had = [await channel.recv() for channel in channels]
        left = await mapping.unmap(tree)
        for channel in channels:
            await channel.send(b"look")
        lost = [await channel.recv() for channel in channels]
        rows.append(Row(("tree", "had", "lost", "left"), (tree, had.count(b"have"), lost.count(b"gone"), left)))
    for channel in channels:
        await channel.send(b"")
    return tuple(rows)


async def loses_it(dispatcher: Dispatcher) -> tuple[()]:
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, REPORTS)
    frame = await dispatcher.memory.allocate(PAGE)
    while order := await channel.recv():
        mapping = await dispatcher.vspace.map(frame, at=int.from_bytes(order, "little"))
        await dispatcher.store(mapping.address, 1)
        await channel.send(b"have")
        await channel.recv()
        try:
            await dispatcher.load(mapping.address)
            await channel.send(b"stale")
        except UnhandledFault:
            await channel.send(b"gone")
    return ()


@BOARDS
def test_agreements_of_every_tree_reach_cores_that_are_relayed_to(board: str) -> None:
    with boot(board, {"all-lose-it": all_lose_it, "loses-it": loses_it}) as kernel:
        rows = kernel.run("all-lose-it")
        count = len(kernel.blueprint.cores) - 1
        assert (rows.column("tree"), rows.column("had")) == (list(TREES), [count] * 4)
        assert (rows.column("lost"), rows.column("left")) == ([count] * 4, [0] * 4)


# Services


async def uses_services(dispatcher: Dispatcher) -> tuple[Row, ...]:
    reports = await dispatcher.export(REPORTS)
    await dispatcher.names.register("here")
    last = dispatcher.environment.blueprint.cores[-1].id
    number = await dispatcher.spawn_on(last, "user")
    channel = await reports.accept()
    found, near, registered = [(await channel.recv()).decode() for _ in range(3)]
    frame = await dispatcher.memory.allocate(PAGE)
    try:
        await dispatcher.memory.give(frame, last, number)
        given = "given"
    except LocalMisuse as refusal:
        given = str(refusal)
    there = str(await dispatcher.names.lookup("there"))
    alive = await dispatcher.memory.allocate(PAGE, near=0)
    columns = ("found", "near", "registered", "there", "given", "alive")
    return (Row(columns, (found, near, registered, there, given, alive.size)),)


async def user(dispatcher: Dispatcher) -> tuple[()]:
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, REPORTS)
    await channel.send(str(await dispatcher.names.lookup("here")).encode())
    try:
        await dispatcher.memory.allocate(PAGE, near=dispatcher.core)
        await channel.send(b"served")
    except MultikernelError as refusal:
        await channel.send(type(refusal).__name__.encode())
    await dispatcher.names.register("there")
    await channel.send(b"registered")
    await dispatcher.sleep(SECOND // 100)
    return ()


@BOARDS
def test_names_are_kept_over_circuits_and_memory_out_of_sight_is_refused(board: str) -> None:
    with boot(board, {"uses": uses_services, "user": user}) as kernel:
        rows = kernel.run("uses")
        last = kernel.blueprint.cores[-1].id
        told = {name: str(rows.column(name)[0]) for name in ("found", "registered", "there", "near", "given")}
        assert (told["found"], told["registered"], told["there"]) == ("0", "registered", str(last))
        assert told["near"] == "LocalMisuse", "the memory server's memory has no address there"
        assert f"core {last} does not see the memory" in told["given"]
        assert rows.alive == PAGE, "the memory server goes on"


# Ends


async def talks_to_the_gone(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """A server that reads some and ends: what was sent to it fills a window, and its monitor serves the next."""
    last = dispatcher.environment.blueprint.cores[-1].id
    taken = []
    for _ in range(3):
        await dispatcher.spawn_on(last, "goes")
        channel = await dispatcher.connect(last, REPORTS)
        for number in range(20):
            await channel.send(bytes([number]))
        await channel.recv()
        await dispatcher.sleep(SECOND // 100)
        sent = 0
        with suppress(Busy):
            for _ in range(40):
                await channel.try_send(b"into the void")
                sent += 1
        taken.append(sent)
    return tuple(Row(("taken",), (count,)) for count in taken)


async def goes(dispatcher: Dispatcher) -> tuple[()]:
    channel = await (await dispatcher.export(REPORTS)).accept()
    for number in range(20):
        assert await channel.recv() == bytes([number])
    await channel.send(b"bye")
    return ()


@BOARDS
def test_a_dispatcher_that_ends_leaves_its_monitor_and_its_peer_alive(board: str) -> None:
    with boot(board, {"talks": talks_to_the_gone, "goes": goes}) as kernel:
        assert kernel.run("talks").column("taken") == [12] * 3, "a window less what was read and not acknowledged"
        assert kernel.run("ping", rounds=2, messages=8).rows


def test_cards_of_another_word_size_and_byte_order_talk_through_the_host(tmp_path: Path) -> None:
    text = Path(CARDS).read_text()
    kind = "card: {isa: x86-64, mhz: 1.0 GHz}"
    assert kind in text
    board = tmp_path / "cards.yaml"
    board.write_text(text.replace(kind, "card: {isa: c66x, mhz: 1.0 GHz, word: 32, endian: big, mmu: none}"))
    with boot(str(board), {}) as kernel:
        rows = kernel.run("conform", messages=60)
        pairs = zip(rows.column("transport"), rows.column("src"), rows.column("dst"), strict=True)
        assert ("multi-hop", 2, 4) in pairs
        assert kernel.run("ping", rounds=2, messages=8).rows
