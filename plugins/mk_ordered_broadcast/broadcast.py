"""Totally ordered broadcast by a fixed sequencer (Kaashoek and Tanenbaum, Group Communication in the Amoeba Distributed
Operating System, ICDCS 1991), the variant in which a message goes to the sequencer first, point to point:

    1  a core      asks the sequencer, which is the first member, for what was submitted to it
    2  sequencer   gives it the next places and tells all other members (ORDER)
    3              carries it out
    4  a member    carries out what comes, place after place
    5              answers what was submitted to it, once it has carried it out
    6  sequencer   tells a client, a core that is no member, what came of it (REPLY)
    7  a client    answers

Nothing is acknowledged: channels lose nothing and keep order, so what the sequencer has numbered arrives everywhere.
That is what is left of the original's history buffer and negative acknowledgements.  What a member asks for costs one
message to the sequencer and one to each member; what one core asks for together shares them, and so does what comes,
from whomever, while the sequencer has sent as much in a tick as it can: SENT messages.  That is gathered until the
tick is over.

Linear: what is answered has a place, and the sequencer gives places in the order in which it is asked; so what anybody
submits after an answer comes behind what was answered.  A member answers only what its own replica has, so it reads
there what it wrote.

Blocking: when the sequencer stops, nothing is ordered any more.  What it had told one member and not another is carried
out there and not here, and stays so; each replica holds the beginning of the same order.  The stop of any other core
blocks nobody.  No other takes the sequencer's place.

Invariant: `last` places are given, here by the sequencer, elsewhere to what has come; the next is `last` + 1.  The
sequencer's timer is armed where it has sent something in this tick, and so where it has gathered something.

May not know: what values mean, channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from multikernel.errors import PeerError
from multikernel.system.group import Arm, GroupEffect, Peer, Tell
from multikernel.system.ordered import Entry, Ordered, entries, fitting

ORDER = 3
GATHER = 1
"""The timer."""
SENT = 128
"""Messages that a core of the simulator can about send in a tick."""


class OrderedBroadcast:
    """See the module, and `multikernel.system.group.GroupProtocol`."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        return BroadcastPeer(core, tuple(members), incarnation)


@dataclass
class BroadcastPeer(Ordered):
    """See the module."""

    last: int = 0
    gathered: list[Entry] = field(default_factory=list)
    orders_sent: int = 0

    @property
    def replier(self) -> int:
        return self.members[0]

    def role(self) -> str:
        if self.core == self.members[0]:
            return "sequencer"
        return "member" if self.core in self.places else "client"

    def neighbours(self) -> Sequence[int]:
        return self.members[1:] if self.core == self.members[0] else self.members[:1]

    def orders(self, asked: Sequence[Entry]) -> Sequence[GroupEffect]:
        self.gathered += asked
        return self._order()

    def elapsed(self, timer: int) -> Sequence[GroupEffect]:
        self.orders_sent = 0
        return self._order()

    def _order(self) -> list[GroupEffect]:
        """Steps 2 and 3, for as much as may be sent in this tick, which begins when the first of it is sent."""
        effects: list[GroupEffect] = []
        begins = not self.orders_sent
        most = max(1, SENT // len(self.members))
        while self.gathered and self.orders_sent < most:
            numbers = fitting(self.last + 1, self.gathered)
            given = entries(numbers[1:])
            del self.gathered[: len(given)]
            self.orders_sent += 1
            first, self.last = self.last + 1, self.last + len(given)
            effects += [Tell(core, ORDER, numbers) for core in self.neighbours()]
            effects += self.carry_out(first, given)
        return [*effects, Arm(GATHER, 1)] if begins and self.orders_sent else effects

    def hear(self, source: int, phase: int, numbers: tuple[int, ...]) -> Sequence[GroupEffect]:
        """Step 4."""
        if phase != ORDER or source != self.members[0] or source == self.core or len(numbers) % 3 != 1:
            raise PeerError(f"core {source} sent {numbers} in phase {phase}, which no sequencer says")
        place, new = numbers[0], entries(numbers[1:])
        if place > self.last + 1:
            raise PeerError(f"core {source} gave place {place} where {self.last + 1} is the next")
        known = self.last + 1 - place  # of what comes a second time
        new = new[known:]
        self.last += len(new)
        return self.carry_out(place + known, new)
