"""Whether a history is linearizable: as if each call happened at one moment between its begin and its end.

    verdict = linearizable(history, Store())
    verdict.outcome     "linearizable", "violated" or "undecided" (more than `budget` configurations)
    verdict.witness     linearizable: the calls that happened, in an order that explains every result
    verdict.prefix      violated: the shortest prefix that nothing explains, with its last end; of one part alone

A history is calls, in any order.  Each has the process that made it, an operation with its arguments, when it began and
ended, in any unit, and its result.  A call whose `end` is None was never answered: it happened at any moment after its
begin, or never, and its result is not looked at.  A result of None, too, is not looked at.  A call precedes another if
it ended before that began; at the same moment they overlap.

The search is that of Wing and Gong (JPDC 17, 1993) with Lowe's memory of configurations (CCPE 29(4), 2017): which calls
are placed and the state they lead to; one that was tried is not tried again.  A history is linearizable if each part
of it is that concerns one object, as a key of a store is (Herlihy and Wing, TOPLAS 12(3), 1990).

May not know: who records histories.
"""

from __future__ import annotations

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


class Log:
    """Values in order.  `append(value)` gives the value's place, from 1; `read(place)` the value there, 0 if there is
    none; `length()` how many there are."""

    operations: ClassVar[Mapping[str, int]] = {"append": 1, "read": 1, "length": 0}

    def part(self, call: Call) -> Hashable:
        return 0

    def start(self) -> Hashable:
        return ()

    def apply(self, state: Hashable, operation: str, argument: tuple[int, ...]) -> tuple[Hashable, int]:
        values = state if isinstance(state, tuple) else ()
        if operation == "append":
            return (*values, argument[0]), len(values) + 1
        if operation == "length":
            return values, len(values)
        place = argument[0]
        return values, values[place - 1] if 0 < place <= len(values) else 0


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


class Verdict(NamedTuple):
    """See the module."""

    outcome: Literal["linearizable", "violated", "undecided"]
    witness: tuple[Call, ...] = ()
    prefix: tuple[Call, ...] = ()


def linearizable(history: History, model: SequentialModel, budget: int = 1_000_000) -> Verdict:
    """See the module.  `budget` is configurations in all.  Raises UsageError for an operation the model does not have,
    a number of arguments it does not take, or a call that ends before it begins."""
    parts: dict[Hashable, list[Call]] = {}
    for call in history:
        if model.operations.get(call.operation) != len(call.argument):
            there = ", ".join(f"{name} ({count} arguments)" for name, count in model.operations.items())
            raise UsageError(f"there is no operation {call.operation}{call.argument}; there are: {there}")
        if call.end is not None and call.end < call.begin:
            raise UsageError(f"{call} ends before it begins")
        parts.setdefault(model.part(call), []).append(call)
    placed: list[tuple[int, Call]] = []
    for calls in parts.values():
        calls.sort(key=lambda call: (call.begin, call.process))
        order, budget = _search(calls, model, budget)
        if order is None:
            return Verdict("undecided") if budget <= 0 else _shortest(calls, model, budget)
        moment = calls[0].begin
        for call in order:
            moment = max(moment, call.begin)
            placed.append((moment, call))
    return Verdict("linearizable", tuple(call for _, call in sorted(placed, key=lambda each: each[0])))


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


def _search(calls: Sequence[Call], model: SequentialModel, budget: int) -> tuple[list[Call] | None, int]:
    """An order that explains what ended of one part, sorted by begin, or None; and what is left of the budget: nothing
    when it was over before.

    A call may come next if no call that is not placed ended before it began: those are the ones before the first end
    of a call that is not placed."""
    ended = sum(1 << index for index, call in enumerate(calls) if call.end is not None)
    ends = sorted((call.end, index) for index, call in enumerate(calls) if call.end is not None)
    tried: set[tuple[int, Hashable]] = set()
    order: list[int] = []
    # Calls placed, their state, the next to try; of calls and of `ends`, before which ones all are placed.
    open_: list[tuple[int, Hashable, int, int, int]] = [(0, model.start(), 0, 0, 0)]
    while open_:
        placed, state, index, least, first = open_.pop()
        if not ended & ~placed:
            return [calls[place] for place in order], budget
        while placed >> ends[first][1] & 1:
            first += 1
        while placed >> least & 1:
            least += 1
        index = max(index, least)
        until = ends[first][0]
        while index < len(calls) and calls[index].begin <= until:
            call = calls[index]
            index += 1
            if placed >> index - 1 & 1:
                continue
            after, result = model.apply(state, call.operation, call.argument)
            if call.end is not None and call.result is not None and call.result != result:
                continue
            configuration = placed | 1 << index - 1, after
            if configuration in tried:
                continue
            budget -= 1
            if budget <= 0:
                return None, 0
            tried.add(configuration)
            open_ += [(placed, state, index, least, first), (*configuration, least, least, first)]
            order.append(index - 1)
            break
        else:
            if order:
                order.pop()
    return None, budget
