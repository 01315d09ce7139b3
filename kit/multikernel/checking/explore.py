"""Every turn of every core in every order, with each fault at each step, less the orders that cannot matter.

    Explorer(machine).run(faults, budget_s) -> Report      what a kind of protocol adds is in a subclass

A global state is numbers: a plan, a local state a core, what waits in each channel.  A plan says where each fault that
may happen would happen: that is chosen first, one plan for each place, so that faults of different cores do not exclude
each other, and then each may happen at any step, or never.

    stop         a core stops, between two turns or two effects; what it sent is delivered, what it is sent is lost
    restart      a core stops likewise (it falls), and begins anew at any time, having forgotten everything
    drop         the next message of a channel is lost
    duplicate    the next message of a channel is delivered and stays
    timeout      a timer that is armed on a core runs out: no fault, but as rare; besides, so many may run out in a
                 lull, when no message is under way and nothing to be begun

Search is breadth first, so that a counterexample is the shortest there is in what is explored.  Reduction is by
persistent sets (Godefroid, LNCS 1032, 1996): where nothing that other cores do can bring a core another event, its
turns are all that is tried in that state, as those of the others come to the same before or after: unless they send to
a core that may yet fall and come back, where what comes before is lost and what comes after is not.  No state is left
for good with turns untried: a state whose reduced turns lead only to states tried before is tried in full (Bošnački
and Holzmann, SPIN 2005).  What the properties look at is the same in all orders of independent turns.

Which channels can bring something is every one that a machine has, or, where all could (`learns`), those used so far
from a plan on.  When one more is used, the states left reduced on the strength of that are tried in full: up to the
first use of a channel that was not reckoned with, all is as in a machine that has not got it, where reduction is right,
so that if there is such a use it is found.

May not know: what a protocol does in a turn.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Generic

from multikernel.checking.machine import Own, Turn
from multikernel.checking.plans import (
    FALLS,
    MISHAPS,
    TIMEOUT,
    End,
    Fault,
    M,
    Move,
    Plan,
    Report,
    State,
    Violation,
    happen,
    without,
)

BATCH = 256
"""States between two looks at the clock."""


class Explorer(ABC, Generic[M]):
    """See the module; one for each exploration."""

    learns = False

    def __init__(self, model: M, reduced: bool = True) -> None:
        self.model = model
        self._reduced = reduced
        self.plans: list[Plan] = []
        self._plan_of: dict[Plan, int] = {}
        self._before: list[dict[int, None]] = []  # the plans from which one came about
        self._uses: list[int] = []  # by plan, the channels used from it on
        self._left: list[list[tuple[int, int]]] = []  # by plan, the states left reduced, and to which core
        self._again: list[int] = []
        self._states: list[State] = []
        self._into = [[c for c, (_, to) in enumerate(model.channels) if to == core] for core in range(model.cores)]
        self._to = [target for _, target in model.channels]
        self._all = (1 << len(model.channels)) - 1
        self._chosen: dict[tuple[int, int, int, int, int], int] = {}

    # What a kind of protocol adds

    @abstractmethod
    def events(self, state: State, plan: Plan, core: int) -> Sequence[Own]:
        """What a core that lives can do of its own."""

    @abstractmethod
    def able(self, state: State, plan: Plan) -> tuple[int, int]:
        """Who (bit i for core i) can do something of its own that it will do; something that it may do."""

    @abstractmethod
    def problem(self, move: Move) -> tuple[str, str] | None:
        """The property a move violates, and how."""

    @abstractmethod
    def stuck(self, state: State) -> tuple[str, str] | None:
        """The property that does not hold in a state in which nothing can happen any more, and how; None if all do, or
        something can happen."""

    @abstractmethod
    def end(self, state: State) -> End:
        """The faults before such a state, and the roles of those that wait in it."""

    def lull(self, state: State, plan: Plan) -> bool:
        """Whether no message is under way and nothing to be begun."""
        return False

    # Search

    def start(self, faults: Sequence[Fault], lulls: int = 0) -> State:
        """The state before anything, in which `faults` may happen, and timers may run out in lulls."""
        model = self.model
        locals_ = [model.first(core) for core in range(model.cores)]
        return self.plan(Plan(tuple(sorted(faults)), lulls=lulls)), *locals_, *([0] * len(model.channels))

    def starts(self, kinds: Sequence[str]) -> Iterable[State]:
        """Every state before anything: a place for each fault of `kinds`."""
        channels = range(len(self.model.channels))
        kinds = [kind for kind in kinds if kind not in MISHAPS or channels]  # a core alone has no channels
        places = (channels if kind in MISHAPS else range(self.model.cores) for kind in kinds)
        return (self.start([Fault(*each) for each in zip(kinds, chosen, strict=True)]) for chosen in product(*places))

    def run(self, kinds: Sequence[str], budget_s: float, name: str = "") -> Report[M]:
        """Explore until a property is violated, all is explored, or `budget_s` seconds are over."""
        report = Report(self.model, name, tuple(kinds))
        begun = time.monotonic()
        states = self._states = list(dict.fromkeys(self.starts(kinds)))
        number = {state: index for index, state in enumerate(states)}
        parents = [-1] * len(states)
        here = steps = 0
        while here < len(states) or self._again:
            if not steps % BATCH and time.monotonic() - begun > budget_s:
                break
            steps += 1
            anew = bool(self._again)
            index = self._again.pop() if anew else here
            state = states[index]
            core = self._persistent(state) if self._reduced and not anew else -1
            uses = self._uses[state[0]]
            moves = self.moves(state, core)
            if core >= 0 and (
                (uses != self._uses[state[0]] and self._persistent(state) != core)
                or all(number.get(move.after, here + 1) <= here for move in moves)
                or any(self._tells_who_comes_back(state, move) for move in moves)
            ):
                moves, core = self.moves(state), -1
            if core >= 0 and self.learns:
                self._left[state[0]].append((index, core))
            report.transitions += len(moves)
            found = next(((*problem, move) for move in moves if (problem := self.problem(move)) is not None), None)
            if found is not None:
                *told, move = found
                report.violation = Violation(told[0], told[1], [*self._path(states, parents, index), move])
                break
            for move in moves:
                if move.after not in number:
                    number[move.after] = len(states)
                    states.append(move.after)
                    parents.append(index)
            if core < 0 and not anew and self.quiet(state, moves):
                if (problem := self.stuck(state)) is not None:
                    report.violation = Violation(*problem, self._path(states, parents, index))
                    break
                report.ends[self.end(state)] += 1
            here += not anew
        report.whole = here == len(states) and not self._again
        report.states = len(states)
        report.reached = tuple(sorted(self.model.reached))
        report.seconds = time.monotonic() - begun
        return report

    def _tells_who_comes_back(self, state: State, move: Move) -> bool:
        """What is sent to a core before it comes back is lost; after, it is not: there order matters."""
        plan = self.plans[state[0]]
        if move.turn is None or not (plan.pending or plan.down):
            return False
        targets = [self._to[channel] for channel, _ in move.turn.sends]
        return any(plan.down >> target & 1 or Fault("restart", target) in plan.pending for target in targets)

    def quiet(self, state: State, moves: Sequence[Move]) -> bool:
        """Whether in a state with these moves nothing will happen that has to."""
        return all(move.kind in ("stop", "fall", "restart") or move.kind.startswith(TIMEOUT) for move in moves)

    def _path(self, states: Sequence[State], parents: Sequence[int], index: int) -> list[Move]:
        """The moves to a state."""
        path: list[Move] = []
        while parents[index] >= 0:
            path.append(next(move for move in self.moves(states[parents[index]]) if move.after == states[index]))
            index = parents[index]
        return path[::-1]

    # Moves

    def moves(self, state: State, core: int = -1) -> list[Move]:
        """What can happen in a state; of one core alone, or (-1) of all."""
        model, number = self.model, state[0]
        plan = self.plans[number]
        channels = model.cores + 1
        found: list[Move] = []
        for own in range(model.cores) if core < 0 else (core,):
            if plan.dead >> own & 1:
                if plan.down >> own & 1:
                    found.append(Move("restart", own, -1, -1, None, self._restart(state, own, plan)))
                continue
            falls: Sequence[Fault] = ()
            if plan.pending:
                falls = [fault for fault in plan.pending if fault.place == own and fault.kind in FALLS]
            for kind, event in self.events(state, plan, own):
                then = number
                if kind.startswith(TIMEOUT):
                    lull = plan.lulls and self.lull(state, plan)
                    spent = plan._replace(lulls=plan.lulls - 1) if lull else without(plan, Fault(TIMEOUT, own))
                    then = self.plan(spent, number)
                self._turns(found, state, then, kind, own, -1, event, falls)
            for channel in self._into[own]:
                waiting = state[channels + channel]
                if waiting:
                    self._turns(found, state, number, "deliver", own, channel, model.waiting[waiting][0], falls)
                    if plan.pending:
                        self._mishaps(found, state, plan, own, channel)
            for fault in dict.fromkeys(falls):
                after = self._stop(list(state), own, plan, fault)
                found.append(Move(FALLS[fault.kind], own, -1, -1, None, after))
        return found

    def _turns(
        self,
        found: list[Move],
        state: State,
        number: int,
        kind: str,
        core: int,
        channel: int,
        event: int,
        falls: Sequence[Fault],
    ) -> None:
        """Every turn on a core by an event, that comes on a channel or not; `number` is of the plan after it."""
        model, dead = self.model, self.plans[number].dead
        channels = model.cores + 1
        local = state[core + 1]
        before = list(state)
        before[0] = number
        if channel >= 0:
            before[channels + channel] = model.rest[before[channels + channel]]
        for turn in model.turns(core, local, event):
            after = self._after(before, core, turn, dead, state[0])
            found.append(Move(kind, core, channel, event, turn, tuple(after)))
        for fault in dict.fromkeys(falls):
            for turn in model.cuts(core, local, event):
                after = self._after(before, core, turn, dead, state[0])
                then = self._stop(after, core, self.plans[number], fault, stopped=True)
                found.append(Move(kind, core, channel, event, turn, then, FALLS[fault.kind]))

    def _after(self, before: list[int], core: int, turn: Turn, dead: int, plan: int) -> list[int]:
        """A state after a turn in it."""
        model = self.model
        channels = model.cores + 1
        after = before.copy()
        after[core + 1] = turn.local
        if turn.sends:
            used = 0
            for target, letter in turn.sends:
                used |= 1 << target
                if not dead >> self._to[target] & 1:
                    after[channels + target] = model.append(after[channels + target], letter)
            if used & ~self._uses[plan]:
                self._learn(plan, used)
        return after

    def _mishaps(self, found: list[Move], state: State, plan: Plan, core: int, channel: int) -> None:
        """The faults of a channel that may befall its next message."""
        place = self.model.cores + 1 + channel
        waiting = self.model.waiting[state[place]]
        for fault in dict.fromkeys(plan.pending):
            if fault.kind not in MISHAPS or fault.place != channel:
                continue
            number = self.plan(happen(plan, fault), state[0])
            after = list(state)
            after[0] = number
            if fault.kind == "drop":
                after[place] = self.model.rest[state[place]]
                found.append(Move("drop", core, channel, waiting[0], None, tuple(after)))
                continue
            after[place] = self.model.queue((waiting[0], *waiting))
            self._turns(found, tuple(after), number, "duplicate", core, channel, waiting[0], ())

    def _stop(self, after: list[int], core: int, plan: Plan, fault: Fault, stopped: bool = False) -> State:
        """A core stops: what waits for it is lost; `stopped` says that its local state knows already."""
        then = happen(plan, fault)
        down = plan.down | (fault.kind == "restart") << core
        after[0] = self.plan(then._replace(dead=plan.dead | 1 << core, down=down), after[0])
        if not stopped:
            after[core + 1] = self.model.stopped(core, after[core + 1])
        for channel in self._into[core]:
            after[self.model.cores + 1 + channel] = 0
        return tuple(after)

    def _restart(self, state: State, core: int, plan: Plan) -> State:
        up = ~(1 << core)
        number = self.plan(plan._replace(dead=plan.dead & up, down=plan.down & up), state[0])
        return number, *state[1 : core + 1], self.model.restarted(core, state[core + 1]), *state[core + 2 :]

    # Plans, and what is known of each

    def plan(self, plan: Plan, before: int = -1) -> int:
        """The number of a plan, which comes about in a state with plan `before`."""
        number = self._plan_of.setdefault(plan, len(self.plans))
        if number == len(self.plans):
            self.plans.append(plan)
            self._before.append({})
            self._uses.append(0 if self.learns else self._all)
            self._left.append([])
        if before >= 0 and before != number and before not in self._before[number]:
            self._before[number][before] = None
            self._learn(before, self._uses[number])
        return number

    def _learn(self, number: int, used: int) -> None:
        """Channels are used in a state with a plan: whoever may come to it has to reckon with them."""
        open_ = [number]
        while open_:
            number = open_.pop()
            if used & ~self._uses[number]:
                self._uses[number] |= used
                open_ += self._before[number]
                left, self._left[number] = self._left[number], []
                for index, core in left:
                    if self._persistent(self._states[index]) == core:
                        self._left[number].append((index, core))
                    else:
                        self._again.append(index)

    # Reduction

    def _persistent(self, state: State) -> int:
        """A core whose moves alone have to be tried here; -1 if there is none."""
        plan = self.plans[state[0]]
        waiting = 0
        for channel, something in enumerate(state[self.model.cores + 1 :]):
            if something:
                waiting |= 1 << channel
        will, may = self.able(state, plan)
        may |= plan.down
        for fault in plan.pending:
            if fault.kind == "restart":  # who begins anew may do so with a timer armed
                may |= 1 << fault.place
        key = waiting, plan.dead & ~plan.down, will, may, self._uses[state[0]]
        known = self._chosen.get(key)
        if known is None:
            known = self._chosen[key] = self._choose(*key)
        return known

    def _choose(self, waiting: int, dead: int, will: int, may: int, uses: int) -> int:
        alive = [core for core in range(self.model.cores) if not dead >> core & 1]
        must = [core for core in alive if will >> core & 1 or any(waiting >> c & 1 for c in self._into[core])]
        able = [core for core in alive if may >> core & 1 or core in must]
        edges = [pair for channel, pair in enumerate(self.model.channels) if uses >> channel & 1]
        for core in sorted(must, reverse=True):
            others = {other: None for other in able if other != core}
            grown = 0
            while grown < len(others):
                grown = len(others)
                for source, target in edges:
                    if source in others and target != core and target in alive:
                        others[target] = None
            empty = [c for c in self._into[core] if uses >> c & 1 and not waiting >> c & 1]
            if not any(self.model.channels[c][0] in others for c in empty):
                return core
        return -1
