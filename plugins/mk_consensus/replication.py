"""The log, from the leader to the others (Ongaro & Ousterhout, USENIX ATC 2014, 5.3).

     4  the leader  appends what it is asked for to its log, and sends it to every other member: several entries in a
                    message where they wait, several messages under way
     5  a follower  takes entries whose forerunner it has, dropping what it has in their stead, and acknowledges
     6              refuses those that leave a gap or do not match, saying up to where they may
     7  the leader  goes back there
     8              commits an entry of its own term that a majority of the members has, and all before it
     9              tells the commit with the next entries, or by itself when nothing is under way
    14              sends again, later each time, to who is silent; BOUND times, then not until it is heard of

A leader counts itself when it is a member; an acknowledgement counts for the incarnation that gave it.  Its commit may
be an entry of an earlier term only by way of one of its own.

May not know: how it became leader, who asks.
"""

from __future__ import annotations

from mk_consensus import outcomes
from mk_consensus.entries import Entry, core_of, identity, packed, room_after, unpacked
from mk_consensus.state import APPEND, APPENDED, BOUND, FOLLOWER, LEADER, NOBODY, REJECTED, Follower, State
from multikernel.errors import PeerError
from multikernel.system.group import GroupEffect, Tell

WINDOW = 16
"""Messages under way to a follower: as many as fit the channel between two monitors."""


def propose(state: State, out: list[GroupEffect], kind: int, origin: int, request: int, value: int) -> None:
    """The leader appends an entry (4)."""
    state.append(Entry(state.term, kind, origin, request, value))
    recruit(state)
    for core in sorted(state.followers):
        offer(state, out, core)
    advance(state, out)


def recruit(state: State) -> None:
    """Follow every member there is by the log."""
    for member in state.members.who:
        core = core_of(member)
        if core != state.core and (core not in state.followers or state.followers[core].who != member):
            state.followers[core] = Follower(member, state.last)


def offer(state: State, out: list[GroupEffect], core: int) -> None:
    """Send a follower what it has not been sent, as far as the window goes (4, 9)."""
    follower = state.followers[core]
    if follower.silent >= BOUND:
        return
    while follower.next <= state.last and follower.flight < (1 if follower.probing else WINDOW):
        count = _send(state, out, core, follower.next)
        follower = follower._replace(
            next=follower.next if follower.probing else follower.next + count,
            flight=follower.flight + 1,
            told=state.commit,
        )
    if not follower.flight and follower.told < state.commit:
        _send(state, out, core, follower.next)
        follower = follower._replace(told=state.commit)
    state.followers[core] = follower


def _send(state: State, out: list[GroupEffect], core: int, first: int) -> int:
    """The entries from `first` on, as many as fit; how many."""
    header = _header(state, first)
    numbers, count = packed(state.log, first - 1, room_after(header))
    out.append(Tell(core, APPEND, header + numbers))
    return count


def _header(state: State, first: int) -> tuple[int, int, int, int]:
    """What stands before the entries from `first` on."""
    return state.term, first - 1, state.term_at(first - 1), state.commit


def hear_entries(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> bool:
    """5, 6.  Whether a leader spoke that was not known."""
    term, previous, previous_term, commit = numbers[:4]
    if term < state.term:
        out.append(Tell(source, REJECTED, (state.term, state.incarnation, previous, 0)))
        return False
    if state.standing == LEADER:
        raise PeerError(f"core {source} leads term {term}, which core {state.core} leads")
    found = state.leader != source
    state.standing, state.leader, state.led, state.doubted = FOLLOWER, source, term, False
    if previous > state.last or state.term_at(previous) != previous_term:
        hint = state.last if previous > state.last else state.commit
        out.append(Tell(source, REJECTED, (term, state.incarnation, previous, hint)))
        return found
    entries, news = unpacked(numbers[4:]), found or commit > state.commit
    for index, entry in enumerate(entries, previous + 1):
        if index <= state.last and state.term_at(index) != entry.term:
            state.truncate(index - 1)
        if index > state.last:
            state.append(entry)
            news = True
    match = previous + len(entries)
    if entries:
        out.append(Tell(source, APPENDED, (term, state.incarnation, match)))
    if min(commit, match) > state.commit:
        outcomes.carry_out(state, out, min(commit, match))
    if state.commit == state.last:
        state.attempts = 0
    elif news:
        state.hope()
    return found


def hear_appended(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """A follower has the log up to `match` (7, 8, 9)."""
    term, incarnation, match = numbers
    follower = _of(state, source, term, incarnation)
    if follower is None:
        return
    if match > state.last:
        raise PeerError(f"core {source} acknowledges entry {match} of a log of {state.last}")
    match = max(match, follower.match)
    state.followers[source] = follower._replace(
        match=match,
        next=max(follower.next, match + 1),
        flight=max(0, follower.flight - 1),
        probing=False,
        silent=0,
        moved=True,
    )
    if not advance(state, out):
        offer(state, out, source)


def hear_rejected(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """7.  Only the first of what was under way is gone back for; the rest is refused for the same gap."""
    term, incarnation, previous, hint = numbers
    follower = _of(state, source, term, incarnation)
    if follower is None or previous < follower.match or (follower.probing and previous != follower.next - 1):
        return
    _go_back(state, source, max(follower.match, min(hint, previous - 1)))
    offer(state, out, source)


def hear_probe(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """A follower waits for news: it hears that there is a leader, and what is committed."""
    term, incarnation = numbers
    follower = _of(state, source, term, incarnation)
    if follower is not None:
        out.append(Tell(source, APPEND, _header(state, follower.match + 1)))
        heard(state, out, source, follower.who)


def heard(state: State, out: list[GroupEffect], source: int, who: int) -> None:
    """A follower spoke; one that was given up is followed again."""
    follower = state.followers.get(source)
    if follower is not None and follower.who == who and follower.silent >= BOUND:
        _go_back(state, source, follower.match)
        offer(state, out, source)


def _of(state: State, source: int, term: int, incarnation: int) -> Follower | None:
    """The follower that speaks, if it speaks to a leader of `term` and in the incarnation that is followed."""
    follower = state.followers.get(source)
    heard = state.standing == LEADER and term == state.term and follower is not None
    return follower if heard and follower is not None and follower.who == identity(source, incarnation) else None


def _go_back(state: State, core: int, match: int) -> None:
    follower = state.followers[core]
    state.followers[core] = follower._replace(next=match + 1, flight=0, probing=True, silent=0, moved=True)


def advance(state: State, out: list[GroupEffect]) -> bool:
    """Commit what a majority has (8), and tell them (9).  Whether anything was."""
    who = state.members.who
    has = sorted(_has(state, member) for member in who)
    commit = has[len(who) - (len(who) // 2 + 1)]
    if commit <= state.commit or state.term_at(commit) != state.term:
        return False
    outcomes.carry_out(state, out, commit)
    for core in sorted(state.followers):
        offer(state, out, core)
    if state.members.since <= commit:
        _dismiss(state, out)
    return True


def _has(state: State, member: int) -> int:
    """Up to where a member is known to have the log."""
    if member == state.me:
        return state.last
    follower = state.followers.get(core_of(member))
    return follower.match if follower is not None and follower.who == member else 0


def _dismiss(state: State, out: list[GroupEffect]) -> None:
    """Who is no member any more is told so once more and followed no longer; a leader that is none steps down."""
    leaves = not state.member
    for core, follower in sorted(state.followers.items()):
        if leaves or follower.who not in state.members.who:
            _send(state, out, core, follower.match + 1)
        if follower.who not in state.members.who:
            del state.followers[core]
    if leaves:
        state.retire()
        state.leader = NOBODY


def resend(state: State, out: list[GroupEffect]) -> None:
    """The timer ran out (14)."""
    for core, follower in sorted(state.followers.items()):
        if follower.match == state.last or follower.silent >= BOUND:
            continue
        if follower.moved:
            state.followers[core] = follower._replace(moved=False)
            continue
        _go_back(state, core, follower.match)
        state.followers[core] = state.followers[core]._replace(silent=follower.silent + 1, moved=False)
        offer(state, out, core)


def behind(state: State) -> list[int]:
    """How often in a row each follower was silent that has not acknowledged all and is not given up."""
    followers = state.followers.values()
    return [f.silent for f in followers if f.match < state.last and f.silent < BOUND]


def revive(state: State, out: list[GroupEffect], last_chance: bool = False) -> None:
    """Somebody waits: who was given up is sent to again, once or as often as another."""
    for core, follower in sorted(state.followers.items()):
        if follower.silent >= BOUND:
            _go_back(state, core, follower.match)
            silent = BOUND - 1 if last_chance else 0
            state.followers[core] = state.followers[core]._replace(silent=silent, moved=False)
            offer(state, out, core)
