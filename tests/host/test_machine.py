"""The host's machine: operations of a dispatcher carried out in real time over shared memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import partial

import pytest

from mk_host import _ring, fallback
from mk_host.arena import POWER_OFF, Arena
from mk_host.lines import Memories
from mk_host.machine import HostMachine, PoweredOff
from mk_host.reports import decode, encode_call
from mk_host.shared import RingModule
from multikernel.blueprint import CoreEntry, CoreKind
from multikernel.events import Message
from multikernel.interfaces import Watch
from multikernel.system.dispatcher import Context, PageFault, UserDispatcher
from multikernel.system.machine import Dcb, Faulted, Hardware, Interrupted, TimerFired
from multikernel.system.mmu import unit_for
from multikernel.system.operations import (
    Access,
    Clock,
    CompareAndSwap,
    Compute,
    Cycles,
    Draw,
    Exit,
    Operation,
    PollWait,
    Spend,
    Trap,
)
from multikernel.system.page_tables import X86_64
from multikernel.system.requests import Call

Fork = Callable[[Callable[[], None]], int]
Code = Coroutine[Operation[object], object, object]
MS = 1_000_000
KIND = CoreKind("k", "x86-64", 2000, 64, "little", "full", "x86_64", ())


@pytest.fixture(params=[_ring, fallback], ids=["c", "python"])
def ring(request: pytest.FixtureRequest) -> RingModule:
    module: RingModule = request.param
    return module


@pytest.fixture(params=[False, True], ids=["alone", "crowded"])
def machine(request: pytest.FixtureRequest, ring: RingModule) -> HostMachine:
    return make(ring, request.param, lambda event: None)


def make(ring: RingModule, crowded: bool, report: Callable[[bytes], None]) -> HostMachine:
    return on(Arena(ring, [0, 1], 1 << 24), ring, crowded, report)


def on(arena: Arena, ring: RingModule, crowded: bool, report: Callable[[bytes], None]) -> HostMachine:
    entry = CoreEntry(0, "k", "phys", 0, 0, 0, 0, 0, "fork")
    unit = unit_for(X86_64, arena, 64)
    return HostMachine(entry, KIND, ring, arena, unit, time.monotonic_ns(), 7, crowded, report)


def now(coroutine: Coroutine[object, object, Hardware]) -> Hardware:
    """The result of a machine's method, which on the host never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        event: Hardware = stop.value
        return event
    raise AssertionError("it suspended")


def running(machine: HostMachine, code: Code) -> Dcb:
    """A dispatcher that is in the middle of `code`."""
    user = UserDispatcher("test", machine.poller())
    user.restore(Context(code, None))
    return Dcb(1, "test", user)


def finish(machine: HostMachine, code: Code) -> None:
    """Run `code` to its end, which is a trap."""
    event = now(machine.run(running(machine, code), None))
    assert isinstance(event, Exit)


def interrupt_later(machine: HostMachine) -> None:
    time.sleep(0.01)
    machine.ipi(0)


def test_time_is_real_and_work_takes_it(machine: HostMachine) -> None:
    seen: list[int] = []

    async def code() -> None:
        seen.append(await Clock())
        await Compute(20 * MS)  # 10 ms at 2 GHz
        await Spend("context_switch")
        seen.append(await Clock())
        seen.append(await Cycles())

    finish(machine, code())
    assert 10 * MS <= seen[1] - seen[0] < 30_000 * MS
    assert seen[1] * 2 <= seen[2]
    machine.charge("context_switch")


def test_the_timer_lands_inside_a_computation_and_the_rest_is_done_later(machine: HostMachine) -> None:
    async def code() -> None:
        await Compute(600 * MS)  # 300 ms at 2 GHz

    dcb = running(machine, code())
    begin = machine.now_ns()
    assert now(machine.run(dcb, begin + 5 * MS)) == TimerFired()
    assert 5 * MS <= machine.now_ns() - begin < 300 * MS
    assert isinstance(now(machine.run(dcb, None)), Trap)
    assert machine.now_ns() - begin >= 300 * MS


def test_chance_is_the_seeds() -> None:
    def draw() -> list[int]:
        drawn: list[int] = []

        async def code() -> None:
            drawn.extend([await Draw(1000) for _ in range(20)])

        finish(make(_ring, False, lambda event: None), code())
        return drawn

    assert draw() == draw()
    assert len(set(draw())) > 5


def test_a_poll_ends_in_time_with_a_key_or_an_interrupt(machine: HostMachine) -> None:
    lines = machine.window(0, 4)
    found: list[int] = []

    async def code() -> None:
        found.append(await PollWait(0))
        found.append(await PollWait(await Clock() + 2 * MS))
        await lines.store(2, (9).to_bytes(64, "little"))
        found.append(await PollWait(None))

    dcb = running(machine, code())
    keys = [dcb.user.poller.arm(Watch(lines, index, 0)) for index in range(4)]
    assert dcb.user.poller.armed() == 4
    assert isinstance(now(machine.run(dcb, None)), Trap)
    assert found == [-1, -1, keys[2]]
    dcb.user.poller.disarm(keys[2])
    dcb.user.poller.disarm(keys[2])
    assert dcb.user.poller.armed() == 3


def test_a_poll_is_interrupted_and_preempted_and_carried_out_again(
    ring: RingModule, machine: HostMachine, fork: Fork
) -> None:
    lines = machine.window(0, 1)
    found: list[int] = []

    async def code() -> None:
        found.append(await PollWait(None))

    dcb = running(machine, code())
    key = dcb.user.poller.arm(Watch(lines, 0, 0))
    assert now(machine.run(dcb, machine.now_ns() + 2 * MS)) == TimerFired()
    fork(partial(interrupt_later, machine))
    assert now(machine.run(dcb, None)) == Interrupted()
    assert not machine.interrupted()
    machine.write(0, b"\1")
    assert isinstance(now(machine.run(dcb, None)), Trap)
    assert found == [key]


def test_an_idle_core_wakes_for_an_interrupt_and_for_its_timer(machine: HostMachine, fork: Fork) -> None:
    begin = machine.now_ns()
    assert now(machine.idle(begin + 3 * MS)) == TimerFired()
    assert machine.now_ns() - begin >= 3 * MS
    fork(partial(interrupt_later, machine))
    assert now(machine.idle(None)) == Interrupted()
    assert not machine.interrupted()


def test_addresses_are_translated_and_faults_told(machine: HostMachine) -> None:
    """Tables at 0x1000 to 0x4000 map 0x40_0000 to 0x5000, for reading."""
    for table in (0x1000, 0x2000):
        machine.write(table, (table + 0x1000 | 7).to_bytes(8, "little"))
    machine.write(0x3000 + 8 * 2, (0x4000 | 7).to_bytes(8, "little"))
    machine.write(0x4000, (0x5000 | 5).to_bytes(8, "little"))
    machine.write(0x5008, (77).to_bytes(8, "little"))
    machine.install(0x1000)
    read: list[object] = []

    async def code() -> None:
        read.append(await Access(0x40_0008))
        read.append(await Access(0x40_0008, 5))
        read.append(await CompareAndSwap(0x40_0008, 5, 6))
        read.append(await CompareAndSwap(0x40_0008, 5, 7))

    dcb = running(machine, code())
    assert now(machine.run(dcb, None)) == Faulted(PageFault(0x40_0008, True, "write-protected"))
    assert read == [77]
    machine.write(0x4000, (0x5000 | 7).to_bytes(8, "little"))
    assert isinstance(now(machine.run(dcb, None)), Trap)
    assert read == [77, 5, True, False]
    assert machine.read(0x5008, 8) == (6).to_bytes(8, "little")
    machine.zero(0x4000, 8)

    async def touch() -> None:
        read.append(await Access(0x40_0008))

    finish(machine, touch())  # the TLB still has it
    machine.invalidate(0x1000, 0x40_0000, 4096)
    event = now(machine.run(running(machine, touch()), None))
    assert event == Faulted(PageFault(0x40_0008, False, "not-mapped"))


def test_channel_memory_between_machines(ring: RingModule) -> None:
    arena = Arena(ring, [0, 1], 1 << 20)
    here, there = (on(arena, ring, False, lambda event: None) for _ in range(2))
    sender = Memories(ring)(here.window(4096, 5)).sender(0, 4)
    readers = Memories(ring)
    receiver = readers(there.window(4096, 5)).receiver(0, 4)
    got: list[object] = []

    async def code() -> None:
        lines = here.window(4096, 5)
        await lines.clean(0)
        await lines.invalidate(0)
        await lines.fence()
        got.append([await sender.put(b"x%d" % n) for n in range(5)])
        got.append([await receiver.take() for _ in range(5)])
        got.append((receiver.watch().index, sender.room().index))

    finish(here, code())
    assert got == [[True] * 4 + [False], [b"x0", b"x1", b"x2", b"x3", None], (0, 4)]
    assert readers.messages() == 4
    with pytest.raises(LookupError):
        here.window(1 << 20, 1)


def test_input_and_reports() -> None:
    told: list[bytes] = []
    arena = Arena(_ring, [0, 1], 1 << 16)
    machine = on(arena, _ring, False, told.append)
    assert machine.next_input() is None
    assert arena.put_input(encode_call(Call("ping", (("pairs", "all"),))))
    assert machine.next_input() == Call("ping", (("pairs", "all"),))
    assert machine.next_input() is None
    event = Message(1, 0, "n", "text")
    machine.emit(event)
    assert [decode(report) for report in told] == [event]


def test_starting_a_core_releases_it(fork: Fork) -> None:
    arena = Arena(_ring, [0, 1], 1 << 16)
    machine = on(arena, _ring, False, lambda event: None)

    def other() -> None:
        released = arena.await_release(1)
        assert released is not None
        assert (released.channel, released.slots) == (4096, 16)

    fork(other)
    machine.start(1, 4096, 16)


def test_power_off_ends_whatever_the_core_does(ring: RingModule) -> None:
    arena = Arena(ring, [0, 1], 1 << 16)
    machine = on(arena, ring, False, lambda event: None)

    async def compute() -> None:
        await Compute(1 << 60)

    code = compute()
    arena.interrupt(0, POWER_OFF)
    with pytest.raises(PoweredOff):
        now(machine.run(running(machine, code), None))
    arena.interrupt(0, POWER_OFF)
    with pytest.raises(PoweredOff):
        now(machine.idle(None))
    arena.interrupt(1, POWER_OFF)
    assert arena.await_release(1) is None
    code.close()


def test_a_knock_is_an_interrupt_that_is_told_from_others(machine: HostMachine) -> None:
    machine.ipi(0)
    assert now(machine.idle(None)) == Interrupted()
    assert not machine.knocked()
    machine.knock(0)
    machine.ipi(0)
    assert now(machine.idle(None)) == Interrupted()
    assert machine.knocked()
    assert not machine.knocked()
