"""Who leads (Ongaro & Ousterhout, USENIX ATC 2014, 5.2, 5.4.1).

    16  a follower   that waits and has not heard of the leader asks it for news
    17               hears of none still: stands for election in a new term, and votes for itself
    18  a peer       votes for a candidate whose log has all that its own has, once in a term
    19  a candidate  with the votes of a majority leads, and begins with an entry of its own term

Who waits: who has entries that are not committed, was asked by somebody in doubt of the leader, voted, or refused to.
With nobody waiting no timer is armed and a leader's death is not noticed, until somebody asks for something.

No livelock: how long a member waits grows with its place among the members, so that two do not stand at once once
the steps are longer than an election takes; and all of it doubles with each term that no leader was heard of in, on
every member alike.  Who refuses a vote does not wait anew, so that a candidate with too short a log does not keep off a
better one; who gives it does.

A candidate is a core in one incarnation: a vote for it is none for another.  Who is no member by its own log does not
stand, but votes: it may have been added and not know it yet, and a majority may need it.  Whether its vote counts is
for the candidate to say, by the members of its own log.

May not know: how logs are made the same, what is asked for.
"""

from __future__ import annotations

from mk_consensus import client, replication
from mk_consensus.entries import NOTHING, core_of, identity
from mk_consensus.state import ASK, CANDIDATE, LEADER, NOBODY, PROBE, VOTE, Follower, State
from multikernel.system.group import GroupEffect, Tell

BASE, STEP = 8, 4
"""Ticks that the first member waits for a leader, and each the more than the one before it."""
DOUBLINGS = 7
"""So often waiting doubles: then it is a tenth of a second."""


def patience(state: State) -> int:
    """Ticks to wait for a leader."""
    place = state.members.who.index(state.me)
    return BASE + STEP * place << min(state.term - state.led, DOUBLINGS)


def elapsed(state: State, out: list[GroupEffect]) -> None:
    """16, 17."""
    state.attempts -= 1
    if state.leader != NOBODY and not state.doubted:
        state.doubted = True
        out.append(Tell(state.leader, PROBE, (state.term, state.incarnation)))
        return
    state.follow(state.term + 1)
    state.standing, state.voted, state.votes = CANDIDATE, state.me, (state.me,)
    last_term = state.term_at(state.last)
    for core in state.others():
        out.append(Tell(core, ASK, (state.term, state.incarnation, state.last, last_term)))
    _count(state, out)


def hear_ask(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """18.  Who votes waits anew."""
    term, incarnation, last, last_term = numbers
    candidate = identity(source, incarnation)
    granted = (
        term == state.term
        and state.voted in (NOBODY, candidate)
        and (last_term, last) >= (state.term_at(state.last), state.last)
    )
    if granted:
        state.voted, state.watchful = candidate, False
    if state.standing != LEADER:
        state.hope()
    out.append(Tell(source, VOTE, (state.term, state.incarnation, incarnation, int(granted))))


def hear_vote(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """A member voted, for this candidate or for who it was (19)."""
    term, incarnation, candidate, granted = numbers
    voter = identity(source, incarnation)
    if state.standing != CANDIDATE or term != state.term or not granted or candidate != state.incarnation:
        return
    if voter not in state.votes:
        state.votes += (voter,)
    _count(state, out)


def _count(state: State, out: list[GroupEffect]) -> None:
    """Lead, with the votes of a majority (19)."""
    who = state.members.who
    if sum(voter in who for voter in state.votes) <= len(who) // 2:
        return
    state.standing, state.leader, state.led = LEADER, state.core, state.term
    state.attempts = 0
    for member in who:
        if member != state.me:
            state.followers[core_of(member)] = Follower(member, state.last + 1)
    replication.propose(state, out, NOTHING, 0, 0, 0)
    client.resubmit(state, out)
