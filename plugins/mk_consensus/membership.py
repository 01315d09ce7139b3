"""Who the members are (Ongaro, Consensus: Bridging Theory and Practice, 2014, chapter 4, as corrected in 2015).

    20  a core      that started anew asks to join, as somebody else
    21  the leader  removes its former incarnation, by an entry
    22              and adds the new one, by another
    23              asks a core that is to be a member under which incarnation it runs, adds it, or
                    removes one; it refuses what would leave no member, or when the core stays silent

One member changes at a time: an entry of this kind is appended when the one before it is committed, and an entry of the
leader's own term as well; while a core is asked, none is.  It counts from when it is in a log.

May not know: elections.
"""

from __future__ import annotations

from mk_consensus import client, replication
from mk_consensus.entries import ADD, REFUSED, REMOVE, REPLACE, core_of, identity
from mk_consensus.state import BOUND, INVITE, JOIN, LEADER, Change, State
from multikernel.system.group import GroupEffect, Tell


def hear_join(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """A core is there, in an incarnation (21, 22, 23)."""
    who = identity(source, numbers[0])
    if state.standing != LEADER:
        client.redirect(state, out, source, True)
        return
    seat = state.members.seat(source)
    replication.heard(state, out, source, who)
    if state.invited and source == state.queue[0].core:
        _next(state, out, ADD, who)
    elif who > seat >= 0 or any(core_of(member) == source for member in state.members.away):
        state.wanted[source] = max(who, state.wanted.get(source, who))


def hear_invite(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """The leader asks (23)."""
    if numbers[0] < state.term:
        return
    state.leader, state.led, state.doubted = source, state.term, False
    out.append(Tell(source, JOIN, (state.incarnation,)))


def proceed(state: State, out: list[GroupEffect]) -> None:
    """After every event: the leader makes the changes that are due, one by one (21, 22, 23)."""
    while state.standing == LEADER and not state.invited and _may_change(state) and _change(state, out):
        pass


def _may_change(state: State) -> bool:
    """Whether the last change is committed, and an entry of the leader's own term."""
    return state.members.since <= state.commit and state.term_at(state.commit) == state.term


def _change(state: State, out: list[GroupEffect]) -> bool:
    """Begin what is due first; whether there was anything."""
    if state.members.away:
        who = state.members.away[0]
        replication.propose(state, out, ADD, 0, 0, max(who, state.wanted.pop(core_of(who), who)))
        return True
    if state.wanted:
        core = min(state.wanted)
        who = state.wanted.pop(core)
        if who > state.members.seat(core) >= 0:
            replication.propose(state, out, REPLACE, 0, 0, who)
        return True
    if not state.queue:
        return False
    _take_up(state, out, state.queue[0])
    return True


def _take_up(state: State, out: list[GroupEffect], change: Change) -> None:
    """Somebody asks that a core be a member, or no longer."""
    seat = state.members.seat(change.core)
    if change.kind == REMOVE:
        leaves_none = seat >= 0 and len(state.members.who) == 1
        _next(state, out, REFUSED if leaves_none else REMOVE, change.core)
    elif seat >= 0:
        _next(state, out, ADD, seat)
    else:
        state.invited = 1
        out.append(Tell(change.core, INVITE, (state.term,)))


def _next(state: State, out: list[GroupEffect], kind: int, value: int) -> None:
    """The first in the queue is decided."""
    change = state.queue.pop(0)
    state.invited = 0
    replication.propose(state, out, kind, change.origin, change.request, value)


def invite(state: State, out: list[GroupEffect]) -> None:
    """The core that is to be a member did not answer: ask again, or give up (23)."""
    if not state.invited:
        return
    state.invited += 1
    if state.invited <= BOUND:
        out.append(Tell(state.queue[0].core, INVITE, (state.term,)))
    else:
        _next(state, out, REFUSED, state.queue[0].core)
