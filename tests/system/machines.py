"""A machine of one core without a platform: time, a page table, lines; what the driver does is on record."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import ClassVar

from multikernel.blueprint import Blueprint, CoreEntry, CoreKind, Interconnect
from multikernel.errors import CapabilityError
from multikernel.events import Event
from multikernel.interfaces import Lines, Watch
from multikernel.system.dispatcher import LocalBuffer, PageFault, UserDispatcher
from multikernel.system.driver import Action, CpuDriver
from multikernel.system.machine import Dcb, Faulted, Hardware, Interrupted, Machine, TimerFired
from multikernel.system.operations import Access, Block, Clock, Compute, Cycles, Operation, PollWait, Spend
from multikernel.system.routes import Routes

KIND = CoreKind("tick", "isa", 1000, 64, "little", "full", "driver", ())
CORE = CoreEntry(0, "tick", "", 0, 0, 0, 0, 0, "boot")
BLUEPRINT = Blueprint("blueprint/1", "one", "", (), (KIND,), (CORE,), (), (), Interconnect((), (), (), (), (), ()),
                      (), (), (), 0, ())  # fmt: skip
COST = 10
"""What everything named costs, ns."""


class Poller:
    """Watches over a dictionary of words."""

    def __init__(self, words: dict[int, int]) -> None:
        self._words = words
        self._armed: dict[int, Watch] = {}
        self._keys = 0

    def arm(self, watch: Watch) -> int:
        self._keys += 1
        self._armed[self._keys] = watch
        return self._keys

    def disarm(self, key: int) -> None:
        self._armed.pop(key, None)

    def armed(self) -> int:
        return len(self._armed)

    def true(self) -> int:
        """The first true watch's key, -1 when none is."""
        found = [key for key, watch in self._armed.items() if self._words.get(watch.index, 0) != watch.word]
        return found[0] if found else -1


class Stopped(Exception):
    """The core idles and nothing will ever come."""


class FakeMachine(Machine):
    """See the module.  `interrupt_after` delivers an interrupt once that many ns have passed."""

    def __init__(self) -> None:
        self.core, self.kind = CORE, KIND
        self.time = 0
        self.charges: list[str] = []
        self.ran: list[str] = []
        self.events: list[Event] = []
        self.roots: list[int] = []
        self.words: dict[int, int] = {}
        self.memory: dict[int, int] = {}
        self.interrupts: deque[int] = deque()
        self.at: list[tuple[int, Callable[[], None]]] = []
        self.in_user = False
        self.handlers = {
            Compute: self._compute, Spend: self._spend, Clock: self._clock, Cycles: self._clock,
            Access: self._access, PollWait: self._poll,
        }  # fmt: skip

    # The contract

    async def run(self, dcb: Dcb, until_ns: int | None) -> Hardware:
        self.ran.append(dcb.name)
        self.in_user = True
        try:
            return await super().run(dcb, until_ns)
        finally:
            self.in_user = False

    async def idle(self, until_ns: int | None) -> Hardware:
        if not self.interrupted():
            times = [time for time in (until_ns, *self.interrupts, *(time for time, _ in self.at)) if time is not None]
            if not times:
                raise Stopped
            self._pass(max(0, min(times) - self.time))
            if not self.interrupted():
                return TimerFired()
        return Interrupted()

    def now_ns(self) -> int:
        return self.time

    def interrupted(self) -> bool:
        if self.interrupts and self.interrupts[0] <= self.time:
            self.interrupts.popleft()
            return True
        return False

    def charge(self, cost: str, times: int = 1) -> None:
        assert not self.in_user, "the driver works while user code runs"
        self.charges.append(cost)
        self._pass(COST * times)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def install(self, root: int) -> None:
        self.roots.append(root)

    def poller(self) -> Poller:
        return Poller(self.words)

    def knocked(self) -> bool:
        return False

    def knock(self, core: int) -> None:
        raise AssertionError("one core")

    def ipi(self, core: int) -> None:
        raise AssertionError("one core")

    def start(self, core: int, channel: int, slots: int) -> None:
        raise AssertionError("one core")

    def invalidate(self, root: int, address: int, size: int) -> None:
        raise AssertionError("no TLB")

    def read(self, address: int, size: int) -> bytes:
        raise AssertionError("no physical memory")

    def write(self, address: int, data: bytes) -> None:
        raise AssertionError("no physical memory")

    def window(self, address: int, count: int) -> Lines:
        raise LookupError("no physical memory")

    def next_input(self) -> None:
        return None

    # Hardware operations

    def _pass(self, ns: int) -> None:
        self.time += ns
        for time, act in sorted(self.at, key=lambda entry: entry[0]):
            if time <= self.time:
                self.at.remove((time, act))
                act()

    async def _compute(self, op: Operation[object], user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        assert isinstance(op, Compute)
        stops = [time for time in (until_ns, *self.interrupts) if time is not None and time < self.time + op.cycles]
        if not stops:
            self._pass(op.cycles)
            user.answer(None)
            return None
        done = max(0, min(stops) - self.time)
        user.again(Compute(op.cycles - done))
        self._pass(done)
        return Interrupted() if self.interrupted() else TimerFired()

    async def _spend(self, op: Operation[object], user: UserDispatcher, until_ns: int | None) -> None:
        self._pass(COST)
        user.answer(None)

    async def _clock(self, op: Operation[object], user: UserDispatcher, until_ns: int | None) -> None:
        user.answer(self.time)

    async def _access(self, op: Operation[object], user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        assert isinstance(op, Access)
        self._pass(1)
        if op.address not in self.memory:
            user.again(op)
            return Faulted(PageFault(op.address, op.value is not None, "not mapped"))
        if op.value is not None:
            self.memory[op.address] = op.value
        user.answer(self.memory[op.address])
        return None

    async def _poll(self, op: Operation[object], user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        assert isinstance(op, PollWait)
        poller = user.poller
        assert isinstance(poller, Poller)
        while True:
            if (key := poller.true()) >= 0 or (op.until_ns is not None and self.time >= op.until_ns):
                user.answer(key)
                return None
            if until_ns is not None and self.time >= until_ns:
                user.again(op)
                return TimerFired()
            if self.interrupts and self.interrupts[0] <= self.time:
                self.interrupts.popleft()
                user.again(op)
                return Interrupted()
            self._pass(1)


class Waiting:
    """A scheduler with nothing to run blocks until a message or its next timer."""

    up = False

    def __init__(self, user: UserDispatcher) -> None:
        self._user = user

    async def block(self) -> None:
        await Block(self._user.next_timer())

    async def awake(self) -> None:
        return


@dataclass
class EndPoints:
    """What the driver asks of its invocations for local messages: EndPoint capabilities by CPtr."""

    buffers: dict[int, tuple[Dcb, LocalBuffer]] = field(default_factory=dict)

    def endpoint(self, dcb: Dcb, cptr: int) -> tuple[Dcb, LocalBuffer]:
        if cptr not in self.buffers:
            raise CapabilityError(f"no EndPoint at {cptr}")
        return self.buffers[cptr]

    def bury(self, dcb: Dcb) -> None:
        return


class Core:
    """A driver on a `FakeMachine`, with dispatchers a test adds."""

    made: ClassVar[list[Core]] = []

    def __init__(self, slice_ns: int = 1_000_000) -> None:
        self.machine = FakeMachine()
        self.endpoints = EndPoints()
        model = type("Model", (), {"isa": "isa", "paging": "none", "costs": ()})()
        self.driver = CpuDriver(self.machine, model, Routes(BLUEPRINT), slice_ns)
        self.driver.invocations = self.endpoints
        self.handled: list[tuple[Hardware, Action | None]] = []
        self.made.append(self)

    def add(self, name: str, *threads: Coroutine[Operation[object], object, object], runnable: bool = True) -> Dcb:
        """A dispatcher with these threads."""
        user = UserDispatcher(name, self.machine.poller())
        user.waiting = Waiting(user)
        for number, code in enumerate(threads, 1):
            user.spawn(f"thread{number}", code)
        dcb = self.driver.create(name, user)
        if runnable:
            self.driver.make_runnable(dcb)
        return dcb

    def buffer(self, dcb: Dcb, cptr: int, slots: int) -> LocalBuffer:
        """A receive buffer of `dcb`, sent to through `cptr`."""
        buffer = LocalBuffer(slots)
        dcb.user.buffers.append(buffer)
        self.endpoints.buffers[cptr] = (dcb, buffer)
        return buffer

    def run(self) -> None:
        """From the first instruction until the core idles for ever."""
        action: Action | None = self.driver.boot()
        for _ in range(1_000_000):
            assert action is not None
            code = self.machine.run(action.dcb, action.until_ns) if action.dcb else self.machine.idle(action.until_ns)
            try:
                code.send(None)
            except StopIteration as stop:
                event = stop.value
            except Stopped:
                return
            action = self.driver.handle(event)
            self.handled.append((event, action))
        raise AssertionError("the core does not come to rest")
