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
message to the sequencer and one to each member; several values of one core that are asked for together share them.

Linear: what is answered has a place, and the sequencer gives places in the order in which it is asked; so what anybody
submits after an answer comes behind what was answered.  A member answers only what its own replica has, so it reads
there what it wrote.

Blocking: when the sequencer stops, nothing is ordered any more.  What it had told one member and not another is carried
out there and not here, and stays so; each replica holds the beginning of the same order.  The stop of any other core
blocks nobody.  No other takes the sequencer's place.

Invariant: `last` places are given, here by the sequencer, elsewhere to what has come; the next is `last` + 1.

May not know: what values mean, channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multikernel.errors import PeerError
from multikernel.system.group import GroupEffect, Peer, Tell
from multikernel.system.ordered import Ordered

ORDER = 3


class OrderedBroadcast:
    """See the module, and `multikernel.system.group.GroupProtocol`."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        return BroadcastPeer(core, tuple(members), incarnation)


@dataclass
class BroadcastPeer(Ordered):
    """See the module."""

    last: int = 0

    @property
    def replier(self) -> int:
        return self.members[0]

    def role(self) -> str:
        if self.core == self.members[0]:
            return "sequencer"
        return "member" if self.core in self.places else "client"

    def neighbours(self) -> Sequence[int]:
        return self.members[1:] if self.core == self.members[0] else self.members[:1]

    def orders(self, origin: int, request: int, values: Sequence[int]) -> Sequence[GroupEffect]:
        """Steps 2 and 3."""
        first, self.last = self.last + 1, self.last + len(values)
        numbers = (first, origin, request, *values)  # fits: ASK_ROOM
        tells = [Tell(core, ORDER, numbers) for core in self.neighbours()]
        return [*tells, *self.carry_out(first, origin, request, values)]

    def hear(self, source: int, phase: int, numbers: tuple[int, ...]) -> Sequence[GroupEffect]:
        """Step 4."""
        if phase != ORDER or source != self.members[0] or source == self.core or len(numbers) < 3:
            raise PeerError(f"core {source} sent {numbers} in phase {phase}, which no sequencer says")
        place, origin, request, *values = numbers
        if place > self.last + 1:
            raise PeerError(f"core {source} gave place {place} where {self.last + 1} is the next")
        known = self.last + 1 - place  # of what comes a second time
        values = values[known:]
        self.last += len(values)
        return list(self.carry_out(place + known, origin, request + known, values))
