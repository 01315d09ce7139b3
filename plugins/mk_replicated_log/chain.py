"""Chain replication (van Renesse and Schneider, Chain Replication for Supporting High Throughput and Availability, OSDI
2004).  The members in their order are the chain; the first is the head, the last the tail:

    1   a core   asks the head for what was submitted to it
    2   head     gives it the next places and tells the next (UPDATE): what is there together goes together
    3   middle   keeps it, and passes it on
    4   tail     carries it out: every member has it now, it is stable
    5            tells the one before (STABLE)
    6   others   carry out what is stable, and forget that they kept it
    7            pass that on up the chain
    8   a member answers what was submitted to it, once it has carried it out
    9   tail     tells a client, a core that is no member, what came of it (REPLY)
    10  a client answers

As in the paper the tail's state is what counts, and an update is answered only when it is there.  Unlike there a member
carries an update out on the way up, not down, so that a replica never shows what another one behind it lacks.  What
members ask for costs one message to the head and two a link; each member but the ends sends two, however many
there are, which is what a chain is for.  The head has 2 messages a link under way, as many as fill the chain both
ways; what it is asked for meanwhile, by whomever, shares messages.

Linear: what is answered has a place, and the head gives places in the order in which it is asked; so what anybody
submits after an answer comes behind what was answered.  An answered update is on every member.

Blocking: when a member stops, nothing that it had not yet passed down becomes stable; what it had passed down does,
behind it, and is answered to clients and to the members behind it; those before it keep what they have and wait.
So after the head's stop nothing new is ordered; after the tail's stop, or that of one in the middle, it is ordered and
never answered.  A client's stop blocks nobody.  Nobody mends the chain.

Invariants: a member has taken `last` places and carried out `done`; it keeps those between, which on the tail are
none; who is before another has taken as many or more and carried out as many or fewer.

May not know: what values mean, channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from multikernel.errors import PeerError
from multikernel.system.group import GroupEffect, Peer, Tell
from multikernel.system.ordered import Entry, Ordered, entries, fitting

UPDATE, STABLE = 3, 4


class ReplicatedLog:
    """See the module, and `multikernel.system.group.GroupProtocol`."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        return ChainPeer(core, tuple(members), incarnation)


@dataclass
class ChainPeer(Ordered):
    """See the module.  `kept` are the entries from place `done` + 1 on.  The head has `sent` so many places, the last
    of each message under way is in `flight`."""

    last: int = 0
    done: int = 0
    kept: list[Entry] = field(default_factory=list)
    sent: int = 0
    flight: list[int] = field(default_factory=list)

    @property
    def replier(self) -> int:
        return self.members[-1]

    def role(self) -> str:
        if self.core not in self.places:
            return "client"
        if self.core == self.members[0]:
            return "head"
        return "tail" if self.core == self.members[-1] else "middle"

    def neighbours(self) -> Sequence[int]:
        if self.core not in self.places:
            return self.members[:1]
        place = self.places[self.core]
        near = (*self.members[max(0, place - 1) : place], *self.members[place + 1 : place + 2], self.members[0])
        return [core for core in dict.fromkeys(near) if core != self.core]

    def orders(self, asked: Sequence[Entry]) -> Sequence[GroupEffect]:
        """Step 2; a chain of one has its tail here, step 4."""
        self.last += len(asked)
        self.kept += asked
        return self._send() if len(self.members) > 1 else self._stable(self.last)

    def hear(self, source: int, phase: int, numbers: tuple[int, ...]) -> Sequence[GroupEffect]:
        place = self.places[self.core]
        before, behind = self.members[max(0, place - 1)], self.members[min(place + 1, len(self.members) - 1)]
        if phase == UPDATE and source == before != self.core and len(numbers) % 3 == 1:
            return self._update(numbers[0], entries(numbers[1:]))
        if phase == STABLE and source == behind != self.core and len(numbers) == 1 and numbers[0] <= self.last:
            return self._stable(numbers[0])
        raise PeerError(
            f"core {source} sent {numbers} in phase {phase}, which is not for core {self.core}, {self.role()}"
        )

    def _send(self) -> list[GroupEffect]:
        """What the head has not sent, as long as few are under way."""
        effects: list[GroupEffect] = []
        while self.sent < self.last and len(self.flight) < 2 * (len(self.members) - 1):
            numbers = fitting(self.sent + 1, self.kept[self.sent - self.done :])
            self.sent += len(numbers) // 3
            self.flight.append(self.sent)
            effects.append(Tell(self.members[1], UPDATE, numbers))
        return effects

    def _update(self, place: int, told: Sequence[Entry]) -> list[GroupEffect]:
        """Steps 3 to 5.  What is known already comes a second time."""
        if place > self.last + 1:
            raise PeerError(f"core {self.core} is told place {place} where {self.last + 1} is the next")
        new = told[self.last + 1 - place :]
        first, self.last = self.last + 1, self.last + len(new)
        self.kept += new
        if not new:
            return []
        if self.core == self.members[-1]:
            return self._stable(self.last)
        behind = self.members[self.places[self.core] + 1]
        return [Tell(behind, UPDATE, (first, *(number for entry in new for number in entry)))]

    def _stable(self, place: int) -> list[GroupEffect]:
        """Steps 4 to 7."""
        first, self.done = self.done + 1, max(self.done, place)
        stable = self.kept[: self.done + 1 - first]
        del self.kept[: len(stable)]
        while self.flight and self.flight[0] <= self.done:
            del self.flight[0]
        if not stable:
            return []
        executes = self.carry_out(first, stable)
        if self.core == self.members[0]:
            return [*self._send(), *executes]
        return [*executes, Tell(self.members[self.places[self.core] - 1], STABLE, (self.done,))]
