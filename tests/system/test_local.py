"""Local messages: LMP buffers, LRPC, and what blocking means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.interfaces import PAYLOAD
from multikernel.system.dispatcher import LocalBuffer, Upcall, UserDispatcher
from multikernel.system.lmp import LocalEndpoint, LocalMemory
from multikernel.system.machine import Dcb
from multikernel.system.operations import Block, Clock, Compute, Park, SendLocal, Yield
from tests.system.machines import Core

CPTR = 4


async def receive(user: UserDispatcher, buffer: LocalBuffer) -> bytes:
    while not buffer.messages:
        buffer.waiter = user.current()
        await Park()
    return buffer.messages.popleft()


def receiver(core: Core, log: list[object], slots: int, count: int) -> Dcb:
    async def thread() -> None:
        for _ in range(count):
            log.append(("got", await receive(dcb.user, buffer)))

    dcb = core.add("receiver", thread())
    buffer = core.buffer(dcb, CPTR, slots)
    return dcb


def test_lrpc_switches_to_the_receiver_at_once() -> None:
    core, log = Core(), []
    target = receiver(core, log, 4, 2)

    async def sender() -> None:
        for text in (b"one", b"two"):
            log.append(("sent", await SendLocal(CPTR, text, direct=True)))

    source = core.add("sender", sender())
    core.run()
    assert log == [("got", b"one"), ("sent", True), ("got", b"two"), ("sent", True)]
    assert target.user.upcalls[Upcall.LRPC] == 2
    assert core.machine.charges.count("lrpc") == 2
    assert source.exited
    assert target.exited


def test_lmp_lets_the_sender_go_on() -> None:
    core, log = Core(), []
    target = receiver(core, log, 4, 2)

    async def sender() -> None:
        for text in (b"one", b"two"):
            log.append(("sent", await SendLocal(CPTR, text)))

    core.add("sender", sender())
    core.run()
    assert log == [("sent", True), ("sent", True), ("got", b"one"), ("got", b"two")]
    assert target.user.upcalls[Upcall.LRPC] == 0


def test_a_full_buffer_is_an_answer_and_not_a_loss() -> None:
    core, log = Core(), []
    receiver(core, log, 3, 3)

    async def sender() -> None:
        await Yield()  # the receiver waits
        log.append([await SendLocal(CPTR, bytes([number])) for number in range(5)])

    core.add("sender", sender())
    core.run()
    assert log == [[True, True, True, False, False], *(("got", bytes([number])) for number in range(3))]


@settings(deadline=None)
@given(
    slots=st.integers(1, 4),
    slice_ns=st.integers(5, 300),
    direct=st.booleans(),
    works=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=20),
)
def test_messages_arrive_once_and_in_order_whatever_the_slice(
    slots: int, slice_ns: int, direct: bool, works: list[tuple[int, int]]
) -> None:
    core, got = Core(slice_ns), []

    async def thread() -> None:
        for _, cycles in works:
            got.append(await receive(dcb.user, buffer))
            await Compute(cycles)

    async def sender() -> None:
        for number, (cycles, _) in enumerate(works):
            await Compute(cycles)
            while not await SendLocal(CPTR, bytes([number]), direct=direct):
                await Yield()

    dcb = core.add("receiver", thread())
    buffer = core.buffer(dcb, CPTR, slots)
    core.add("sender", sender())
    core.run()
    assert got == [bytes([number]) for number in range(len(works))]


def test_what_a_local_message_may_not_be() -> None:
    core, log = Core(), []

    async def sender() -> None:
        with pytest.raises(LocalMisuse, match=f"at most {PAYLOAD} bytes, not {PAYLOAD + 1}"):
            await SendLocal(CPTR, bytes(PAYLOAD + 1))
        with pytest.raises(CapabilityError, match="no EndPoint at 9"):
            await SendLocal(9, b"")
        with pytest.raises(LocalMisuse, match=f"at most {PAYLOAD} bytes"):
            await LocalEndpoint(LocalBuffer(1), CPTR).try_send(bytes(PAYLOAD + 1))
        log.append(await SendLocal(CPTR, bytes(PAYLOAD)))

    receiver(core, [], 2, 1)
    core.add("sender", sender())
    core.run()
    assert log == [True]


def test_nothing_is_accepted_for_a_dispatcher_that_has_ended() -> None:
    core, log = Core(), []

    async def ends() -> None:
        await Compute(1)

    target = core.add("receiver", ends())
    core.buffer(target, CPTR, 4)

    async def sender() -> None:
        await Yield()
        log.append((target.exited, await SendLocal(CPTR, b"late"), await SendLocal(CPTR, b"late", direct=True)))

    core.add("sender", sender())
    core.run()
    assert log == [(True, False, False)]


def test_a_message_to_oneself() -> None:
    core, log = Core(), []

    async def thread() -> None:
        log.append(await SendLocal(CPTR, b"me", direct=True))
        log.append(await receive(dcb.user, buffer))

    dcb = core.add("a", thread())
    buffer = core.buffer(dcb, CPTR, 1)
    core.run()
    assert log == [True, b"me"]


def test_block_is_refused_when_something_has_come_since() -> None:
    """A wake-up that comes before the dispatcher blocks is not lost: it does not block."""
    core, log = Core(), []

    async def thread() -> None:
        core.driver.make_runnable(dcb)  # as an interrupt would, between the last look and the trap
        started = await Clock()
        await Block(None)
        log.append(await Clock() - started)

    dcb = core.add("a", thread())
    core.run()
    assert len(log) == 1
    assert log[0] < 1000
    assert dcb.exited


def test_block_ends_at_its_time() -> None:
    core, log = Core(), []

    async def thread() -> None:
        await Block(5000)
        log.append(await Clock())

    core.add("a", thread())
    core.run()
    assert len(log) == 1
    assert 5000 <= log[0] < 5100


def test_a_local_channel_has_no_lines() -> None:
    memory = LocalMemory(LocalBuffer(1), CPTR)
    assert memory.lines.count == 0
    for refused in (
        lambda: memory.sender(0, 1),
        lambda: memory.receiver(0, 1),
        lambda: memory.local().watch(),
        lambda: memory.local().room(),
    ):
        with pytest.raises(LocalMisuse):
            refused()
