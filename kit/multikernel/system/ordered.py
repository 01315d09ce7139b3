"""What protocols among equals have in common where one core, the first member, orders what all submit.

    class Mine(Ordered): orders, hear              fields of plain data, as of any Peer

    waiting ─► ASK to the first member ─► `orders` ─► ... ─► `carry_out` ─► Executed ─► Answer, or REPLY to a client

A core asks in the order of its submissions, at most WINDOW messages at a time; what is submitted meanwhile goes out
together.  The first member takes each request once, whatever is delivered twice.  A member answers its own requests
when its own replica has carried them out; a client, a core that is no member, is told by `replier` what came of it.

Who restarts has lost its replica, and nobody keeps what it would need: it takes no more part, and refuses what is
submitted there.  Members do not change.

Invariants: requests of one core are ordered in their order, each once; each is answered once, after it was carried out
on this core, or, for a client, on `replier`.  Channels deliver in order and lose nothing.

May not know: how an order is spread.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from multikernel.errors import PeerError
from multikernel.system.group import (
    ROOM,
    Answer,
    Elapsed,
    Execute,
    Executed,
    GroupEffect,
    GroupEvent,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
    Tell,
    size,
)

ASK, REPLY = 1, 2
"""Phases of every such protocol; its own begin at 3."""
WINDOW = 2
"""Messages that a core has under way: one is ordered while the next is on its way."""


class Owed(NamedTuple):
    """Who is to be answered for a place; `last` of what is answered together."""

    origin: int
    request: int
    last: bool


class Entry(NamedTuple):
    """What is at a place."""

    origin: int
    request: int
    value: int


def entries(numbers: Sequence[int]) -> list[Entry]:
    """Those that follow one another in a message."""
    return [Entry(*numbers[at : at + 3]) for at in range(0, len(numbers), 3)]


def fitting(place: int, following: Sequence[Entry]) -> tuple[int, ...]:
    """A message's numbers: `place` and, from there on, the entries that fit."""
    numbers: tuple[int, ...] = (place,)
    room = ROOM - size(numbers)
    for entry in following:
        room -= size(entry)
        if room < 0:
            break
        numbers += entry
    return numbers


@dataclass
class Ordered(Peer):
    """See the module.  `waiting` are requests not yet asked for, with their values; `asked` the last request of each
    message under way; `answered` the last that was.  Where it orders, `taken` is the last request taken from each core;
    `owed` and `replies` are what is answered from here as it is carried out."""

    members: tuple[int, ...]
    incarnation: int
    places: dict[int, int] = field(init=False)
    waiting: list[tuple[int, int]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    answered: int = 0
    taken: dict[int, int] = field(default_factory=dict)
    owed: dict[int, Owed] = field(default_factory=dict)
    replies: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {core: place for place, core in enumerate(self.members)}

    @property
    @abstractmethod
    def replier(self) -> int:
        """The member that tells clients."""

    @abstractmethod
    def orders(self, asked: Sequence[Entry]) -> Sequence[GroupEffect]:
        """On the first member: what somebody asks for, in this order."""

    @abstractmethod
    def hear(self, source: int, phase: int, numbers: tuple[int, ...]) -> Sequence[GroupEffect]:
        """A message of a phase from 3 on.  PeerError for one that no peer would send."""

    def elapsed(self, timer: int) -> Sequence[GroupEffect]:
        """A timer of the protocol's ran out; one that has timers says what then."""
        return []

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(request) | Reconfigured(request) if self.incarnation or isinstance(event, Reconfigured):
                return [Answer(request, 0, False)]
            case _ if self.incarnation:
                return []
            case Submitted(request, value):
                self.waiting.append((request, value))
                return self._ask()
            case Executed(place, result):
                return self._executed(place, result)
            case Elapsed(timer):
                return self.elapsed(timer)
            case Heard(source, 1, (request, *values)) if self.core == self.members[0]:
                return self._take(source, request, values)
            case Heard(source, 2, (request, *results)) if source == self.replier and self.core not in self.places:
                return self._replied(request, results)
            case Heard(source, phase, numbers) if phase > REPLY and self.core in self.places:
                return self.hear(source, phase, numbers)
        raise PeerError(f"core {self.core}, {self.role()}, takes no such message: {event}")

    def carry_out(self, place: int, following: Sequence[Entry]) -> list[GroupEffect]:
        """Effects that carry out what follows from `place` on; what is answered from here will be."""
        effects: list[GroupEffect] = []
        for number, entry in enumerate(following):
            origin, request, value = entry
            if origin == self.core or (self.core == self.replier and origin not in self.places):
                behind = following[number + 1][:2] if number + 1 < len(following) else ()
                self.owed[place + number] = Owed(origin, request, behind != (origin, request + 1))
            effects.append(Execute(place + number, origin, request, value))
        return effects

    def _ask(self) -> list[GroupEffect]:
        """What is to be asked for now."""
        effects: list[GroupEffect] = []
        while self.waiting and (len(self.asked) < WINDOW or self.core == self.members[0]):
            request, values = self._together()
            if self.core == self.members[0]:
                effects += self._take(self.core, request, values)
            else:
                self.asked.append(request + len(values) - 1)
                effects.append(Tell(self.members[0], ASK, (request, *values)))
        return effects

    def _together(self) -> tuple[int, list[int]]:
        """The first that wait, as many as follow one another and fit a message, waiting no more."""
        first = self.waiting[0][0]
        values: list[int] = []
        room = ROOM - size((first,))
        for number, (request, value) in enumerate(self.waiting):
            room -= size((value,))
            if request != first + number or room < 0:
                break
            values.append(value)
        del self.waiting[: len(values)]
        return first, values

    def _take(self, origin: int, request: int, values: Sequence[int]) -> Sequence[GroupEffect]:
        """`origin` asks; what it asked for before is taken already."""
        new = max(request, self.taken.get(origin, 0) + 1)
        values = values[new - request :]
        if not values:
            return []
        self.taken[origin] = new + len(values) - 1
        return self.orders([Entry(origin, new + number, value) for number, value in enumerate(values)])

    def _executed(self, place: int, result: int) -> list[GroupEffect]:
        owed = self.owed.pop(place, None)
        if owed is None:
            return []
        origin, request, last = owed
        if origin == self.core:
            return [Answer(request, result), *self._settled(request)]
        effects: list[GroupEffect] = []
        told = self.replies.pop(origin, (request,))
        if size((*told, result)) > ROOM:
            effects.append(Tell(origin, REPLY, told))
            told = (request,)
        if last:
            return [*effects, Tell(origin, REPLY, (*told, result))]
        self.replies[origin] = (*told, result)
        return effects

    def _replied(self, request: int, results: Sequence[int]) -> list[GroupEffect]:
        new = [(request + n, result) for n, result in enumerate(results) if request + n > self.answered]
        answers: list[GroupEffect] = [Answer(number, result) for number, result in new]
        return [*answers, *self._settled(new[-1][0])] if new else []

    def _settled(self, request: int) -> list[GroupEffect]:
        """All up to `request` are answered, so there is room for others."""
        self.answered = request
        while self.asked and self.asked[0] <= request:
            del self.asked[0]
        return self._ask()
