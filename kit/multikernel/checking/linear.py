"""Whether a history is linearizable: as if each call happened at one moment between its begin and its end.

    verdict = linearizable(history, Store())
    verdict.outcome     "linearizable", "violated" or "undecided" (more than `budget` configurations)
    verdict.witness     linearizable: the calls that happened, in an order that explains every result
    verdict.prefix      violated: the shortest prefix that nothing explains, with its last end; of one part alone

A history is calls, in any order.  Each has the process that made it, an operation with its arguments, when it began and
ended, in any unit, and its result.  A call whose `end` is None was never answered: it happened at any moment after its
begin, or never, and its result is not looked at.  A result of None, too, is not looked at.  A call precedes another if
it ended before that began; at the same moment they overlap.

A history is linearizable if each part of it is that concerns one object, as a key of a store is (Herlihy and Wing,
TOPLAS 12(3), 1990; Horn and Kroening, FORTE 2015).  An order that somebody knows is tried first: whether it explains a
part takes one look at each call.  Else the search is that of Wing and Gong (JPDC 17, 1993) with Lowe's memory of
configurations (CCPE 29(4), 2017), which calls are placed and the state they lead to, and what spares it branches:

    still       a call that changes nothing, where its result is right, is placed at once: anywhere later it would
                leave the state as it is too
    alike       of calls that ask the same and get the same, the one that ends first comes first: they can be swapped;
                one that was never answered comes after those that were
    unanswered  fewer of them are tried before more; a configuration with more of them, otherwise the same as one that
                was tried, leads nowhere that that one does not

May not know: who records histories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from multikernel.errors import UsageError


class Call(NamedTuple):
    """One call of a history; see the module."""

    process: int
    operation: str
    argument: tuple[int, ...]
    result: int | None
    begin: int
    end: int | None


History: TypeAlias = Sequence[Call]


class SequentialModel(Protocol):
    """What an object is when one call comes after another."""

    operations: ClassVar[Mapping[str, int]]
    """Its operations, and how many arguments each takes."""

    def part(self, call: Call) -> Hashable:
        """The object that a call concerns: calls on different ones do not touch each other."""

    def start(self) -> Hashable:
        """The state of such an object before all calls."""

    def apply(self, state: Hashable, operation: str, argument: tuple[int, ...]) -> tuple[Hashable, int]:
        """The state after an operation, and its result."""

    def still(self, call: Call) -> bool:
        """Whether the call changes nothing, in whatever state it has its result; one without, in whatever state."""


class Store:
    """Words by key, 0 at first.  Each operation's result is the word before: `read(key)`, `write(key, word)`,
    `cas(key, old, new)`, which writes `new` if `old` is there."""

    operations: ClassVar[Mapping[str, int]] = {"read": 1, "write": 2, "cas": 3}

    def part(self, call: Call) -> Hashable:
        return call.argument[0]

    def start(self) -> Hashable:
        return 0

    def apply(self, state: Hashable, operation: str, argument: tuple[int, ...]) -> tuple[Hashable, int]:
        word = state if isinstance(state, int) else 0
        if operation == "write" or (operation == "cas" and word == argument[1]):
            return argument[-1], word
        return word, word

    def still(self, call: Call) -> bool:
        if call.operation == "cas" and call.end is not None:
            return call.result not in (None, call.argument[1])
        return call.operation == "read"


class Reservation:
    """Resources, free at first.  `reserve(resource, owner)` gives 1 if it was free, and the owner has it, else 0;
    `release(resource, owner)` gives 1 if the owner had it, and it is free, else 0."""

    operations: ClassVar[Mapping[str, int]] = {"reserve": 2, "release": 2}

    def part(self, call: Call) -> Hashable:
        return call.argument[0]

    def start(self) -> Hashable:
        return None

    def apply(self, state: Hashable, operation: str, argument: tuple[int, ...]) -> tuple[Hashable, int]:
        owner = argument[1]
        if operation == "reserve":
            return (owner, 1) if state is None else (state, 0)
        return (None, 1) if state == owner else (state, 0)

    def still(self, call: Call) -> bool:
        return call.end is not None and call.result == 0


class Verdict(NamedTuple):
    """See the module."""

    outcome: Literal["linearizable", "violated", "undecided"]
    witness: tuple[Call, ...] = ()
    prefix: tuple[Call, ...] = ()


def linearizable(history: History, model: SequentialModel, budget: int = 1_000_000, likely: History = ()) -> Verdict:
    """See the module.  `budget` is configurations in all.  `likely` is an order to try first, of calls of the history.
    Raises UsageError for an operation the model does not have, a number of arguments it does not take, or a call that
    ends before it begins."""
    parts: dict[Hashable, list[Call]] = {}
    orders: dict[Hashable, list[Call]] = {}
    for call in history:
        if model.operations.get(call.operation) != len(call.argument):
            there = ", ".join(f"{name} ({count} arguments)" for name, count in model.operations.items())
            raise UsageError(f"there is no operation {call.operation}{call.argument}; there are: {there}")
        if call.end is not None and call.end < call.begin:
            raise UsageError(f"{call} ends before it begins")
        parts.setdefault(model.part(call), []).append(call)
    for call in likely:
        orders.setdefault(model.part(call), []).append(call)
    placed: list[tuple[int, Call]] = []
    for part, calls in parts.items():
        calls.sort(key=lambda call: (call.begin, call.process))
        order: list[Call] | None = orders.get(part, [])
        if not _explains(order or (), calls, model):
            order, budget = _search(calls, model, budget)
        if order is None:
            return Verdict("undecided") if budget <= 0 else _shortest(calls, model, budget)
        moment = calls[0].begin
        for call in order:
            moment = max(moment, call.begin)
            placed.append((moment, call))
    return Verdict("linearizable", tuple(call for _, call in sorted(placed, key=lambda each: each[0])))


def _explains(order: Sequence[Call], calls: Sequence[Call], model: SequentialModel) -> bool:
    """Whether that order of some of the calls of one part has all that ended, each in time and with its result."""
    there, wanted = Counter(order), Counter(call for call in calls if call.end is not None)
    if wanted - there or there - Counter(calls):
        return False
    state = model.start()
    for call in order:
        state, result = model.apply(state, call.operation, call.argument)
        if not _fits(call, result):
            return False
    first: int | None = None  # end of those that come later
    for call in reversed(order):
        if first is not None and first < call.begin:
            return False
        if call.end is not None:
            first = call.end if first is None else min(first, call.end)
    return True


def _fits(call: Call, result: int) -> bool:
    return call.end is None or call.result is None or call.result == result


def _shortest(calls: Sequence[Call], model: SequentialModel, budget: int) -> Verdict:
    """The shortest prefix that is not: who is not linearizable up to a moment is not up to a later one."""
    ends = sorted({call.end for call in calls if call.end is not None})
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        order, budget = _search(_until(calls, ends[middle]), model, budget)
        if order is not None:
            low = middle + 1
        elif budget <= 0:
            break
        else:
            high = middle
    return Verdict("violated", prefix=tuple(_until(calls, ends[high])))


def _until(calls: Sequence[Call], moment: int) -> list[Call]:
    """What had begun by then; what had not ended is under way."""
    return [
        call if call.end is not None and call.end <= moment else call._replace(end=None, result=None)
        for call in calls
        if call.begin <= moment
    ]


_Asked: TypeAlias = tuple[str, tuple[int, ...]]


class _Configuration(NamedTuple):
    """Calls placed, as bits: `done` of those that ended, `loose` of the others; the `state` they lead to; the `last`
    placed, with those before it.  Of the calls all before `least` are placed, of the ends all before `first`."""

    done: int
    loose: int
    state: Hashable
    last: _Placed | None
    least: int
    first: int


class _Placed(NamedTuple):
    """The call of that number, and what was placed before it."""

    call: int
    before: _Placed | None


class _Search:
    """The calls of one part, sorted by begin."""

    def __init__(self, calls: Sequence[Call], model: SequentialModel) -> None:
        self._model = model
        self.calls = [call for call in calls if call.end is not None or not model.still(call)]
        self._still = [model.still(call) for call in self.calls]
        self._ends = sorted((call.end, index) for index, call in enumerate(self.calls) if call.end is not None)
        self._ended = sum(1 << index for _, index in self._ends)

    def start(self) -> _Configuration:
        """Nothing is placed."""
        return _Configuration(0, 0, self._model.start(), None, 0, 0)

    def over(self, configuration: _Configuration) -> bool:
        """Whether all that ended is placed."""
        return configuration.done == self._ended

    def after(self, configuration: _Configuration) -> list[_Configuration]:
        """What the placing of one call more leads to; what ends first comes last.

        A call may come next if no call that is not placed ended before it began: those are the ones before the first
        end of a call that is not placed."""
        done, loose, state, last, least, first = configuration
        placed = done | loose
        while done >> self._ends[first][1] & 1:
            first += 1
        while placed >> least & 1:
            least += 1
        until, index = self._ends[first][0], least
        answered: dict[tuple[_Asked, int | None], tuple[int, int, _Configuration]] = {}
        unanswered: dict[_Asked, _Configuration] = {}
        while index < len(self.calls) and self.calls[index].begin <= until:
            call, bit = self.calls[index], 1 << index
            index += 1
            if placed & bit:
                continue
            after, result = self._model.apply(state, call.operation, call.argument)
            if not _fits(call, result):
                continue
            asked, link = (call.operation, call.argument), _Placed(index - 1, last)
            if call.end is None:
                unanswered.setdefault(asked, _Configuration(done, loose | bit, after, link, least, first))
                continue
            then = _Configuration(done | bit, loose, after, link, least, first)
            if self._still[index - 1]:
                return [then]
            known = answered.get((asked, call.result))
            if known is None or call.end < known[0]:
                answered[asked, call.result] = (call.end, index, then)
        for asked, _ in answered:
            unanswered.pop(asked, None)
        ordered = sorted(answered.values(), key=lambda each: each[:2], reverse=True)
        return [*reversed(unanswered.values()), *(then for _, _, then in ordered)]


def _search(calls: Sequence[Call], model: SequentialModel, budget: int) -> tuple[list[Call] | None, int]:
    """An order that explains what ended of one part, sorted by begin, or None; and what is left of the budget: nothing
    when it was over before."""
    search = _Search(calls, model)
    tried: dict[tuple[int, Hashable], list[int]] = {}
    level, more = [search.start()], list[_Configuration]()  # with as many unanswered calls; with one more
    while level:
        configuration = level.pop()
        others = tried.setdefault((configuration.done, configuration.state), [])
        if not any(other & ~configuration.loose == 0 for other in others):
            if search.over(configuration):
                return [search.calls[index] for index in _order(configuration.last)], budget
            budget -= 1
            if budget <= 0:
                return None, 0
            others.append(configuration.loose)
            for then in search.after(configuration):
                (level if then.loose == configuration.loose else more).append(then)
        if not level:
            level, more = more, []
    return None, budget


def _order(last: _Placed | None) -> list[int]:
    """The calls placed up to the last."""
    order: list[int] = []
    while last is not None:
        order.append(last.call)
        last = last.before
    return order[::-1]
