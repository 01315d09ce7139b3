"""What a peer of consensus knows, and what follows from it.

Invariants: the log's first `commit` entries never change; `names` and `configs` say of the log what they would say if
made from it anew; only a leader has followers.

May not know: what is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mk_consensus.entries import CHANGES, Entry, Members, changed, core_of, identity
from multikernel.errors import PeerError
from multikernel.system.group import Peer

SUBMIT, REDIRECT, APPEND, APPENDED, REJECTED, ASK, VOTE, PROBE, DONE, DENIED, JOIN, INVITE = range(1, 13)
PATIENCE, ELECTION, RESEND = 1, 2, 3
FOLLOWER, CANDIDATE, LEADER = range(3)
NOBODY = -1
BOUND = 8
"""How often in a row a leader sends to who is silent, a core asks to join, or a member asks for news or stands for
election, before it leaves that until it hears something new."""


class Follower(NamedTuple):
    """What a leader knows of one it sends its log to: `next` is the first entry not yet sent, `match` the last that is
    known to be there, `flight` how many messages are under way, `told` the commit it was last told.  While `probing`,
    one is under way at a time, until it is known where the logs agree.  `silent` times in a row it was sent to for
    nothing, and it has `moved` since the timer last ran out."""

    who: int
    next: int
    match: int = 0
    flight: int = 0
    told: int = 0
    probing: bool = True
    silent: int = 0
    moved: bool = False


class Change(NamedTuple):
    """A change of members that waits for its turn."""

    origin: int
    request: int
    kind: int
    core: int


@dataclass
class State(Peer):
    """See the module.  In four parts: a member's; a leader's; that of who asks; timers."""

    incarnation: int
    founders: tuple[int, ...]

    term: int = 1
    leader: int = NOBODY
    voted: int = NOBODY
    standing: int = FOLLOWER
    votes: tuple[int, ...] = ()
    log: list[Entry] = field(default_factory=list)
    commit: int = 0
    configs: list[Members] = field(default_factory=list)
    names: dict[tuple[int, int], int] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)
    led: int = 1
    attempts: int = 0
    doubted: bool = False

    followers: dict[int, Follower] = field(default_factory=dict)
    queue: list[Change] = field(default_factory=list)
    wanted: dict[int, int] = field(default_factory=dict)
    invited: int = 0

    pending: dict[int, tuple[int, int]] = field(default_factory=dict)
    overdue: int = 0
    tries: int = 0
    contacts: tuple[int, ...] = ()
    joining: bool = False

    patient: bool = False
    watchful: bool = False
    resending: bool = False

    @property
    def me(self) -> int:
        """This peer's identity."""
        return identity(self.core, self.incarnation)

    @property
    def members(self) -> Members:
        """By the newest configuration of the log, committed or not."""
        return self.configs[-1]

    @property
    def member(self) -> bool:
        """Whether this peer is one."""
        return self.me in self.members.who

    @property
    def last(self) -> int:
        """The index of the log's last entry."""
        return len(self.log)

    def term_at(self, index: int) -> int:
        """The term of the entry there.  That all founders begin alike is an entry of term 1 at 0."""
        return self.log[index - 1].term if index else 1

    def append(self, entry: Entry) -> None:
        """One more at the log's end; a change of members counts from then on."""
        self.log.append(entry)
        if entry.request:
            self.names[entry.origin, entry.request] = self.last
        if entry.kind in CHANGES:
            self.configs.append(changed(self.members, self.last, entry))
            self.joining = self.joining and not self.member
            self.contacts = self.others()

    def truncate(self, last: int) -> None:
        """Forget what the log has behind `last`.  PeerError where that is committed."""
        if last < self.commit:
            raise PeerError(f"core {self.core} is to forget entry {last + 1} of its log, which is committed")
        for entry in self.log[last:]:
            self.names.pop((entry.origin, entry.request), None)
        del self.log[last:]
        while self.members.since > last:
            self.configs.pop()

    def follow(self, term: int) -> None:
        """A higher term was heard of: whoever leads there, it is not known here."""
        self.term, self.leader, self.voted, self.votes = term, NOBODY, NOBODY, ()
        self.retire()

    def retire(self) -> None:
        """Lead no longer, nor stand for election."""
        self.standing = FOLLOWER
        self.doubted = False
        self.invited = 0
        self.followers.clear()
        self.queue.clear()
        self.wanted.clear()

    def hope(self) -> None:
        """Somebody waits: stand for election unless a leader is heard of."""
        self.attempts = BOUND

    def others(self) -> tuple[int, ...]:
        """The cores of the members, without this."""
        return tuple(core for member in self.members.who if (core := core_of(member)) != self.core)

    def role(self) -> str:
        if self.standing != FOLLOWER:
            return "leader" if self.standing == LEADER else "candidate"
        return "follower" if self.member else "joining" if self.joining else "client"

    def neighbours(self) -> tuple[int, ...]:
        return tuple(core for core in self.founders if core != self.core)
