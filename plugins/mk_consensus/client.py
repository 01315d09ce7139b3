"""Asking, by any core, member or not.

     1  a core      sends what it is asked for to the leader it knows, or has it appended when it leads
     2  a peer      that does not lead names the leader, if it knows one, and the members
     3  a core      that learns of a leader sends it all that is not answered
    15              sends again what is not answered; when the leader stays silent, to one member after another, which
                    has a member stand for election unless it hears of a leader

A request is named by who asked, in which incarnation, and its number.  The log never holds one twice, however often it
is sent: who leads knows the names of all that its log holds.

May not know: how logs are made the same, elections.
"""

from __future__ import annotations

from collections.abc import Sequence

from mk_consensus import outcomes, replication
from mk_consensus.entries import ASKED, VALUE, identity
from mk_consensus.state import JOIN, LEADER, NOBODY, REDIRECT, SUBMIT, Change, State
from multikernel.errors import PeerError
from multikernel.system.group import ROOM, GroupEffect, Tell, size

SUSPECT = 2
"""How often a leader is silent before others are asked."""


def submit(state: State, out: list[GroupEffect], request: int, kind: int, value: int) -> None:
    """This core asks (1)."""
    if not state.pending:
        state.overdue = request
    state.pending[request] = kind, value
    if state.standing == LEADER:
        take(state, out, state.me, request, kind, value)
        return
    if state.leader == NOBODY:
        state.hope()
    _send(state, out, _target(state), [request])


def resubmit(state: State, out: list[GroupEffect]) -> None:
    """A leader is known (3)."""
    state.tries = 0
    if state.standing == LEADER:
        for request, (kind, value) in tuple(state.pending.items()):
            take(state, out, state.me, request, kind, value)
        return
    _send(state, out, state.leader, tuple(state.pending))
    if state.joining:
        join(state, out)


def _send(state: State, out: list[GroupEffect], target: int, requests: Sequence[int]) -> None:
    """Requests of this core, as many to a message as fit."""
    if target == state.core:
        return
    header = (state.incarnation, int(target != state.leader))
    numbers: tuple[int, ...] = ()
    for request in requests:
        more = (request, *state.pending[request])
        if numbers and size(header) + size(numbers) + size(more) > ROOM:
            out.append(Tell(target, SUBMIT, header + numbers))
            numbers = ()
        numbers += more
    if numbers:
        out.append(Tell(target, SUBMIT, header + numbers))


def _target(state: State) -> int:
    """Whom to ask: the leader; when it is silent, every other time a member, one after another, and always when none is
    known."""
    known = state.leader != NOBODY
    if known and (state.tries < SUSPECT or state.tries % 2):
        return state.leader
    cores = sorted(core for core in state.contacts if core not in (state.core, state.leader))
    return cores[(state.tries // 2 if known else state.tries) % len(cores)] if cores else state.core


def hear_submit(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """Somebody asks (1, 2)."""
    incarnation, doubtful = numbers[:2]
    if len(numbers) % 3 != 2 or any(kind not in ASKED for kind in numbers[3::3]):
        raise PeerError(f"core {source} asks for what cannot be asked for: {numbers}")
    if state.standing != LEADER:
        redirect(state, out, source, bool(doubtful))
        return
    origin = identity(source, incarnation)
    replication.heard(state, out, source, origin)
    for at in range(2, len(numbers), 3):
        take(state, out, origin, *numbers[at : at + 3])


def take(state: State, out: list[GroupEffect], origin: int, request: int, kind: int, value: int) -> None:
    """The leader is asked, for the first time or again."""
    index = state.names.get((origin, request))
    if index is not None:
        replication.revive(state, out)
        if index <= state.commit:
            outcomes.settle(state, out, index)
    elif kind == VALUE:
        replication.propose(state, out, kind, origin, request, value)
    elif all((change.origin, change.request) != (origin, request) for change in state.queue):
        state.queue.append(Change(origin, request, kind, value))


def redirect(state: State, out: list[GroupEffect], source: int, doubtful: bool) -> None:
    """Who does not lead says who does (2); it stands for election if that is in doubt."""
    if source == state.leader:
        state.leader = NOBODY
    if doubtful or state.leader == NOBODY:
        state.hope()
    header = (state.term, state.leader + 1)
    cores: tuple[int, ...] = ()
    for core in ((state.core,) if state.member else ()) + state.contacts:
        if size(header) + size(cores) + size((core,)) > ROOM:
            break
        cores += (core,)
    out.append(Tell(source, REDIRECT, header + cores))


def hear_redirect(state: State, out: list[GroupEffect], source: int, numbers: tuple[int, ...]) -> None:
    """Somebody does not lead, and says who does in the term he knows of (3)."""
    term, leader = numbers[0], numbers[1] - 1
    if term < state.term:
        return
    if not state.member:
        state.contacts = numbers[2:]
    if leader == NOBODY:
        if source == state.leader:
            state.leader = NOBODY
            state.hope()
    elif state.leader == NOBODY and leader != state.core:
        state.leader, state.led, state.doubted = leader, term, False
        resubmit(state, out)


def elapsed(state: State, out: list[GroupEffect]) -> None:
    """What was asked for a while ago is not answered (15)."""
    old = [request for request in state.pending if request <= state.overdue]
    state.overdue = max(state.pending, default=0)
    if not old and not state.joining:
        state.tries = 0
        return
    state.tries += 1
    if state.standing == LEADER:
        replication.revive(state, out)
        return
    state.hope()
    target = _target(state)
    _send(state, out, target, old)
    if state.joining:
        join(state, out)


def join(state: State, out: list[GroupEffect]) -> None:
    """This core started anew and asks to be a member again."""
    target = _target(state)
    if target != state.core:
        out.append(Tell(target, JOIN, (state.incarnation,)))
