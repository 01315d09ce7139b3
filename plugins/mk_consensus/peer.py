"""Consensus: a majority of the members agrees on one log (Raft: Ongaro & Ousterhout, USENIX ATC 2014; Ongaro's
dissertation, 2014), with nothing stored.

The numbered steps are in `client.py` (1 to 3, 15), `replication.py` (4 to 9, 14), `outcomes.py` (10 to 13),
`election.py` (16 to 19) and `membership.py` (20 to 23); here events come in and timers are armed.

What is other than in the papers:

- Nothing is stored.  A core that starts anew has forgotten its log and its votes, and so is nobody who ever promised
  anything: another member, by its incarnation, which joins while the former is removed.
- The first member leads term 1 without an election.  Nobody sends anything before something is asked for, and no
  timer is armed by who waits for nothing; so there are no heartbeats.
- Timeouts are not random (`election.py`).

What holds: at a place all peers carry out the same; what is answered is in the logs of a majority; nothing is carried
out twice.  It goes on as long as a majority of the members lives and can be reached.  A member that starts anew is lost
to the majority until it has been added again.

The log is kept whole.

May not know: monitors, channels, what is agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mk_consensus import client, election, membership, outcomes, replication
from mk_consensus.entries import ADD, REMOVE, VALUE, Members, core_of, identity
from mk_consensus.state import (
    APPEND,
    APPENDED,
    ASK,
    BOUND,
    DENIED,
    DONE,
    ELECTION,
    INVITE,
    JOIN,
    LEADER,
    PATIENCE,
    PROBE,
    REDIRECT,
    REJECTED,
    RESEND,
    SUBMIT,
    VOTE,
    Follower,
    State,
)
from multikernel.errors import PeerError
from multikernel.system.group import (
    ROOM,
    Arm,
    Elapsed,
    Executed,
    GroupEffect,
    GroupEvent,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
)

WAIT, AGAIN = 16, 4
"""Ticks until what is asked for is asked for again, and until what was not acknowledged is sent again, at first."""
DOUBLINGS = 7
"""So often both double."""
Handler = Callable[[State, list[GroupEffect], int, tuple[int, ...]], None]


class Consensus:
    """See the module, and `multikernel.system.group.GroupProtocol`."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        founders = tuple(members)
        who = tuple(identity(member, 0) for member in founders)
        peer = ConsensusPeer(core, incarnation, founders, configs=[Members(0, who)], contacts=founders)
        first = founders[0]
        if core != first:
            peer.leader = first
        elif not incarnation:
            peer.leader, peer.standing = core, LEADER
            peer.followers = {core_of(member): Follower(member, 1, probing=False) for member in who[1:]}
        if peer.member:
            peer.voted = who[0]
        peer.joining = incarnation > 0 and core in founders
        return peer


def _hear_entries(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """What came of it for who asks, and for who would join."""
    found = replication.hear_entries(state, out, source, numbers)
    if state.incarnation and not any(state.me in members.who for members in state.configs):
        state.joining, state.tries = True, 0
    if found:
        client.resubmit(state, out)


def _told(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    outcomes.told(state, out, numbers)


PHASES: dict[int, tuple[int, int, Handler]] = {
    SUBMIT: (5, ROOM, client.hear_submit),
    REDIRECT: (2, ROOM, client.hear_redirect),
    APPEND: (4, ROOM, _hear_entries),
    APPENDED: (3, 3, replication.hear_appended),
    REJECTED: (4, 4, replication.hear_rejected),
    ASK: (4, 4, election.hear_ask),
    VOTE: (4, 4, election.hear_vote),
    PROBE: (2, 2, replication.hear_probe),
    DONE: (3, 3, _told),
    DENIED: (2, 2, _told),
    JOIN: (1, 1, membership.hear_join),
    INVITE: (1, 1, membership.hear_invite),
}
"""Of each phase: how many numbers a message has, at least and at most, and what it is for."""
TERMED = (REDIRECT, APPEND, APPENDED, REJECTED, ASK, VOTE, PROBE, INVITE)
"""The phases whose first number is the sender's term."""


@dataclass
class ConsensusPeer(State):
    """See the module."""

    def starts(self) -> Sequence[Arm]:
        return (Arm(PATIENCE, 1),) if self.joining else ()

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        out: list[GroupEffect] = []
        match event:
            case Submitted(request, value):
                client.submit(self, out, request, VALUE, value)
            case Reconfigured(request, core, present):
                client.submit(self, out, request, ADD if present else REMOVE, core)
            case Executed(place, result):
                outcomes.executed(self, out, place, result)
            case Elapsed(timer):
                self._elapsed(out, timer)
            case Heard(source, phase, numbers):
                self._heard(out, source, phase, numbers)
        membership.proceed(self, out)
        self._arm(out)
        return out

    def _heard(self, out: list[GroupEffect], source: int, phase: int, numbers: tuple[int, ...]) -> None:
        least, most, handler = PHASES.get(phase, (1, 0, _told))
        if not least <= len(numbers) <= most:
            raise PeerError(
                f"core {source} sent phase {phase} with {len(numbers)} numbers: consensus has no such message"
            )
        if phase in TERMED and numbers[0] > self.term:
            waits = self.standing == LEADER and self.commit < self.last
            self.follow(numbers[0])
            if waits:
                self.hope()
        handler(self, out, source, numbers)

    def _elapsed(self, out: list[GroupEffect], timer: int) -> None:
        if timer == PATIENCE:
            self.patient = False
            client.elapsed(self, out)
        elif timer == ELECTION:
            self.watchful = False
            if self.member and self.standing != LEADER:
                election.elapsed(self, out)
        elif timer == RESEND:
            self.resending = False
            if self.standing == LEADER:
                replication.resend(self, out)
                membership.invite(self, out)

    def _arm(self, out: list[GroupEffect]) -> None:
        """After every event: a timer is armed if there is something to wait for."""
        asks = bool(self.pending) or (self.joining and self.tries < BOUND)
        if asks != self.patient:
            if asks and self.joining and not self.tries:
                client.join(self, out)
            out.append(Arm(PATIENCE, WAIT << min(self.tries, DOUBLINGS) if asks else 0))
            self.patient = asks

        waits = self.attempts > 0 and self.standing != LEADER and self.member
        if waits != self.watchful:
            out.append(Arm(ELECTION, election.patience(self) if waits else 0))
            self.watchful = waits

        behind = replication.behind(self) if self.standing == LEADER else []
        again = bool(behind) or self.invited > 0
        if again != self.resending:
            if again:
                replication.revive(self, out, last_chance=True)
            out.append(Arm(RESEND, AGAIN << min(min(behind, default=0), DOUBLINGS) if again else 0))
            self.resending = again
