"""Mergeable state, spread by gossip: a state-based CRDT (Shapiro, Preguica, Baquero and Zawirski, Conflict-free
Replicated Data Types, SSS 2011), a register for each core that it alone writes.  Merging takes the newest version of
each register, so that it does not matter in which order, or how often, they come.

    1  a core       gives its register a newer version and carries it out
    2               answers: it asks nobody, so nobody's death blocks it
    3               tells its neighbours (NEWS), several registers in a message; within a round of having done so it
                    gathers, and tells what has become newer meanwhile when the round is over
    4  a neighbour  carries out what is newer than what it has
    5               says that it has heard (HEARD)
    6               tells its other neighbours
    7  a core       is told that a neighbour has heard, and tells it what has become newer meanwhile, the newest alone
    8               is not: it tells it again, waiting twice as long each time; after LAST ticks it leaves it alone
    9  restarted    asks its neighbours for what they have (ASK), until each has answered
    10 a neighbour  tells it everything

A core's neighbours are those 1, 2, 8, 32, ... places before and behind it among the members: so few that telling them
is cheap, so many that what one tells reaches all in a number of hops that is the logarithm of theirs, and goes around
those that are dead.  One message is under way to each; versions that nobody has waited for are never sent.  So what is
sent goes with the registers that became newer in a round, not with how often they did.

A version is the core's incarnation and, below it, the number of the request: who was restarted goes on above what any
other has seen of its life before.

Promises: what is answered is on its own core, and in the end, when channels deliver again, on all that live and were
told by somebody who lives.  Between, cores may differ, and a register goes from any version to any later one.  What a
core answered and had told nobody when it stopped is lost.

At rest nothing is armed.  A neighbour that was left alone is told once more with each news, without waiting for it,
and properly as soon as anything is heard of it: so two parts of a machine that were cut off from each other come
together with the first news after the cut, not before.

Invariant: whatever register a core has, each neighbour has as new a one, or is owed it, or it is in the message under
way to it.

May not know: what values mean, channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from multikernel.errors import PeerError
from multikernel.system.group import (
    ROOM,
    Answer,
    Arm,
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

NEWS, HEARD, ASK = 1, 2, 3
LIFE = 32
"""Bits of a version, and of a message's number, below the incarnation."""
FIRST, LAST = 4, 512
"""Ticks until a message is sent again: some twenty messages' time at first; after 100 ms in all it is left alone."""
GATHER = 4
"""Ticks of a round: some hundred messages of a core, so that registers share each; a core at rest does not wait."""
TIMERS = 13
"""Neighbours of a core of 4096."""
ROUND = TIMERS + 1
"""The timer of rounds; those below are the neighbours'."""
REST, GATHERING, NEWER = range(3)
"""No round is under way; one is; one is, and some register has become newer in it."""


class Register(NamedTuple):
    """What a core last told of itself."""

    version: int
    value: int


class Link(NamedTuple):
    """To a neighbour.  `serial` numbers the message under way, of `phase` and `numbers`: none if these are empty.
    `wait` ticks until it is sent again, 0: it is left alone.  `owed` are the registers that it is to be told next; the
    first `due` of them one message after another, the others when a round is over."""

    serial: int
    phase: int = NEWS
    numbers: tuple[int, ...] = ()
    wait: int = FIRST
    owed: tuple[int, ...] = ()
    due: int = 0


class Eventual:
    """See the module, and `multikernel.system.group.GroupProtocol`."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        near = _near(core, members)
        link = Link(incarnation << LIFE)
        if incarnation:
            serial = link.serial + 1
            link = Link(serial, ASK, (serial,), FIRST // 2)
        return GossipPeer(core, near, incarnation, dict.fromkeys(near, link))


@dataclass
class GossipPeer(Peer):
    """See the module.  `near` are the neighbours: the timer of each is its place there, from 1.  `mine` has the request
    at a place here that is answered when it is carried out.  `round` is REST, GATHERING or NEWER."""

    near: tuple[int, ...]
    incarnation: int
    links: dict[int, Link]
    registers: dict[int, Register] = field(default_factory=dict)
    last: int = 0
    mine: dict[int, int] = field(default_factory=dict)
    round: int = REST

    def neighbours(self) -> Sequence[int]:
        return self.near

    def starts(self) -> Sequence[Arm]:
        return [Arm(timer, 1) for timer, _ in enumerate(self.near, 1)] if self.incarnation else []

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(request, value):
                self.mine[self.last + 1] = request
                version = self.incarnation << LIFE | request
                return [self._newer(self.core, Register(version, value)), *self._spread((self.core,))]
            case Reconfigured(request):
                return [Answer(request, 0, False)]
            case Executed(place, result):
                return [Answer(self.mine.pop(place), result)] if place in self.mine else []
            case Elapsed(timer) if timer == ROUND:
                return self._round()
            case Elapsed(timer):
                return self._again(self.near[timer - 1])
            case Heard(source, phase, (serial, *numbers)) if source in self.links:
                return [*self._hear(source, phase, serial, numbers), *self._back(source)]
        raise PeerError(f"core {self.core} takes no such message: {event}")

    def _hear(self, source: int, phase: int, serial: int, numbers: Sequence[int]) -> list[GroupEffect]:
        if phase == NEWS and numbers and len(numbers) % 3 == 0:
            return self._news(source, serial, numbers)
        if phase == ASK and not numbers:  # 10
            self._owe(source, sorted(self.registers))
            return [Tell(source, HEARD, (serial,)), *self._begun(self._next(source))]
        if phase == HEARD and not numbers:
            return self._heard(source, serial)
        raise PeerError(f"core {source} sent {numbers} in phase {phase}, which no peer says")

    def _news(self, source: int, serial: int, numbers: Sequence[int]) -> list[GroupEffect]:
        """Steps 4 to 6."""
        executes: list[GroupEffect] = []
        newer: list[int] = []
        known: list[int] = []
        for at in range(0, len(numbers), 3):
            origin, register = numbers[at], Register(numbers[at + 1], numbers[at + 2])
            have = self._version(origin)
            if register.version >= have:
                known.append(origin)
            if register.version > have:
                newer.append(origin)
                executes.append(self._newer(origin, register))
        link = self.links[source]
        owed = tuple(origin for origin in link.owed if origin not in known)
        due = sum(origin not in known for origin in link.owed[: link.due])
        self.links[source] = link._replace(owed=owed, due=due)
        return [*executes, Tell(source, HEARD, (serial,)), *self._spread(newer, source)]

    def _heard(self, source: int, serial: int) -> list[GroupEffect]:
        """Step 7."""
        link = self.links[source]
        if not link.numbers or serial != link.serial:
            return []
        self.links[source] = link._replace(numbers=(), wait=FIRST)
        return self._begun(self._next(source)) or [Arm(self._timer(source), 0)]

    def _again(self, core: int) -> list[GroupEffect]:
        """Steps 8 and 9."""
        link = self.links[core]
        if not link.numbers or not link.wait:
            return []
        wait = 2 * link.wait if link.wait < LAST else 0
        self.links[core] = link._replace(wait=wait)
        return [Tell(core, link.phase, link.numbers), Arm(self._timer(core), wait)] if wait else []

    def _back(self, core: int) -> list[GroupEffect]:
        """A neighbour that was left alone speaks."""
        link = self.links[core]
        if not link.numbers or link.wait:
            return []
        self.links[core] = link._replace(wait=FIRST)
        return [Tell(core, link.phase, link.numbers), Arm(self._timer(core), FIRST)]

    def _newer(self, origin: int, register: Register) -> Execute:
        self.registers[origin] = register
        self.last += 1
        return Execute(self.last, origin, register.version, register.value)

    def _version(self, origin: int) -> int:
        register = self.registers.get(origin)
        return register.version if register is not None else 0

    def _spread(self, origins: Sequence[int], source: int = -1) -> list[GroupEffect]:
        """Steps 3 and 6: registers that are newer, to all neighbours but the one who told."""
        if not origins:
            return []
        effects: list[GroupEffect] = []
        resting = self.round == REST
        for core in self.near:
            if core != source:
                self._owe(core, origins)
                effects += self._go(core) if resting else self._next(core)
        if not resting:
            self.round = NEWER
        return self._begun(effects)

    def _round(self) -> list[GroupEffect]:
        """What has been gathered."""
        newer, self.round = self.round == NEWER, REST
        return self._begun([e for core in self.near for e in (self._go(core) if newer else self._next(core))])

    def _begun(self, effects: list[GroupEffect]) -> list[GroupEffect]:
        """Something is sent, or nothing: with it a round begins, unless one is under way."""
        if not effects or self.round != REST:
            return effects
        self.round = GATHERING
        return [*effects, Arm(ROUND, GATHER)]

    def _next(self, core: int) -> list[GroupEffect]:
        """What is due, or owed where no round is under way, if no message is."""
        link = self.links[core]
        return self._go(core) if not link.numbers and (link.due or self.round == REST) else []

    def _owe(self, core: int, origins: Sequence[int]) -> None:
        link = self.links[core]
        self.links[core] = link._replace(owed=tuple(dict.fromkeys((*link.owed, *origins))))

    def _go(self, core: int) -> list[GroupEffect]:
        """What is owed, if nothing is under way; what is, once more, if the neighbour was left alone."""
        link = self.links[core]
        if link.numbers:
            if link.wait:
                self.links[core] = link._replace(due=len(link.owed))
                return []
            return [Tell(core, link.phase, link.numbers)]
        numbers, count = self._message(link)
        if not count:
            return []
        due = (link.due if self.round != REST else len(link.owed)) - count
        self.links[core] = Link(numbers[0], NEWS, numbers, FIRST, link.owed[count:], max(0, due))
        return [Tell(core, NEWS, numbers), Arm(self._timer(core), FIRST)]

    def _message(self, link: Link) -> tuple[tuple[int, ...], int]:
        """The next to a neighbour: as many registers of what it is owed as fit, and how many those are."""
        numbers = [link.serial + 1]
        room = ROOM - size(numbers)
        count = 0
        for origin in link.owed:
            entry = (origin, *self.registers[origin])
            room -= size(entry)
            if room < 0:
                break
            numbers += entry
            count += 1
        return tuple(numbers), count

    def _timer(self, core: int) -> int:
        return self.near.index(core) + 1


def _near(core: int, members: Sequence[int]) -> tuple[int, ...]:
    """Those 1, 2, 8, 32, ... places before and behind `core`, as far as half around; none for who is no member."""
    if core not in members:
        return ()
    place, count = members.index(core), len(members)
    steps = [1, *(1 << bit for bit in range(1, count.bit_length(), 2) if 1 << bit <= count // 2)]
    near = [members[(place + way * step) % count] for step in steps for way in (1, -1)]
    return tuple(other for other in dict.fromkeys(near) if other != core)
