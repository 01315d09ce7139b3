"""The faults of one simulation: when each strikes, and what then happens to its core or link.

    faults.started("run")          the first program is asked for: what counts from there counts
    faults.delivered(core, at)     a core has taken a line of another     faults.stepped(core, step, at)
    faults.reached                 how often each step of a protocol was reached, on all cores

A fault at a time strikes in an event of the engine, ahead of what is queued for that time later; one at a message or
step strikes there and then, at the core's own clock, before the core does anything else.  Nothing is drawn: the same
faults and seed give the same run.

May not know: how a core stops, how a line is held.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from mk_sim.faulty import Condition, Skew
from mk_sim.holds import NEVER, Holds
from multikernel.events import FaultStruck
from multikernel.faults import LINKS, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mk_sim.engine import Engine
    from multikernel.events import Event
    from multikernel.faults import Since, Trigger
    from multikernel.system.operations import Step


class Struck(Protocol):
    """What a fault asks of the platform."""

    def strike(self, core: int) -> None:
        """The condition of `core` has changed."""

    def restart(self, core: int) -> None:
        """Now an operator has the boot core start `core` anew."""

    def tell(self, event: Event) -> None: ...


class Faults:
    """See the module.  `holds` is None where every line is seen at once."""

    def __init__(self, faults: Sequence[Fault], engine: Engine, holds: Holds | None, struck: Struck) -> None:
        self.holds = holds
        self.reached: Counter[tuple[str, str, str]] = Counter()
        self.happened: list[Fault] = []
        self._engine = engine
        self._struck = struck
        self._faults = tuple(faults)
        self._conditions: dict[int, Condition] = {}
        self._counts: dict[Trigger, Counter[int]] = {"message": Counter(), "step": Counter()}
        self._due: dict[tuple[Trigger, int, int], list[Fault]] = {}
        self._started: dict[Since, None] = {}
        self.started("boot")

    def condition(self, core: int) -> Condition:
        """How `core` is; made on first use."""
        return self._conditions.setdefault(core, Condition())

    def started(self, since: Since) -> None:
        """Faults that count from here come due.  Only the first call of each counts."""
        if since in self._started:
            return
        self._started[since] = None
        for fault in self._faults:
            if fault.since != since:
                continue
            if fault.trigger == "time":
                self._engine.at(self._engine.now + fault.at * 1000, self._on_time, fault)
            else:
                number = self._counts[fault.trigger][fault.core] + fault.at
                self._due.setdefault((fault.trigger, fault.core, number), []).append(fault)

    def delivered(self, core: int, at: int) -> None:
        self._count("message", core, at)

    def stepped(self, core: int, step: Step, at: int) -> None:
        self.reached[step.protocol, step.cause, step.effect] += 1
        self._count("step", core, at)

    def _count(self, trigger: Trigger, core: int, at: int) -> None:
        self._counts[trigger][core] += 1
        for fault in self._due.pop((trigger, core, self._counts[trigger][core]), ()):
            self._strike(fault, at)

    def _on_time(self, fault: Fault) -> None:
        self._strike(fault, self._engine.now)

    def _strike(self, fault: Fault, at: int) -> None:
        """`fault` happens, at `at` ps."""
        self.happened.append(fault)
        self._tell(fault, at, over=False)
        end = at + fault.for_ns * 1000 if fault.for_ns else NEVER
        if fault.for_ns:
            self._engine.at(max(end, self._engine.now), self._over, (fault, end))
        if fault.kind in LINKS:
            assert self.holds is not None
            late = fault.by_ns * 1000 if fault.kind == "delay" else None
            self.holds.begin(fault.core, fault.peer, at, end, late)
            if fault.ways == "both":
                self.holds.begin(fault.peer, fault.core, at, end, late)
            return
        condition = self.condition(fault.core)
        if fault.kind == "stall":
            condition.stalled_until = max(condition.stalled_until, end)
        elif fault.kind == "skew":
            if condition.skew is None:
                condition.skew = Skew()
            condition.skew.change(at, fault.by_ns * 1000, fault.by_ppm)
        else:
            condition.halted = True
            condition.forever = condition.forever or fault.kind == "stop"
        self._struck.strike(fault.core)

    def _over(self, ending: tuple[Fault, int]) -> None:
        fault, at = ending
        self._tell(fault, at, over=True)
        condition = self.condition(fault.core)
        if fault.kind == "restart" and condition.halted and not condition.forever:
            condition.halted, condition.stalled_until = False, 0
            if self.holds is not None:
                self.holds.forget(fault.core)
            self._struck.restart(fault.core)

    def _tell(self, fault: Fault, at: int, over: bool) -> None:
        event = FaultStruck(at // 1000, fault.core, fault.kind, str(fault), over)
        self._engine.at(max(at, self._engine.now), self._struck.tell, event)
