"""CPU driver and dispatchers together: upcalls, save areas, preemption, faults, round-robin."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.errors import LocalMisuse
from multikernel.events import CoreUp, ProgramRaised
from multikernel.system.dispatcher import PageFault, UnhandledFault, Upcall, UserDispatcher
from multikernel.system.machine import Faulted, Interrupted, TimerFired
from multikernel.system.operations import (
    Access,
    Block,
    Clock,
    Compute,
    Exit,
    IdleCore,
    Park,
    RaiseTrap,
    Reschedule,
    SendLocal,
    Yield,
)
from tests.system.machines import COST, Core

Log = list[object]
CHUNKS = st.lists(st.integers(1, 300), max_size=4)
EVENTS = (TimerFired(), Interrupted(), Faulted(PageFault(64, False, "x")), Yield(), Exit(),
          RaiseTrap(1), Block(None), IdleCore(None), SendLocal(4, b""),
          SendLocal(4, bytes(57)))  # fmt: skip


async def work(log: Log, name: str, *chunks: int) -> str:
    for number, cycles in enumerate(chunks):
        await Compute(cycles)
        log.append((name, number))
    return name


# The run upcall, preemption, round-robin


def test_the_first_run_is_an_upcall_and_threads_run_enabled() -> None:
    core, seen = Core(), []

    async def thread() -> None:
        seen.append((dcb.user.disabled, await Clock() > 0))

    dcb = core.add("a", thread())
    assert dcb.user.disabled
    core.run()
    assert seen == [(False, True)]
    assert dcb.user.upcalls[Upcall.RUN] == 1
    assert dcb.exited
    assert core.machine.events == [CoreUp(COST, 0, "isa", "driver")]


def test_an_enabled_thread_that_is_preempted_goes_on_through_the_run_upcall() -> None:
    core, log = Core(slice_ns=1000), Log()
    a, b = core.add("a", work(log, "a", 2500)), core.add("b", work(log, "b", 2500))
    core.run()
    assert log == [("a", 0), ("b", 0)]
    assert a.user.upcalls[Upcall.RUN] >= 3
    assert b.user.upcalls[Upcall.RUN] >= 3
    assert core.machine.time >= 5000


def test_what_an_enabled_area_holds_is_handed_to_the_run_upcall() -> None:
    core, log = Core(slice_ns=1000), Log()
    first = core.add("a", work(log, "a", 1500), work(log, "a2", 10))
    core.add("b", work(log, "b", 1500))
    areas: list[tuple[bool, bool]] = []
    inner = core.driver.handle

    def handle(event: object) -> object:
        action = inner(event)
        if isinstance(event, TimerFired) and not first.running and first.runnable:
            areas.append((first.enabled_area is not None, first.disabled_area is not None))
        return action

    core.driver.handle = handle
    core.run()
    assert areas[0] == (True, False)
    assert first.enabled_area is None, "taken over"
    # The interrupted thread is at the head of its dispatcher's queue: it ends before the other begins.
    assert [entry for entry in log if entry[0] != "b"] == [("a", 0), ("a2", 0)]


def test_a_dispatcher_preempted_while_disabled_is_resumed_without_an_upcall() -> None:
    """A slice shorter than a scheduler's step: the timer lands between its operations."""
    core, log = Core(slice_ns=COST), Log()
    a, b = core.add("a", work(log, "a", 3, 3)), core.add("b", work(log, "b", 3, 3))
    disabled: list[str] = []
    resumed: list[bool] = []
    inner = core.driver.handle

    def handle(event: object) -> object:
        upcalls = sum(a.user.upcalls.values()) + sum(b.user.upcalls.values())
        areas = {dcb.name: dcb.disabled_area is not None for dcb in (a, b)}
        action = inner(event)
        disabled.extend(dcb.name for dcb in (a, b) if dcb.disabled_area is not None)
        if action.dcb is not None and areas[action.dcb.name]:
            resumed.append(sum(a.user.upcalls.values()) + sum(b.user.upcalls.values()) == upcalls)
            assert action.dcb.user.disabled
        return action

    core.driver.handle = handle
    core.run()
    assert {*disabled} == {"a", "b"}
    assert resumed
    assert all(resumed)
    assert sorted(log) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


@settings(deadline=None)
@given(
    slice_ns=st.integers(1, 400),
    chunks=st.lists(
        st.lists(st.lists(st.integers(1, 300), max_size=4), min_size=1, max_size=3), min_size=1, max_size=3
    ),
    interrupts=st.lists(st.integers(0, 2000), max_size=8),
)
def test_wherever_the_timer_and_interrupts_land_every_thread_does_its_work_once(
    slice_ns: int, chunks: list[list[list[int]]], interrupts: list[int]
) -> None:
    core, log = Core(slice_ns), Log()
    core.machine.interrupts.extend(sorted(interrupts))
    expected: Log = []
    for number, threads in enumerate(chunks):
        names = [f"{number}.{thread}" for thread in range(len(threads))]
        core.add(str(number), *(work(log, name, *cycles) for name, cycles in zip(names, threads, strict=True)))
        expected += [(name, i) for name, cycles in zip(names, threads, strict=True) for i in range(len(cycles))]
    core.run()
    assert sorted(log) == sorted(expected)
    for number, threads in enumerate(chunks):
        for thread in range(len(threads)):
            own = [entry for entry in log if entry[0] == f"{number}.{thread}"]
            assert own == sorted(own), "a thread's work is in order"
    assert core.machine.time >= sum(sum(cycles) for threads in chunks for cycles in threads)
    assert all(dcb.exited for dcb in core.driver.dispatchers.values())


def test_round_robin() -> None:
    core, log = Core(slice_ns=100), Log()
    for name in "abc":
        core.add(name, work(log, name, 500))
    core.run()
    turns = [
        name for number, name in enumerate(core.machine.ran) if number == 0 or core.machine.ran[number - 1] != name
    ]
    assert turns[:9] == list("abcabcabc")


def test_yield_gives_the_slice_away() -> None:
    core, log = Core(), Log()

    async def polite(name: str) -> None:
        for number in range(3):
            log.append((name, number))
            await Yield()

    core.add("a", polite("a"))
    core.add("b", polite("b"))
    core.run()
    assert log == [(name, number) for number in range(3) for name in "ab"]


def test_an_interrupt_makes_the_monitor_first() -> None:
    core, log = Core(slice_ns=10_000), Log()
    for name in "ab":
        core.add(name, work(log, name, 1000))
    monitor = core.add("monitor", work(log, "monitor", 10), runnable=False)
    core.driver.monitor = monitor
    core.machine.interrupts.append(300)
    core.run()
    assert log[0] == ("monitor", 0)
    assert core.machine.charges.count("ipi_trap") == 1


def test_one_dispatcher_alone_is_not_disturbed_by_a_timer() -> None:
    core, log = Core(slice_ns=10), Log()
    core.add("a", work(log, "a", 5000))
    core.run()
    assert not [event for event, _ in core.handled if isinstance(event, TimerFired)]


# Threads


def test_threads_take_turns_join_and_sleep() -> None:
    core, log = Core(), Log()

    async def child(name: str, ns: int) -> str:
        await user.sleep(ns)
        log.append((name, await Clock() >= ns))
        return name

    async def parent() -> None:
        threads = [user.spawn(name, child(name, ns)) for name, ns in (("slow", 900), ("fast", 300))]
        log.append([await user.join(thread) for thread in threads])
        await Reschedule()
        log.append("end")

    dcb = core.add("a", parent())
    user = dcb.user
    core.run()
    assert log == [("fast", True), ("slow", True), ["slow", "fast"], "end"]


def test_a_parked_thread_gets_what_it_is_woken_with() -> None:
    core, log = Core(), Log()
    threads = []

    async def sleeper() -> None:
        threads.append(user.current())
        log.append(await Park())

    async def waker() -> None:
        user.wake(threads[0], "news")
        user.wake(threads[0], "again")

    dcb = core.add("a", sleeper(), waker())
    user = dcb.user
    core.run()
    assert log == ["news"]


def test_a_thread_that_raises_ends_its_dispatcher_and_is_told() -> None:
    core, log = Core(), Log()

    async def fails() -> None:
        await Compute(100)
        raise ValueError("broken")

    core.add("a", fails(), work(log, "never", 10_000))
    core.add("b", work(log, "b", 200))
    core.run()
    (event,) = [event for event in core.machine.events if isinstance(event, ProgramRaised)]
    assert (event.core, event.name, event.dispatcher, event.error) == (0, "a", "a.0/thread1", "ValueError: broken")
    assert event.at_ns >= 100
    assert "raise ValueError" in event.trace
    assert ("b", 0) in log


def test_a_joined_threads_error_goes_to_who_joined() -> None:
    core, log = Core(), Log()

    async def fails() -> None:
        await Compute(1)
        raise ValueError("broken")

    async def parent() -> None:
        with pytest.raises(ValueError, match="broken"):
            await user.join(user.spawn("child", fails()))
        log.append("caught")

    user = core.add("a", parent()).user
    core.run()
    assert log == ["caught"]
    assert not [event for event in core.machine.events if isinstance(event, ProgramRaised)]


# Page faults and traps


def touching(core: Core, log: Log) -> Callable[..., object]:
    async def thread() -> None:
        try:
            log.append(await Access(64))
            await Access(72, 5)
            log.append(await Access(72))
        except UnhandledFault as fault:
            log.append(str(fault))

    return thread()


@pytest.mark.parametrize("slice_ns", [1, 7, 1_000_000])
def test_a_fault_handler_mends_and_the_access_is_made_again(slice_ns: int) -> None:
    core, log = Core(slice_ns), Log()
    faults: list[PageFault] = []

    async def mend(fault: PageFault) -> bool:
        faults.append(fault)
        await Reschedule()  # a handler is a thread, and may wait
        await user.sleep(100)
        core.machine.memory[fault.address] = 7
        return True

    dcb = core.add("a", touching(core, log), work(log, "other", 50))
    core.add("b", work(log, "b", 500))
    user = dcb.user
    user.faults = mend
    core.run()
    assert [(fault.address, fault.write) for fault in faults] == [(64, False), (72, True)]
    assert [entry for entry in log if isinstance(entry, int)] == [7, 5]
    assert ("other", 0) in log
    assert dcb.user.upcalls[Upcall.PAGE_FAULT] == 2


def test_a_fault_nobody_mends_raises_at_the_access() -> None:
    core, log = Core(), Log()

    async def refuse(fault: PageFault) -> bool:
        return False

    core.add("a", touching(core, log)).user.faults = refuse
    core.add("b", touching(core, log))  # no handler at all
    core.run()
    assert len(log) == 2
    assert all("page_fault: PageFault(address=64" in str(entry) for entry in log)


def test_an_access_that_faults_keeps_the_value_it_was_to_write() -> None:
    core, log = Core(), Log()

    async def mend(fault: PageFault) -> bool:
        core.machine.memory[fault.address] = 0
        return True

    async def thread() -> None:
        await Access(8, 1234)
        log.append(core.machine.memory[8])

    core.add("a", thread()).user.faults = mend
    core.run()
    assert log == [1234]


def test_a_fault_of_the_scheduler_itself_has_its_own_entry_and_ends_that_dispatcher_alone() -> None:
    core, log = Core(), Log()

    class Careless:
        up = False

        async def block(self) -> None:
            await Access(64)

        async def awake(self) -> None:
            return

    async def parks() -> None:
        await Park()

    dcb = core.add("a", parks())
    dcb.user.waiting = Careless()

    async def goes_on() -> None:
        await Yield()
        log.append("b")

    core.add("b", goes_on())
    core.run()
    assert log == ["b"]
    assert dcb.exited
    assert dcb.user.failure is not None
    assert str(dcb.user.failure[1]).startswith("page fault in the thread scheduler: ")
    assert dcb.user.upcalls[Upcall.PAGE_FAULT_DISABLED] == 1
    assert dcb.user.upcalls[Upcall.PAGE_FAULT] == 0


def test_processor_exceptions_reach_the_trap_entry() -> None:
    core, log = Core(), Log()

    async def handler(number: int) -> bool:
        log.append(number)
        return number == 3

    async def thread() -> None:
        await RaiseTrap(3)
        log.append("went on")
        with pytest.raises(UnhandledFault, match="trap: 4"):
            await RaiseTrap(4)
        log.append("raised")

    dcb = core.add("a", thread())
    dcb.user.traps = handler
    core.run()
    assert log == [3, "went on", 4, "raised"]
    assert dcb.user.upcalls[Upcall.TRAP] == 2


# The driver


def test_address_spaces_are_installed_at_switches_only() -> None:
    core, log = Core(slice_ns=100), Log()
    for name, root in (("a", 0x1000), ("b", 0x2000)):
        core.add(name, work(log, name, 300)).root = root
    core.run()
    roots = core.machine.roots
    assert roots[:2] == [0x1000, 0x2000]
    assert all(before != after for before, after in pairwise(roots))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(getattr(event, "operation", event)).__name__)
def test_every_event_costs_something(event: object) -> None:
    core, log = Core(), Log()
    dcb = core.add("a", work(log, "a", 10))
    core.buffer(dcb, 4, 1)
    core.driver.boot()
    while not isinstance(dcb.user.step(), Compute):
        dcb.user.answer(0)
    assert not dcb.user.disabled
    before, time = len(core.machine.charges), core.machine.time
    core.driver.handle(event)
    assert len(core.machine.charges) > before
    assert core.machine.time > time


def test_boot_and_each_switch_are_charged() -> None:
    core, log = Core(), Log()
    core.add("a", work(log, "a", 1))
    core.driver.boot()
    assert core.machine.charges == ["boot", "context_switch", "upcall"]


def test_what_is_no_event_is_refused() -> None:
    core = Core()
    core.add("a")
    core.driver.boot()
    with pytest.raises(TypeError, match="not a hardware event"):
        core.driver.handle("nonsense")
    idle = Core()
    idle.driver.boot()
    with pytest.raises(LocalMisuse, match="no dispatcher running"):
        idle.driver.handle(Yield())
    with pytest.raises(LocalMisuse, match="core 0 has no dispatcher 9"):
        idle.driver.dispatcher(9)


def test_a_dispatcher_that_has_ended_is_never_run_again() -> None:
    core, log = Core(), Log()
    dcb = core.add("a", work(log, "a", 1))
    core.run()
    runs = len(core.machine.ran)
    core.driver.make_runnable(dcb)
    assert core.driver.handle(Interrupted()).dcb is None
    assert len(core.machine.ran) == runs
    with pytest.raises(LocalMisuse, match="no dispatcher 1"):
        core.driver.dispatcher(dcb.number)


def test_threads_that_never_ran_are_let_go_of_quietly() -> None:
    core, log = Core(), Log()
    dcb = core.add("a", work(log, "a", 1))
    dcb.user.close()
    assert log == []
    assert isinstance(dcb.user, UserDispatcher)
