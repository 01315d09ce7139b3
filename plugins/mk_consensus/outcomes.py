"""Carrying out what is committed, and telling who asked.

    10  a peer      carries out the committed values, in the log's order
    11              answers its own requests when it has carried them out, with what came of it
    12  the leader  tells those who are no members, and so have no log, what came of theirs
    13              or that what they asked for cannot be

A request is answered when it is committed, and not before.

May not know: how entries come to be committed.
"""

from __future__ import annotations

from mk_consensus.entries import REFUSED, VALUE, core_of
from mk_consensus.state import DENIED, DONE, LEADER, State
from multikernel.system.group import Answer, Execute, GroupEffect, Tell


def carry_out(state: State, out: list[GroupEffect], commit: int) -> None:
    """The entries up to `commit` are committed (10)."""
    for index in range(state.commit + 1, commit + 1):
        entry = state.log[index - 1]
        if entry.kind == VALUE:
            state.places.append(index)
            out.append(Execute(len(state.places), entry.origin, entry.request, entry.value))
        elif entry.request:
            settle(state, out, index)
    state.commit = commit


def executed(state: State, out: list[GroupEffect], place: int, result: int) -> None:
    """The replica has carried out the value at `place`."""
    index = state.places[place - 1]
    state.results[index] = result
    settle(state, out, index)


def settle(state: State, out: list[GroupEffect], index: int) -> None:
    """What was asked for as entry `index` is carried out here: tell who asked (11, 12, 13)."""
    entry = state.log[index - 1]
    result = state.results.get(index, 0)
    if entry.origin == state.me:
        answer(state, out, entry.request, result, entry.kind != REFUSED)
    elif state.standing == LEADER and entry.origin not in state.members.who:
        incarnation = entry.origin >> 16
        if entry.kind == REFUSED:
            out.append(Tell(core_of(entry.origin), DENIED, (incarnation, entry.request)))
        else:
            out.append(Tell(core_of(entry.origin), DONE, (incarnation, entry.request, result)))


def told(state: State, out: list[GroupEffect], numbers: tuple[int, ...]) -> None:
    """The leader tells what came of a request, of this incarnation or an earlier one."""
    incarnation, request = numbers[:2]
    if incarnation == state.incarnation:
        answer(state, out, request, numbers[2] if len(numbers) > 2 else 0, len(numbers) > 2)


def answer(state: State, out: list[GroupEffect], request: int, result: int, accepted: bool) -> None:
    """Once for each request."""
    if state.pending.pop(request, None) is not None:
        state.tries = 0
        out.append(Answer(request, result, accepted))
