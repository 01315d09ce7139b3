"""The CPU driver: privileged, event-driven, single-threaded, not preemptable.

    boot() -> Action                the core's first action: run the monitor
    handle(event) -> Action         one hardware event, to completion

`Action.dcb` is what runs next, from where it was or from an upcall already entered on its user half, and
`until_ns` the end of its time slice; with a single runnable dispatcher there is none, and no timer is set.
Without a dispatcher the core idles.  Scheduling is round-robin.  There is one action, written anew for each event.

State of a core: this object and what it holds; nothing is shared with another core.  Every handler
charges a named cost.  What a capability invocation does is in `invocations.py`.

May not know: how hardware does its part, any platform, what monitors and programs mean.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from multikernel.errors import LocalMisuse, MultikernelError
from multikernel.events import CoreFailed, CoreUp, ProgramRaised
from multikernel.interfaces import PAYLOAD
from multikernel.system.dispatcher import PageFault, Upcall, UserDispatcher
from multikernel.system.machine import Dcb, Faulted, Hardware, Interrupted, Machine, TimerFired
from multikernel.system.operations import Block, Exit, IdleCore, Invoke, InvokeCap, RaiseTrap, SendLocal, Yield

if TYPE_CHECKING:
    from collections.abc import Callable

    from multikernel.blueprint import Cost
    from multikernel.system.invocations import Invocations
    from multikernel.system.routes import Routes

SLICE_NS = 10_000_000
"""Round-robin time slice: 10 ms, as Barrelfish's default on x86 (TN-000)."""


class CpuDriverModel(Protocol):
    """The ISA's half of a CPU driver, a plugin: which page-table format the MMU reads, and what the
    driver's paths cost where the board says nothing (cycles, each with its source)."""

    @property
    def isa(self) -> str: ...
    @property
    def paging(self) -> str: ...
    @property
    def costs(self) -> tuple[Cost, ...]: ...


@dataclass(slots=True)
class Action:
    """What the core does next: run `dcb`, or idle when there is none, until `until_ns` at the latest."""

    dcb: Dcb | None
    until_ns: int | None


class CpuDriver:
    """See the module.  `monitor` runs first; `invocations` carries out what capabilities authorise."""

    def __init__(self, machine: Machine, model: CpuDriverModel, routes: Routes, slice_ns: int = SLICE_NS) -> None:
        self.machine = machine
        self.model = model
        self.routes = routes
        self.dispatchers: dict[int, Dcb] = {}
        self.next_number = 1
        self.monitor: Dcb | None = None
        self.invocations: Invocations | None = None
        self._slice_ns = slice_ns
        self._queue: deque[Dcb] = deque()
        self._running: Dcb | None = None
        self._slice_end: int | None = None
        self._due: int | None = None  # no dispatcher sleeps until an earlier time; None: none sleeps
        self._root = 0
        self._action = Action(None, None)
        traps: dict[type[Hardware], Callable[..., Action]] = {
            SendLocal: self._send_local, Invoke: self._invoke, InvokeCap: self._memory_request, Yield: self._yield,
            IdleCore: self._idle, Block: self._block, RaiseTrap: self._raise, Exit: self._exit,
        }  # fmt: skip
        self._traps = traps

    # Events

    def boot(self) -> Action:
        """First action of the core.  The monitor's dispatcher must have been made."""
        machine = self.machine
        machine.charge("boot")
        machine.emit(CoreUp(machine.now_ns(), machine.core.id, self.model.isa, machine.kind.driver))
        return self._schedule()

    def handle(self, event: Hardware) -> Action:
        """Handle one event to completion."""
        trap = self._traps.get(type(event))
        if trap is not None:
            return trap(self._current(), event)
        if isinstance(event, Faulted):
            self.machine.charge("page_fault")
            return self._upcall_fault(event.fault)
        if isinstance(event, TimerFired):
            self.machine.charge("timer")
            self._preempt()
            return self._schedule()
        if isinstance(event, Interrupted):
            self.machine.charge("ipi_trap")
            self._preempt()
            if self.monitor is not None:
                if self.machine.knocked():
                    self.monitor.user.knocked = True
                self.make_runnable(self.monitor, first=True)
            return self._schedule()
        raise TypeError(f"not a hardware event: {event!r}")

    def close(self) -> None:
        """The core is off: nothing of it runs again."""
        for dcb in self.dispatchers.values():
            dcb.user.close()
            for area in (dcb.enabled_area, dcb.disabled_area):
                if area is not None:
                    area.close()

    # Dispatchers

    def create(self, name: str, user: UserDispatcher) -> Dcb:
        """A new dispatcher, not runnable."""
        dcb = Dcb(self.next_number, name, user)
        self.next_number += 1
        self.dispatchers[dcb.number] = dcb
        return dcb

    def dispatcher(self, number: int) -> Dcb:
        """LocalMisuse for a number this core does not have."""
        dcb = self.dispatchers.get(number)
        if dcb is None or dcb.exited:
            raise LocalMisuse(f"core {self.machine.core.id} has no dispatcher {number}")
        return dcb

    def make_runnable(self, dcb: Dcb, first: bool = False) -> None:
        """A message or wake-up for `dcb`.  `first`: ahead of the other dispatchers."""
        dcb.pending = True
        if dcb.runnable or dcb.exited:
            if first and not dcb.running and dcb in self._queue:
                self._queue.remove(dcb)
                self._queue.appendleft(dcb)
            return
        dcb.runnable = True
        dcb.wake_ns = None
        (self._queue.appendleft if first else self._queue.append)(dcb)

    # Scheduling

    def _preempt(self) -> None:
        """Save the running dispatcher's registers and put it at the end of the queue."""
        dcb = self._running
        if dcb is None:
            return
        self._running = None
        dcb.running = False
        if dcb.user.disabled:
            dcb.disabled_area = dcb.user.save()
        else:
            dcb.enabled_area = dcb.user.save()
        self._queue.append(dcb)

    def _schedule(self) -> Action:
        """Round-robin: switch to the dispatcher at the head of the queue, resuming it if it was disabled, else by an
        upcall; or idle."""
        machine, queue = self.machine, self._queue
        wake = self._due
        if wake is not None:
            wake = self._due = self._wake_sleepers(machine.now_ns())
        if not queue:
            return self._next(None, wake)
        dcb = queue.popleft()
        machine.charge("context_switch")
        self._switch_to(dcb)
        area = dcb.disabled_area
        if area is not None:
            dcb.disabled_area = None
            dcb.user.restore(area)
        else:
            self._enter(dcb, Upcall.RUN, None)
        end = machine.now_ns() + self._slice_ns if queue else None
        if wake is not None and (end is None or wake < end):
            end = wake
        self._slice_end = end
        return self._next(dcb, end)

    def _wake_sleepers(self, now: int) -> int | None:
        """Make those runnable whose time has come; when the next sleeper is due."""
        wake: int | None = None
        for dcb in self.dispatchers.values():
            if dcb.wake_ns is not None:
                if dcb.wake_ns <= now:
                    self.make_runnable(dcb)
                elif wake is None or dcb.wake_ns < wake:
                    wake = dcb.wake_ns
        return wake

    def _switch_to(self, dcb: Dcb) -> None:
        self._running = dcb
        dcb.running = True
        if dcb.root != self._root:
            self._root = dcb.root
            self.machine.install(dcb.root)

    def _enter(self, dcb: Dcb, entry: Upcall, argument: object) -> None:
        self.machine.charge("upcall")
        area, dcb.enabled_area = dcb.enabled_area, None
        if area is None:  # else the interrupted thread may have looked before and be about to block
            dcb.pending = False
        dcb.user.enter(entry, argument, area)

    def _resume(self) -> Action:
        """Back to the running dispatcher.  What became runnable meanwhile gets its turn at the timer."""
        if self._slice_end is None and self._queue:
            self._slice_end = self.machine.now_ns() + self._slice_ns
        return self._next(self._running, self._slice_end)

    def _next(self, dcb: Dcb | None, until_ns: int | None) -> Action:
        action = self._action
        action.dcb, action.until_ns = dcb, until_ns
        return action

    # Faults and traps

    def _upcall_fault(self, fault: PageFault) -> Action:
        dcb = self._current()
        if dcb.user.disabled:
            dcb.user.save()
            self._enter(dcb, Upcall.PAGE_FAULT_DISABLED, fault)
        else:
            dcb.enabled_area = dcb.user.save()
            self._enter(dcb, Upcall.PAGE_FAULT, fault)
        return self._resume()

    def _current(self) -> Dcb:
        if self._running is None:
            raise LocalMisuse(f"core {self.machine.core.id}: a trap with no dispatcher running")
        return self._running

    def _yield(self, dcb: Dcb, trap: Yield | IdleCore) -> Action:
        self.machine.charge("trap")
        dcb.user.answer(bool(self._queue))
        self._preempt()
        return self._schedule()

    def _idle(self, dcb: Dcb, trap: IdleCore) -> Action:
        return self._yield(dcb, trap) if self._queue else self._block(dcb, trap)

    def _raise(self, dcb: Dcb, trap: RaiseTrap) -> Action:
        self.machine.charge("trap")
        dcb.user.answer(None)
        dcb.enabled_area = dcb.user.save()
        self._enter(dcb, Upcall.TRAP, trap.number)
        return self._resume()

    def _block(self, dcb: Dcb, trap: Block | IdleCore) -> Action:
        """Refused when something came since the dispatcher last looked.  The registers of an enabled
        thread are kept; the scheduler's are not, as its next activation looks afresh."""
        self.machine.charge("trap")
        dcb.user.answer(False)
        if dcb.pending:
            dcb.pending = False
            return self._resume()
        context = dcb.user.save()
        dcb.enabled_area = None if dcb.user.disabled else context
        dcb.running = dcb.runnable = False
        until = dcb.wake_ns = trap.until_ns
        if until is not None and (self._due is None or until < self._due):
            self._due = until
        self._running = None
        return self._schedule()

    def _exit(self, dcb: Dcb, trap: Exit) -> Action:
        self.machine.charge("trap")
        dcb.exited = True
        self.dispatchers.pop(dcb.number, None)
        dcb.user.close()
        dcb.running = dcb.runnable = False
        self._running = None
        if dcb is self.monitor:
            self.machine.emit(CoreFailed(self.machine.now_ns(), self.machine.core.id, "its monitor has ended"))
        if dcb.user.failure is not None:
            thread, error, trace = dcb.user.failure
            self.machine.emit(
                ProgramRaised(
                    self.machine.now_ns(),
                    self.machine.core.id,
                    dcb.name,
                    f"{dcb.name}.{self.machine.core.id}/{thread.name}",
                    f"{type(error).__name__}: {error}",
                    trace,
                )
            )
        if self.invocations is not None and self.monitor is not None:
            self.invocations.bury(dcb)
            self.make_runnable(self.monitor)
        return self._schedule()

    # Local messages and invocations

    def _send_local(self, dcb: Dcb, trap: SendLocal) -> Action:
        """LMP: copy into the receiver's buffer.  LRPC: and switch to it, unless one of the two is disabled; the
        receiver gets the rest of the sender's time slice."""
        if len(trap.payload) > PAYLOAD:
            self.machine.charge("trap")
            dcb.user.refuse(LocalMisuse(f"a local message has at most {PAYLOAD} bytes, not {len(trap.payload)}"))
            return self._resume()
        assert self.invocations is not None
        try:
            target, buffer = self.invocations.endpoint(dcb, trap.cptr)
        except MultikernelError as refusal:
            self.machine.charge("trap")
            dcb.user.refuse(refusal)
            return self._resume()
        accepted = not target.exited and buffer.accept(trap.payload)
        dcb.user.answer(accepted)
        direct = trap.direct and accepted and not dcb.user.disabled and target.disabled_area is None
        direct = direct and target is not dcb
        self.machine.charge("lrpc" if direct else "trap")  # lrpc: the whole path, into the receiver
        if not accepted:
            return self._resume()
        if not direct:
            self.machine.charge("lmp_send")
            self.make_runnable(target)
            return self._resume()
        self._preempt()
        if target.runnable:
            self._queue.remove(target)
        target.runnable = True
        target.wake_ns = None
        self._switch_to(target)
        area, target.enabled_area = target.enabled_area, None
        target.pending = area is not None
        target.user.enter(Upcall.LRPC, None, area)
        return self._resume()

    def _memory_request(self, dcb: Dcb, trap: InvokeCap) -> Action:
        assert self.invocations is not None
        self.machine.charge("trap")
        self.machine.charge("cap_invoke")
        try:
            outcome = self.invocations.memory_request(dcb, trap.cptr, trap.request)
        except MultikernelError as refusal:
            dcb.user.refuse(refusal)
        else:
            dcb.user.answer(outcome)
        return self._resume()

    def _invoke(self, dcb: Dcb, trap: Invoke[object]) -> Action:
        assert self.invocations is not None
        self.machine.charge("trap")
        try:
            result = self.invocations.invoke(dcb, trap.cptr, trap.request)
        except MultikernelError as refusal:
            dcb.user.refuse(refusal)
        else:
            dcb.user.answer(result)
        return self._resume()
