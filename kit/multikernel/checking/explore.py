"""Every turn of every core in every order, with each fault at each step, less the orders that cannot matter.

    check(spec, "unicast", cores=3, operations=2, faults=("stop",)) -> Report

A global state is numbers: a plan, a local state a core, the messages of each channel in order.  A plan
says where each fault that may happen would happen: that is chosen first, one plan for each place, so that faults of
different cores do not exclude each other, and then each may happen at any step, or never.

    stop         a core stops, between two turns or two effects; what it sent is delivered, what it is sent is lost
    drop         the next message of a channel is lost
    duplicate    the next message of a channel is delivered and stays

Search is breadth first, so that a counterexample is the shortest there is in what is explored.  Reduction is by
persistent sets (Godefroid, LNCS 1032, 1996): where nothing that other cores do can bring a core another event, its
turns are all that is tried in that state, as those of the others come to the same before or after.  No state is left
for good with turns untried: a state whose reduced turns lead only to states tried before is tried in full (Bošnački
and Holzmann, SPIN 2005).  What the properties look at is the same in all orders of independent turns (`model.py`).

May not know: what a protocol does in a turn.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple, TypeAlias

from multikernel.checking.model import BEGIN, EMPTY, Local, Model, Turn
from multikernel.checking.shapes import role
from multikernel.errors import UsageError
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.routes import TREES

FAULTS = ("stop", "drop", "duplicate")
BATCH = 256
"""States between two looks at the clock."""

State: TypeAlias = tuple[int, tuple[int, ...], tuple[tuple[int, ...], ...]]


class Fault(NamedTuple):
    """`kind` at a place: the core that stops, or a channel by its index."""

    kind: str
    place: int


class Plan(NamedTuple):
    """What may still happen, what has, and the cores that are dead (bit i for core i)."""

    pending: tuple[Fault, ...] = ()
    happened: tuple[Fault, ...] = ()
    dead: int = 0


class Move(NamedTuple):
    """What `core` does, or what befalls it: `begin`, `deliver`, or a fault's kind; of which channel (-1: none); its
    turn, if it has one; and the state after it."""

    kind: str
    core: int
    channel: int
    turn: Turn | None
    after: State


@dataclass
class Violation:
    """`how` a property does not hold, and the moves that lead there."""

    name: str
    how: str
    moves: list[Move]


@dataclass
class Report:
    """What an exploration found.  `ends` are the states in which nothing can happen any more, by the faults before
    and the roles of those that wait in them for ever; `reached` the numbers of the protocol's steps; `whole` whether
    nothing was left out."""

    model: Model
    tree: str
    states: int = 0
    transitions: int = 0
    ends: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=Counter)
    reached: tuple[int, ...] = ()
    whole: bool = False
    seconds: float = 0.0
    violation: Violation | None = None


def check(
    spec: ConsistencyProtocolSpec,
    tree: str,
    cores: int = 3,
    operations: int = 1,
    faults: Sequence[str] = (),
    budget_s: float = 60.0,
    reduced: bool = True,
) -> Report:
    """Explore until a property is violated, all is explored, or `budget_s` seconds are over.  A fault named twice may
    happen twice.  Raises UsageError for sizes below one, more than 8 cores, or an unknown fault."""
    if unknown := [fault for fault in faults if fault not in FAULTS]:
        raise UsageError(f"there is no fault {unknown[0]!r}; there are: {', '.join(FAULTS)}", code="unknown-name")
    if not 1 <= cores <= 8 or operations < 1:
        raise UsageError(f"{cores} cores, {operations} operations: what can be explored is 1 to 8 cores and 1 or more")
    return Explorer(Model(spec, tree, cores, operations), reduced).run(tuple(faults), budget_s)


class Explorer:
    """See the module; one for each exploration."""

    def __init__(self, model: Model, reduced: bool = True) -> None:
        self.model = model
        self._reduced = reduced
        self._plans: list[Plan] = []
        self._plan_of: dict[Plan, int] = {}
        self._into = [[c for c, (_, to) in enumerate(model.channels) if to == core] for core in range(model.cores)]
        self._to = [target for _, target in model.channels]
        self._chosen: dict[tuple[tuple[bool, ...], int, bool], int] = {}

    def start(self, faults: Sequence[Fault]) -> State:
        """The state before anything, in which `faults` may happen."""
        return self._plan(Plan(tuple(faults))), (0,) * self.model.cores, ((),) * len(self.model.channels)

    def run(self, kinds: Sequence[str], budget_s: float) -> Report:
        """See `check`."""
        report = Report(self.model, TREES[self.model.tree])
        begun = time.monotonic()
        channels = range(len(self.model.channels))
        places = {"stop": range(self.model.cores), "drop": channels, "duplicate": channels}
        kinds = [kind for kind in kinds if places[kind]]  # a core alone has no channels
        plans = [
            tuple(Fault(kind, place) for kind, place in zip(kinds, chosen, strict=True))
            for chosen in product(*(places[kind] for kind in kinds))
        ]
        states = list(dict.fromkeys(self.start(sorted(plan)) for plan in plans))
        number = {state: index for index, state in enumerate(states)}
        parents = [-1] * len(states)
        here = 0
        while here < len(states):
            if not here % BATCH and time.monotonic() - begun > budget_s:
                break
            state = states[here]
            core = self._persistent(state) if self._reduced else -1
            moves = self.moves(state, core)
            if core >= 0 and all(number.get(move.after, here + 1) <= here for move in moves):
                moves = self.moves(state)
            report.transitions += len(moves)
            found = next(((*problem, move) for move in moves if (problem := self.problem(move)) is not None), None)
            if found is not None:
                name, how, move = found
                report.violation = Violation(name, how, [*self._path(states, parents, here), move])
                break
            for move in moves:
                if move.after not in number:
                    number[move.after] = len(states)
                    states.append(move.after)
                    parents.append(here)
            if all(move.kind == "stop" for move in moves):
                if how := self.stuck(state):
                    report.violation = Violation("progress", how, self._path(states, parents, here))
                    break
                report.ends[self._end(state)] += 1
            here += 1
        report.whole = here == len(states)
        report.states = len(states)
        report.reached = tuple(sorted(self.model.reached))
        report.seconds = time.monotonic() - begun
        return report

    # Moves

    def moves(self, state: State, core: int = -1) -> list[Move]:
        """What can happen in a state; of one core alone, or (-1) of all."""
        model, plan = self.model, self._plans[state[0]]
        found: list[Move] = []
        for own in range(model.cores) if core < 0 else (core,):
            if plan.dead >> own & 1:
                continue
            stops = bool(plan.pending) and Fault("stop", own) in plan.pending
            if own == 0 and model.locals[state[1][0]].begun < model.operations:
                self._turns(found, state, plan, (own, -1, BEGIN), stops)
            for channel in self._into[own]:
                waiting = state[2][channel]
                if waiting:
                    self._turns(found, state, plan, (own, channel, waiting[0]), stops)
                    if plan.pending:
                        self._mishaps(found, state, plan, own, channel)
            if stops:
                found.append(Move("stop", own, -1, None, self._stop(state[1], list(state[2]), own, plan)))
        return found

    def _turns(self, found: list[Move], state: State, plan: Plan, event: tuple[int, int, int], stops: bool) -> None:
        """Every turn on a core by what comes on a channel (-1: nothing, it begins)."""
        number, locals_, waiting = state
        core, channel, cause = event
        turns = self.model.turns(core, locals_[core], cause)
        if stops:
            turns = (*turns, *self.model.cuts(core, locals_[core], cause))
        kind = "begin" if channel < 0 else "deliver"
        for turn in turns:
            channels = list(waiting)
            if channel >= 0:
                channels[channel] = channels[channel][1:]
            for target, letter in turn.sends:
                if not plan.dead >> self._to[target] & 1:
                    channels[target] = (*channels[target], letter)
            after = (*locals_[:core], turn.local, *locals_[core + 1 :])
            then = self._stop(after, channels, core, plan) if turn.cut else (number, after, tuple(channels))
            found.append(Move(kind, core, channel, turn, then))

    def _mishaps(self, found: list[Move], state: State, plan: Plan, core: int, channel: int) -> None:
        """The faults of a channel that may befall its next message."""
        _, locals_, waiting = state
        for fault in dict.fromkeys(plan.pending):
            if fault.kind == "stop" or fault.place != channel:
                continue
            number = self._plan(_happen(plan, fault))
            if fault.kind == "drop":
                channels = (*waiting[:channel], waiting[channel][1:], *waiting[channel + 1 :])
                found.append(Move("drop", core, channel, None, (number, locals_, channels)))
                continue
            twice = (*waiting[:channel], (waiting[channel][0], *waiting[channel]), *waiting[channel + 1 :])
            moves: list[Move] = []
            self._turns(moves, (number, locals_, twice), plan, (core, channel, waiting[channel][0]), False)
            found += [move._replace(kind="duplicate") for move in moves]

    def _stop(self, locals_: tuple[int, ...], channels: list[tuple[int, ...]], core: int, plan: Plan) -> State:
        number = self._plan(_happen(plan, Fault("stop", core))._replace(dead=plan.dead | 1 << core))
        for channel in self._into[core]:
            channels[channel] = ()
        dead = self.model.stopped(locals_[core])
        return number, (*locals_[:core], dead, *locals_[core + 1 :]), tuple(channels)

    def _plan(self, plan: Plan) -> int:
        number = self._plan_of.setdefault(plan, len(self._plans))
        if number == len(self._plans):
            self._plans.append(plan)
        return number

    def _persistent(self, state: State) -> int:
        """A core whose moves alone have to be tried here; -1 if there is none."""
        number, locals_, channels = state
        waiting = tuple(map(bool, channels))
        dead = self._plans[number].dead
        begins = not dead & 1 and self.model.locals[locals_[0]].begun < self.model.operations
        key = waiting, dead, begins
        known = self._chosen.get(key)
        if known is None:
            known = self._chosen[key] = self._choose(*key)
        return known

    def _choose(self, waiting: tuple[bool, ...], dead: int, begins: bool) -> int:
        alive = [core for core in range(self.model.cores) if not dead >> core & 1]
        able = [core for core in alive if any(waiting[channel] for channel in self._into[core])]
        if begins and 0 not in able:
            able.append(0)
        for core in sorted(able, reverse=True):
            others = {other: None for other in able if other != core}
            grown = 0
            while grown < len(others):
                grown = len(others)
                for source, target in self.model.channels:
                    if source in others and target != core and target in alive:
                        others[target] = None
            if all(waiting[channel] or self.model.channels[channel][0] not in others for channel in self._into[core]):
                return core
        return -1

    # Judging

    def problem(self, move: Move) -> tuple[str, str] | None:
        """The property a move violates, and how."""
        if move.turn is None:
            return None
        if move.turn.problem is not None or not move.turn.notable:
            return move.turn.problem
        locals_ = [self.model.locals[number] for number in move.after[1]]
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

    def stuck(self, state: State) -> str:
        """What is left undone in a state in which nothing can happen any more; "" if nothing is, if something can
        happen, or if a fault has."""
        if self._plans[state[0]].happened or any(move.kind != "stop" for move in self.moves(state)):
            return ""
        locals_ = [self.model.locals[number] for number in state[1]]
        told = locals_[0].completed | locals_[0].aborted
        waits = [str(number + 1) for number in range(self.model.operations) if not told >> number & 1]
        holding = [str(core) for core, local in enumerate(locals_) if local.kept != EMPTY]
        words = [f"operation {', '.join(waits)} never completes"] if waits else []
        return "; ".join([*words, *([f"core {', '.join(holding)} still keeps something"] if holding else [])])

    def _end(self, state: State) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The faults before a state in which nothing can happen any more but that a core stops; who waits in it."""
        locals_ = [self.model.locals[number] for number in state[1]]
        waits = [role(self.model.members[core]) for core, local in enumerate(locals_) if local.kept != EMPTY]
        before = tuple(self._befallen(fault, locals_) for fault in self._plans[state[0]].happened)
        return before, tuple(dict.fromkeys(waits))

    def _befallen(self, fault: Fault, locals_: Sequence[Local]) -> str:
        if fault.kind != "stop":
            source, target = (role(self.model.members[core]) for core in self.model.channels[fault.place])
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
        return f"stop of {role(self.model.members[fault.place])} {done}"

    def _path(self, states: Sequence[State], parents: Sequence[int], index: int) -> list[Move]:
        """The moves to a state."""
        path: list[Move] = []
        while parents[index] >= 0:
            path.append(next(move for move in self.moves(states[parents[index]]) if move.after == states[index]))
            index = parents[index]
        return path[::-1]


def _happen(plan: Plan, fault: Fault) -> Plan:
    pending = list(plan.pending)
    pending.remove(fault)
    return plan._replace(pending=tuple(pending), happened=tuple(sorted((*plan.happened, fault))))
