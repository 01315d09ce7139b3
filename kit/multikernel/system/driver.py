"""The CPU driver: privileged, event-driven, single-threaded, not preemptable.

    boot() -> Action                the core's first action: run the monitor
    handle(event) -> Action         one hardware event, to completion

An action is `Resume(dcb)` (continue where it was), an upcall already entered on the dispatcher's user
half, or `Idle`.  In every case `Action.dcb` is what runs next and `until_ns` the end of its time slice;
with a single runnable dispatcher there is none, and no timer is set.  Scheduling is round-robin.

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
from multikernel.system.machine import Dcb, Faulted, Hardware, Interrupted, Machine, TimerFired, Trapped
from multikernel.system.operations import Block, Exit, IdleCore, Invoke, InvokeCap, RaiseTrap, SendLocal, Trap, Yield

if TYPE_CHECKING:
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
    """What the core does next: run `dcb`, or idle when there is none, until `until_ns` at the latest.  Not frozen, as
    one is made for each event."""

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
        self._root = 0

    # Events

    def boot(self) -> Action:
        """First action of the core.  The monitor's dispatcher must have been made."""
        machine = self.machine
        machine.charge("boot")
        machine.emit(CoreUp(machine.now_ns(), machine.core.id, self.model.isa, machine.kind.driver))
        return self._schedule()

    def handle(self, event: Hardware) -> Action:
        """Handle one event to completion."""
        if isinstance(event, Trapped):
            return self._trap(event.operation)
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
        """Round-robin: the dispatcher at the head of the queue, or idle."""
        now = self.machine.now_ns()
        wake: int | None = None
        for dcb in self.dispatchers.values():
            if dcb.wake_ns is not None:
                if dcb.wake_ns <= now:
                    self.make_runnable(dcb)
                elif wake is None or dcb.wake_ns < wake:
                    wake = dcb.wake_ns
        if not self._queue:
            return Action(None, wake)
        dcb = self._queue.popleft()
        return self._dispatch(dcb, Upcall.RUN, None, wake)

    def _dispatch(self, dcb: Dcb, entry: Upcall, argument: object, wake: int | None) -> Action:
        """Switch to `dcb`: resume it if it was disabled, else by an upcall."""
        machine = self.machine
        machine.charge("context_switch")
        if dcb.root != self._root:
            self._root = dcb.root
            machine.install(dcb.root)
        self._running = dcb
        dcb.running = True
        if dcb.disabled_area is not None:
            area, dcb.disabled_area = dcb.disabled_area, None
            dcb.user.restore(area)
        else:
            self._enter(dcb, entry, argument)
        end = machine.now_ns() + self._slice_ns if self._queue else None
        if wake is not None and (end is None or wake < end):
            end = wake
        self._slice_end = end
        return Action(dcb, end)

    def _enter(self, dcb: Dcb, entry: Upcall, argument: object) -> None:
        self.machine.charge("upcall")
        area, dcb.enabled_area = dcb.enabled_area, None
        if area is None:  # else the interrupted thread may have looked before and be about to block
            dcb.pending = False
        dcb.user.enter(entry, argument, area)

    def _resume(self) -> Action:
        """Back to the running dispatcher.  What became runnable meanwhile gets its turn at the timer."""
        if self._queue and self._slice_end is None:
            self._slice_end = self.machine.now_ns() + self._slice_ns
        return Action(self._running, self._slice_end)

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

    def _trap(self, trap: Trap[object]) -> Action:
        dcb = self._current()
        if isinstance(trap, SendLocal):
            return self._send_local(dcb, trap)
        self.machine.charge("trap")
        if isinstance(trap, Invoke):
            self._invoke(dcb, trap)
            return self._resume()
        if isinstance(trap, InvokeCap):
            self.machine.charge("cap_invoke")
            self._memory_request(dcb, trap)
            return self._resume()
        if isinstance(trap, Yield):
            dcb.user.answer(bool(self._queue))
            self._preempt()
            return self._schedule()
        if isinstance(trap, IdleCore) and self._queue:
            dcb.user.answer(True)
            self._preempt()
            return self._schedule()
        if isinstance(trap, (Block, IdleCore)):
            return self._block(dcb, trap.until_ns)
        if isinstance(trap, RaiseTrap):
            dcb.user.answer(None)
            dcb.enabled_area = dcb.user.save()
            self._enter(dcb, Upcall.TRAP, trap.number)
            return self._resume()
        if isinstance(trap, Exit):
            return self._exit(dcb)
        raise TypeError(f"no trap of this driver: {type(trap).__name__}")

    def _block(self, dcb: Dcb, until_ns: int | None) -> Action:
        """Refused when something came since the dispatcher last looked.  The registers of an enabled
        thread are kept; the scheduler's are not, as its next activation looks afresh."""
        dcb.user.answer(False)
        if dcb.pending:
            dcb.pending = False
            return self._resume()
        context = dcb.user.save()
        dcb.enabled_area = None if dcb.user.disabled else context
        dcb.running = dcb.runnable = False
        dcb.wake_ns = until_ns
        self._running = None
        return self._schedule()

    def _exit(self, dcb: Dcb) -> Action:
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
        self._running = target
        target.running = True
        if target.root != self._root:
            self._root = target.root
            self.machine.install(target.root)
        area, target.enabled_area = target.enabled_area, None
        target.pending = area is not None
        target.user.enter(Upcall.LRPC, None, area)
        return self._resume()

    def _memory_request(self, dcb: Dcb, trap: InvokeCap) -> None:
        assert self.invocations is not None
        try:
            outcome = self.invocations.memory_request(dcb, trap.cptr, trap.request)
        except MultikernelError as refusal:
            dcb.user.refuse(refusal)
        else:
            dcb.user.answer(outcome)

    def _invoke(self, dcb: Dcb, trap: Invoke[object]) -> None:
        assert self.invocations is not None
        try:
            result = self.invocations.invoke(dcb, trap.cptr, trap.request)
        except MultikernelError as refusal:
            dcb.user.refuse(refusal)
        else:
            dcb.user.answer(result)
