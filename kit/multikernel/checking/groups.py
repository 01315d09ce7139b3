"""Protocols among equals, explored, and from every end run on in fairness.

    check_group(spec, cores=3, submitters=(0, 1), faults=("stop",), timeouts=1, lulls=2) -> Report

A timer that is armed may run out at any moment, however early, `timeouts` times in all, and then there are `lulls` more
times in which no message is under way and any of the timers armed runs out.  All orders of either are explored: a
timer that in an order left out ran out with messages under way may do so in a lull in the one that stands for it, and
has the same place in another plan.

Where no message is under way, an exploration has an end, and the run goes on in fairness: timers run out, those first
that are due first, and what is sent arrives before the next does, in the order sent, until nothing is armed.  If the
faults before are ones that the protocol survives, this settles what comes to be in the end.

That a linear order is that of time needs no exploration: what is answered as accepted has been carried out (answer), on
a core that has carried out all places up to it (order), none of them what nobody has submitted yet (validity); so that
is behind it there, and everywhere (agreement).

May not know: what a protocol does in a turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

from multikernel.checking.explore import Explorer
from multikernel.checking.machine import Own
from multikernel.checking.peers import SUBMIT, Entry, LocalPeer, PeerModel
from multikernel.checking.plans import FALLS, MISHAPS, TIMEOUT, End, Fault, Move, Plan, Report, State
from multikernel.errors import UsageError
from multikernel.spec import ConsistencyProtocolSpec

GROUP_FAULTS = (*FALLS, *MISHAPS)
FAIR = 1000
"""Timers that run out in fairness until what is still armed counts as armed for ever."""


class Outcome(NamedTuple):
    """How a fair run ends: the local states, what is wrong on the way, and whether it comes to rest."""

    locals: tuple[LocalPeer, ...]
    problem: tuple[str, str] | None
    rests: bool


def check_group(
    spec: ConsistencyProtocolSpec,
    cores: int = 3,
    submitters: Sequence[int] = (0,),
    faults: Sequence[str] = (),
    timeouts: int = 0,
    lulls: int = 0,
    clients: int = 0,
    reconfigure: bool = False,
    budget_s: float = 60.0,
    reduced: bool = True,
) -> Report[PeerModel]:
    """Explore until a property is violated, all is explored, or `budget_s` seconds are over.  `submitters` has a core
    for each operation; with `reconfigure` the last is that the first client become a member, or, if there are none,
    that the last member no longer be one.  A fault named twice may happen twice.  Raises UsageError for sizes that
    cannot be explored, or an unknown fault."""
    if unknown := [fault for fault in faults if fault not in GROUP_FAULTS]:
        raise UsageError(f"there is no fault {unknown[0]!r}; there are: {', '.join(GROUP_FAULTS)}", code="unknown-name")
    count = cores + clients
    if cores < 1 or clients < 0 or count > 8 or not submitters or min(timeouts, lulls) < 0:
        raise UsageError(
            f"{cores} cores, {clients} clients, {len(submitters)} operations, {timeouts} timeouts, {lulls} "
            "lulls: what can be explored is 1 to 8 cores in all, 1 operation or more, of the others 0 or more"
        )
    if wrong := [core for core in submitters if not 0 <= core < count]:
        raise UsageError(f"there is no core {wrong[0]} to submit; there are: 0 to {count - 1}", code="unknown-name")
    model = PeerModel(spec, cores, submitters, clients, reconfigure)
    return GroupExplorer(model, reduced, timeouts, lulls).run(tuple(faults), budget_s)


class GroupExplorer(Explorer[PeerModel]):
    """See the module."""

    learns = True

    def __init__(self, model: PeerModel, reduced: bool = True, timeouts: int = 0, lulls: int = 0) -> None:
        super().__init__(model, reduced)
        self._timeouts, self._lulls = timeouts, lulls
        self._judged: dict[tuple[int, ...], tuple[str, str] | None] = {}
        self._outcomes: dict[tuple[int, ...], Outcome] = {}
        self._submits = [core for core in range(model.cores) if model.of_core[core]]

    def starts(self, kinds: Sequence[str]) -> Iterable[State]:
        places = combinations_with_replacement(range(self.model.cores), self._timeouts)
        timers = [[Fault(TIMEOUT, core) for core in chosen] for chosen in places]
        for state in super().starts(kinds):
            pending = self.plans[state[0]].pending
            yield from (self.start([*pending, *timer], self._lulls) for timer in timers)

    def events(self, state: State, plan: Plan, core: int) -> Sequence[Own]:
        timed = bool(plan.pending) and Fault(TIMEOUT, core) in plan.pending
        timed = timed or (plan.lulls > 0 and self.lull(state, plan))
        return self.model.own(core, state[core + 1], timed)

    def able(self, state: State, plan: Plan) -> tuple[int, int]:
        model = self.model
        will = may = 0
        for core in range(model.cores):
            if plan.dead >> core & 1:
                continue
            if model.own(core, state[core + 1], False):
                will |= 1 << core
            elif (plan.pending or plan.lulls) and self.events(state, plan, core):
                may |= 1 << core
        return will, may

    # Judging

    def problem(self, move: Move) -> tuple[str, str] | None:
        if move.turn is None:
            return None
        if move.turn.problem is not None or not move.turn.notable:
            return move.turn.problem
        model = self.model
        locals_ = move.after[1 : model.cores + 1]
        key = tuple(model.telling(local) for local in locals_)
        if key not in self._judged:
            self._judged[key] = self._judge([model.locals[local] for local in locals_])
        return self._judged[key]

    def _judge(self, locals_: Sequence[LocalPeer]) -> tuple[str, str] | None:
        """What all cores have carried out and answered, against each other."""
        told = [(core, log) for core, now in enumerate(locals_) for log in (now.former, now.log) if log]
        problem = self._places(told) if self.model.linear else None
        return problem or self._names(told) or self._answers(told, locals_)

    def _places(self, told: Sequence[tuple[int, tuple[Entry, ...]]]) -> tuple[str, str] | None:
        longest = max(told, key=lambda each: len(each[1]), default=(0, ()))
        for core, log in told:
            for place, (one, other) in enumerate(zip(log, longest[1], strict=False), 1):
                if one != other:
                    does = f"core {longest[0]} carries out {_name(other)} at place {place}, core {core} {_name(one)}"
                    return "agreement", does
        return None

    def _names(self, told: Sequence[tuple[int, tuple[Entry, ...]]]) -> tuple[str, str] | None:
        """What is named alike is alike, and what is alike is named alike."""
        value_of: dict[tuple[int, int], Entry] = {}
        name_of: dict[int, Entry] = {}
        for core, log in told:
            for entry in log:
                for first in (value_of.setdefault(entry[:2], entry), name_of.setdefault(entry[2], entry)):
                    if first != entry:
                        return "agreement", f"core {core} carries out {_name(entry)}, another core {_name(first)}"
        return None

    def _answers(
        self, told: Sequence[tuple[int, tuple[Entry, ...]]], locals_: Sequence[LocalPeer]
    ) -> tuple[str, str] | None:
        """What an answer says is so on every core."""
        for now in locals_:
            for index, result in now.answered:
                value = self.model.operations[index - 1].value
                for core, log in told:
                    values = [entry[2] for entry in log]
                    if result < 0 and value and value in values:
                        return "answer", f"{value} is refused, and core {core} carries it out"
                    if not self.model.linear or not value or result < 0:
                        continue
                    place = values.index(value) + 1 if value in values else 0
                    if place != result and (place or len(values) >= result):
                        where = f"at {place}" if place else "not there"
                        return "answer", f"{value} is answered with place {result}; core {core} has it {where}"
        return None

    def lull(self, state: State, plan: Plan) -> bool:
        model = self.model
        if any(state[model.cores + 1 :]):
            return False
        lives = [core for core in self._submits if not plan.dead >> core & 1]
        return not any(model.own(core, state[core + 1], False) for core in lives)

    def quiet(self, state: State, moves: Sequence[Move]) -> bool:
        return self.lull(state, self.plans[state[0]])

    def stuck(self, state: State) -> tuple[str, str] | None:
        """The first thing that is wrong in the end, run on in fairness."""
        if not self.quiet(state, ()):
            return None
        plan, model = self.plans[state[0]], self.model
        outcome = self._outcome(state)
        if outcome.problem is not None:
            return outcome.problem[0], f"{outcome.problem[1]}, after a fair run from here"
        if not self._survives(plan):
            return None
        lives = [core for core in range(model.cores) if not plan.dead >> core & 1]
        for core in lives:
            now = outcome.locals[core]
            waits = [model.operations[index - 1].value for _, index in now.open]
            if waits:
                what = waits[0] or "the change of members"
                return "progress", f"core {core} is never answered to {what}, in a fair run from here"
            if not outcome.rests and now.armed:
                return (
                    "progress",
                    f"core {core} still arms {model.timer(now.armed[0][0])} after a long fair run from here",
                )
        if not model.linear:
            return self._differ(outcome, lives)
        return self._lost(outcome, lives) or (None if plan.happened else self._lacks(outcome))

    def _survives(self, plan: Plan) -> bool:
        """Whether the protocol says that it survives the faults before, with the members before a change and after."""
        spec, model = self.model.spec, self.model
        if any(fault.kind not in spec.withstands for fault in plan.happened):
            return False
        for members in model.memberships:
            gone = sum(Fault(fall, core) in plan.happened for core in members for fall in FALLS)
            most = {"none": 0, "minority": (len(members) - 1) // 2, "any": len(members)}[spec.survives]
            if gone > most:
                return False
        return True

    def _lost(self, outcome: Outcome, lives: Sequence[int]) -> tuple[str, str] | None:
        model = self.model
        longest = max((outcome.locals[core].log for core in lives), key=len, default=())
        for core, now in enumerate(outcome.locals):
            for index, result in now.answered:
                value = model.operations[index - 1].value
                if lives and value and result >= 0 and all(entry[2] != value for entry in longest):
                    return "durability", f"core {core} was answered to {value}, which no core has in the end"
        return None

    def _lacks(self, outcome: Outcome) -> tuple[str, str] | None:
        model = self.model
        longest = max((now.log for now in outcome.locals), key=len)
        for core in range(model.members):
            if core not in model.moving and outcome.locals[core].log != longest:
                return "convergence", f"in the end core {core} lacks {_name(longest[len(outcome.locals[core].log)])}"
        return None

    def _differ(self, outcome: Outcome, lives: Sequence[int]) -> tuple[str, str] | None:
        """Of an eventual order the newest of each origin is what a core holds."""
        held = {core: {entry[0]: entry for entry in outcome.locals[core].log} for core in lives}
        for core in lives[1:]:
            one, other = held[lives[0]], held[core]
            for origin in sorted({*one, *other}):
                if one.get(origin) != other.get(origin):
                    told = [
                        _name(e) if e else f"nothing of core {origin}" for e in (one.get(origin), other.get(origin))
                    ]
                    return "convergence", f"in the end core {lives[0]} holds {told[0]}, core {core} {told[1]}"
        return None

    def end(self, state: State) -> End:
        plan, model = self.plans[state[0]], self.model
        outcome = self._outcome(state)
        waits = []
        for core, now in enumerate(outcome.locals):
            if not plan.dead >> core & 1 and now.open:
                peer = model.peer(core, now.life)
                peer.thaw(now.kept)
                waits.append(peer.role())
        before = [self._befallen(fault, outcome.locals) for fault in plan.happened]
        return tuple(before), tuple(dict.fromkeys(sorted(waits)))

    def _befallen(self, fault: Fault, locals_: Sequence[LocalPeer]) -> str:
        if fault.kind in FALLS:
            return f"{fault.kind} of {locals_[fault.place].fate}"
        source, target = map(self.model.role, self.model.channels[fault.place])
        return f"{fault.kind} {source} to {target}"

    # Fairness

    def _outcome(self, state: State) -> Outcome:
        plan = self.plans[state[0]]
        locals_ = state[1 : self.model.cores + 1]
        key = plan.dead, *locals_
        known = self._outcomes.get(key)
        if known is None:
            known = self._outcomes[key] = self._run_on(list(locals_), plan)
        return known

    def _run_on(self, locals_: list[int], plan: Plan) -> Outcome:
        """See the module.  From a state in which no message is under way."""
        model = self.model
        lives = [core for core in range(model.cores) if not plan.dead >> core & 1]
        due = {(core, timer): ticks for core in lives for timer, ticks in model.locals[locals_[core]].armed}
        under_way: deque[tuple[int, int]] = deque()
        problem: tuple[str, str] | None = None
        now = left = 0
        while problem is None and left < FAIR:
            if under_way:
                channel, event = under_way.popleft()
                core = self._to[channel]
                if plan.dead >> core & 1:
                    continue
            elif submits := [c for c in self._submits if c in lives and model.own(c, locals_[c], False)]:
                core, event = submits[0], SUBMIT
            elif due:
                core, timer = min(due, key=lambda each: due[each])
                now, event = due.pop((core, timer)), -2 - timer
                left += 1
            else:
                break
            turn = model.turns(core, locals_[core], event)[0]
            locals_[core] = turn.local
            under_way += turn.sends
            for timer, ticks in turn.arms:
                due.pop((core, timer), None)
                if ticks:
                    due[core, timer] = now + ticks
            problem = turn.problem
            if problem is None and turn.notable:
                problem = self._judge([model.locals[number] for number in locals_])
        return Outcome(tuple(model.locals[number] for number in locals_), problem, not due and not under_way)


def _name(entry: Entry) -> str:
    origin, request, value = entry
    return f"{value} (request {request} of {origin})"
