"""The user half of a dispatcher: five upcall entries, a thread scheduler, disabled and enabled code.

    enter(entry, argument)   the CPU driver's upcall: a fresh activation begins, disabled
    step()                   run user code up to its next operation
    save() / restore(c)      registers out and in, for the driver's save areas
    answer(v) / refuse(e)    the result of the operation that left last
    registers serve ended    what a platform needs that does the work of `step` itself

An activation runs the scheduler, disabled: while `disabled` is true the driver saves to the disabled
area and resumes without an upcall.  It ends with the thread that goes on, enabled.  An enabled thread that is
interrupted lies in the driver's enabled area; the next `run` upcall takes it from there into the run
queue.  Waiting is in `waitset.py`; the model is that of scheduler activations (Anderson et al., TOCS
1992) as Barrelfish uses it (Baumann et al., SOSP 2009, 4.5).

May not know: the CPU driver, the machine, any platform.
"""

from __future__ import annotations

import heapq
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import Enum
from inspect import CORO_CREATED, getcoroutinestate
from typing import TYPE_CHECKING, Protocol

from multikernel.system.operations import (
    Clock,
    Exit,
    Operation,
    Park,
    Reschedule,
    Spend,
)

if TYPE_CHECKING:
    from multikernel.interfaces import Watch

Code = Coroutine[Operation[object], object, object]


class Upcall(Enum):
    """The five entries of a dispatcher (Barrelfish TN-000, "Dispatchers")."""

    __hash__ = object.__hash__  # an Enum's own is Python, and upcalls are counted by it

    RUN = "run"
    PAGE_FAULT = "page_fault"
    PAGE_FAULT_DISABLED = "page_fault_disabled"
    LRPC = "lrpc"
    TRAP = "trap"


class Poller(Protocol):
    """The array of lines a dispatcher spins over; made by the machine."""

    def arm(self, watch: Watch) -> int:
        """Poll `watch` from now on; gives its key."""

    def disarm(self, key: int) -> None:
        """Stop polling it.  Unknown keys are ignored."""

    def armed(self) -> int:
        """How many watches are armed."""


class Waiting(Protocol):
    """How a dispatcher waits when no thread can run (`waitset.py`).  `up`: those who send to it were told that it does
    not look."""

    up: bool

    async def block(self) -> None:
        """Returns when a thread may have become runnable."""

    async def awake(self) -> None:
        """A new activation has begun, and `up` is set."""


@dataclass(slots=True)
class Context:
    """Registers: a suspended coroutine, what it is to be answered, and the operation that has to be
    carried out again (or finished) first.  `within` is a coroutine that `code` will run, if it runs."""

    code: Code | None
    thread: Thread | None
    value: object = None
    error: BaseException | None = None
    again: Operation[object] | None = None
    within: Code | None = None

    def close(self) -> None:
        """Never to be resumed; Python would warn of a coroutine that never began."""
        for code in (self.code, self.within):
            if code is not None and getcoroutinestate(code) == CORO_CREATED:
                code.close()


@dataclass(slots=True, eq=False)
class Thread:
    """A user-level thread.  `joiners` are woken with its result."""

    number: int
    name: str
    context: Context
    done: bool = False
    result: object = None
    error: BaseException | None = None
    joiners: list[Thread] = field(default_factory=list)
    parked: bool = False


@dataclass(slots=True)
class LocalBuffer:
    """The receive buffer of an EndPoint capability, in the dispatcher's memory: the driver appends,
    user code takes.  A full buffer refuses."""

    slots: int
    messages: deque[bytes] = field(default_factory=deque)
    waiter: Thread | None = None

    def accept(self, payload: bytes) -> bool:
        if len(self.messages) >= self.slots:
            return False
        self.messages.append(payload)
        return True


@dataclass(frozen=True, slots=True)
class PageFault:
    """What the page-fault entries are told."""

    address: int
    write: bool
    reason: str


class UserDispatcher:
    """See the module.  `waiting` is how it waits; `faults` handles page faults and `traps`
    processor exceptions (both run as threads and may wait); by default either ends the dispatcher.  The driver sets
    `knocked` on the monitor's when somebody is at the core's door; who looks there takes it down."""

    def __init__(self, name: str, poller: Poller) -> None:
        self.name = name
        self.poller = poller
        self.disabled = True
        self.exited = False
        self.knocked = False
        self.buffers: list[LocalBuffer] = []
        self.waiting: Waiting | None = None
        self.faults: Callable[[PageFault], Awaitable[bool]] | None = None
        self.traps: Callable[[int], Awaitable[bool]] | None = None
        self.failure: tuple[Thread, BaseException, str] | None = None
        self.upcalls: dict[Upcall, int] = dict.fromkeys(Upcall, 0)
        self.registers = self._without = Context(None, None)
        self._scheduler = Context(None, None)
        self._runnable: deque[Thread] = deque()
        self._watching: dict[int, Thread] = {}
        self._timers: list[tuple[int, int, Thread]] = []
        self._threads = 0
        self._switch = Spend("thread_switch")
        self._live: dict[int, Thread] = {}

    # What the driver and the machine call

    def enter(self, entry: Upcall, argument: object = None, interrupted: Context | None = None) -> None:
        """Begin an upcall.  `interrupted` is the enabled area's content, taken over."""
        self.upcalls[entry] += 1
        if self.registers.code is not None and self.registers.thread is None:
            self.registers.code.close()  # the activation that blocked is abandoned, as its stack is
        self._to_scheduler(self._activate(entry, argument, interrupted))

    def step(self) -> Operation[object]:
        """Run user code up to its next operation of the machine or the driver."""
        current = self.registers
        if current.again is not None:
            operation, current.again = current.again, None
            return operation
        while True:
            code = current.code
            if code is None:
                return Exit()
            error, value = current.error, current.value
            current.error = current.value = None
            try:
                operation = code.throw(error) if error is not None else code.send(value)
            except StopIteration as stop:
                self.ended(current, stop.value, None)
            except Exception as failure:  # a thread of a program: the plugin boundary of a kernel
                self.ended(current, None, failure)
            else:
                if operation.level != "user":
                    return operation
                self.serve(operation, current)
            current = self.registers
            if current.again is not None:
                operation, current.again = current.again, None
                return operation

    def serve(self, operation: Operation[object], current: Context) -> None:
        """`step` came to an operation of the scheduler's, of the registers `current`."""
        thread = current.thread
        if thread is None:
            raise RuntimeError(f"{self.name}: {type(operation).__name__} in the thread scheduler")
        if isinstance(operation, Park):
            thread.parked = True
        elif isinstance(operation, Reschedule):
            self._runnable.append(thread)
        self._to_scheduler(self._activate(Upcall.RUN, None, None))

    def ended(self, current: Context, value: object, error: Exception | None) -> None:
        """The code of the registers `current` has returned `value`, or raised `error`."""
        thread = current.thread
        if thread is None and isinstance(value, Thread):  # the scheduler: this one goes on
            self.registers = value.context
            self.disabled = False
            return
        if thread is None:  # there is no going on, so the dispatcher ends
            if error is not None and self.failure is None:
                scheduler = Thread(0, "scheduler", Context(None, None))
                self.failure = (scheduler, error, "".join(traceback.format_exception(error)))
            self.registers = self._without
            return
        del self._live[thread.number]
        thread.done, thread.result, thread.error = True, value, error
        if error is not None and not thread.joiners and self.failure is None:
            self.failure = (thread, error, "".join(traceback.format_exception(error)))
            self.exited = True
        for joiner in thread.joiners:
            self.wake(joiner)
        self._to_scheduler(self._activate(Upcall.RUN, None, None))

    def answer(self, value: object) -> None:
        """The operation that left last is done."""
        self.registers.value = value

    def refuse(self, error: BaseException) -> None:
        """The operation that left last raises `error` at its `await`."""
        self.registers.error = error

    def again(self, operation: Operation[object]) -> None:
        """`operation` was interrupted: hand it out again when this context is resumed."""
        self.registers.again = operation

    def save(self) -> Context:
        """The registers, for a save area; the dispatcher is left without."""
        context, self.registers = self.registers, self._without
        return context

    def restore(self, context: Context) -> None:
        """Registers from the disabled area: continue there, disabled."""
        self.disabled = True
        self.registers = context

    def close(self) -> None:
        """The core is off: code that never ran is let go of without a word."""
        for context in (self.registers, *(thread.context for thread in self._live.values())):
            context.close()

    # What user code calls

    def spawn(self, name: str, code: Code, within: Code | None = None) -> Thread:
        """A new thread, runnable at once.  `within` is the coroutine that `code` will run."""
        self._threads += 1
        thread = self._live[self._threads] = Thread(self._threads, name, Context(code, None, within=within))
        thread.context.thread = thread
        self._runnable.append(thread)
        return thread

    def wake(self, thread: Thread, value: object = None) -> None:
        """Make a parked thread runnable; `value` is the result of its `Park`."""
        if thread.parked:
            thread.parked = False
            thread.context.value = value
            self._runnable.append(thread)

    def current(self) -> Thread:
        """The thread that runs.  RuntimeError in the scheduler."""
        thread = self.registers.thread
        if thread is None:
            raise RuntimeError(f"{self.name}: the thread scheduler is no thread")
        return thread

    async def join(self, thread: Thread) -> object:
        """The thread's result, or its error raised here."""
        if not thread.done:
            thread.joiners.append(self.current())
            await Park()
        if thread.error is not None:
            raise thread.error
        return thread.result

    async def sleep(self, ns: int) -> None:
        """Stop this thread for at least `ns` nanoseconds."""
        thread = self.current()
        heapq.heappush(self._timers, (await Clock() + ns, thread.number, thread))
        await Park()

    def alone(self) -> bool:
        """No other thread of this dispatcher can run now."""
        return not self._runnable

    def next_timer(self) -> int | None:
        """When the next sleeper is due, in ns since boot."""
        return self._timers[0][0] if self._timers else None

    def watch_for(self, watch: Watch) -> int:
        """Wake the thread that runs when `watch` is true; gives the key."""
        key = self.poller.arm(watch)
        self._watching[key] = self.current()
        return key

    def fired(self, key: int) -> Thread | None:
        """The poller found `key` true: disarm it; its thread is woken if it was parked."""
        self.poller.disarm(key)
        thread = self._watching.pop(key, None)
        if thread is not None:
            self.wake(thread)
        return thread

    def watches_armed(self) -> Mapping[int, Thread]:
        """The keys armed on behalf of threads, oldest first."""
        return self._watching

    # The scheduler, disabled

    async def _activate(self, entry: Upcall, argument: object, interrupted: Context | None) -> Thread | None:
        """One activation: the thread that goes on, or None when the dispatcher is done."""
        if interrupted is not None and interrupted.thread is not None:
            interrupted.thread.context = interrupted
            if entry in (Upcall.PAGE_FAULT, Upcall.TRAP):
                self._handler(entry, argument, interrupted.thread)
            else:
                self._runnable.appendleft(interrupted.thread)
        elif entry is Upcall.PAGE_FAULT_DISABLED:
            raise UnhandledFault(f"page fault in the thread scheduler: {argument}")
        waiting, runnable, timers = self.waiting, self._runnable, self._timers
        if waiting is not None and waiting.up:
            await waiting.awake()
        while waiting is not None and self._live and not self.exited:
            for buffer in self.buffers:  # wake those whose local messages have come
                if buffer.waiter is not None and buffer.messages:
                    thread, buffer.waiter = buffer.waiter, None
                    self.wake(thread)
            if timers:
                now = await Clock()
                while timers and timers[0][0] <= now:
                    self.wake(heapq.heappop(timers)[2])
            if runnable:
                thread = runnable.popleft()
                await self._switch
                return thread
            await waiting.block()
        return None

    def _handler(self, entry: Upcall, argument: object, thread: Thread) -> None:
        """Start the self-paging or exception thread; the interrupted one waits for its verdict."""
        thread.parked = True

        async def handle() -> None:
            if entry is Upcall.PAGE_FAULT and self.faults is not None and isinstance(argument, PageFault):
                mended = await self.faults(argument)
            elif entry is Upcall.TRAP and self.traps is not None and isinstance(argument, int):
                mended = await self.traps(argument)
            else:
                mended = False
            thread.parked = False
            if not mended:
                thread.context.again = None
                thread.context.error = UnhandledFault(f"{entry.value}: {argument}")
            self._runnable.append(thread)

        self._runnable.appendleft(self.spawn(f"{entry.value}-handler", handle()))
        self._runnable.pop()  # spawn queued it last; a fault is handled before anything else

    def _to_scheduler(self, activation: Code) -> None:
        """The scheduler has one context, which is written anew for each activation: no two are ever under way."""
        self.disabled = True
        registers = self.registers = self._scheduler
        registers.code = activation
        registers.value = registers.error = registers.again = None


class UnhandledFault(RuntimeError):
    """A page fault or processor exception nobody mended."""
