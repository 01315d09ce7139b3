"""Protocols over a tree, explored.

    check(spec, "unicast", cores=3, operations=2, faults=("stop",)) -> Report

May not know: what a protocol does in a turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.checking.explore import Explorer
from multikernel.checking.machine import Own
from multikernel.checking.model import EMPTY, Local, Model
from multikernel.checking.plans import End, Fault, Move, Plan, Report, State
from multikernel.errors import UsageError
from multikernel.spec import ConsistencyProtocolSpec

FAULTS = ("stop", "drop", "duplicate")


def check(
    spec: ConsistencyProtocolSpec,
    tree: str,
    cores: int = 3,
    operations: int = 1,
    faults: Sequence[str] = (),
    budget_s: float = 60.0,
    reduced: bool = True,
) -> Report[Model]:
    """Explore until a property is violated, all is explored, or `budget_s` seconds are over.  A fault named twice may
    happen twice.  Raises UsageError for sizes below one, more than 8 cores, or an unknown fault."""
    if unknown := [fault for fault in faults if fault not in FAULTS]:
        raise UsageError(f"there is no fault {unknown[0]!r}; there are: {', '.join(FAULTS)}", code="unknown-name")
    if not 1 <= cores <= 8 or operations < 1:
        raise UsageError(f"{cores} cores, {operations} operations: what can be explored is 1 to 8 cores and 1 or more")
    return TreeExplorer(Model(spec, tree, cores, operations), reduced).run(tuple(faults), budget_s, tree)


class TreeExplorer(Explorer[Model]):
    """See the module."""

    def events(self, state: State, plan: Plan, core: int) -> Sequence[Own]:
        return self.model.own(core, state[core + 1])

    def able(self, state: State, plan: Plan) -> tuple[int, int]:
        begins = not plan.dead & 1 and self.model.locals[state[1]].begun < self.model.operations
        return int(begins), 0

    def problem(self, move: Move) -> tuple[str, str] | None:
        if move.turn is None:
            return None
        if move.turn.problem is not None or not move.turn.notable:
            return move.turn.problem
        locals_ = self._locals(move.after)
        applied = given_up = 0
        for local in locals_:
            applied |= local.applied | local.completed
            given_up |= local.released | local.aborted
        if not applied & given_up:
            return None
        operation = (applied & given_up).bit_length()
        does = [core for core, local in enumerate(locals_) if (local.applied | local.completed) >> operation - 1 & 1]
        gives = [core for core, local in enumerate(locals_) if (local.released | local.aborted) >> operation - 1 & 1]
        return "agreement", f"operation {operation} is carried out on core {does[0]} and given up on core {gives[0]}"

    def stuck(self, state: State) -> tuple[str, str] | None:
        """What is left undone; not asked after a fault."""
        if self.plans[state[0]].happened or not self.quiet(state, self.moves(state)):
            return None
        locals_ = self._locals(state)
        told = locals_[0].completed | locals_[0].aborted
        waits = [str(number + 1) for number in range(self.model.operations) if not told >> number & 1]
        holding = [str(core) for core, local in enumerate(locals_) if local.kept != EMPTY]
        words = [f"operation {', '.join(waits)} never completes"] if waits else []
        words += [f"core {', '.join(holding)} still keeps something"] if holding else []
        return ("progress", "; ".join(words)) if words else None

    def end(self, state: State) -> End:
        locals_ = self._locals(state)
        waits = [self.model.role(core) for core, local in enumerate(locals_) if local.kept != EMPTY]
        before = tuple(self._befallen(fault, locals_) for fault in self.plans[state[0]].happened)
        return before, tuple(dict.fromkeys(waits))

    def _locals(self, state: State) -> list[Local]:
        return [self.model.locals[number] for number in state[1 : self.model.cores + 1]]

    def _befallen(self, fault: Fault, locals_: Sequence[Local]) -> str:
        if fault.kind != "stop":
            source, target = map(self.model.role, self.model.channels[fault.place])
            return f"{fault.kind} {source} to {target}"
        local = locals_[fault.place]
        done = "before it took part"
        for mask, words in (
            (local.begun, "having begun"),
            (local.accepted, "having accepted"),
            (local.refused, "having refused"),
            (local.applied, "having applied"),
            (local.released, "having given up"),
            (local.completed, "having completed"),
            (local.aborted, "having aborted"),
        ):
            done = words if mask else done
        return f"stop of {self.model.role(fault.place)} {done}"
