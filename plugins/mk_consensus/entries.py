"""What the log of consensus holds, who the members are by it, and both as numbers of a message.

An identity is a core and its incarnation in one number: a core that starts anew has forgotten what it promised, and is
somebody else.  Who asked for an entry, and under which number, names it; `request` 0 names nothing.

May not know: who leads, timers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from multikernel.errors import PeerError
from multikernel.system.group import ROOM, size

VALUE, NOTHING, ADD, REMOVE, REPLACE, REFUSED = range(6)
"""Kinds of entries.  A value is carried out; a new leader begins with nothing; ADD and REPLACE have an identity for
value, REMOVE a core; REFUSED is a change of members that cannot be."""
CHANGES = (ADD, REMOVE, REPLACE)
ASKED = (VALUE, ADD, REMOVE)
"""What may be asked for."""
KINDS = 8
"""A term and a kind are one number in a message."""


class Entry(NamedTuple):
    """One of the log; see the module."""

    term: int
    kind: int
    origin: int
    request: int
    value: int


class Members(NamedTuple):
    """The members from the log's entry `since` on, by identity, and `away`: who was removed as its core started anew,
    by the identity under which it will be added again."""

    since: int
    who: tuple[int, ...]
    away: tuple[int, ...] = ()

    def seat(self, core: int) -> int:
        """The identity under which `core` is a member, or -1."""
        return next((member for member in self.who if core_of(member) == core), -1)


def identity(core: int, incarnation: int) -> int:
    """The number of both."""
    return core | incarnation << 16


def core_of(member: int) -> int:
    """The core of an identity."""
    return member & 0xFFFF


def changed(members: Members, index: int, entry: Entry) -> Members:
    """The members once `entry` is the log's at `index`.  Adding who is there and removing who is not change nothing."""
    core = entry.value if entry.kind == REMOVE else core_of(entry.value)
    away = tuple(member for member in members.away if core_of(member) != core)
    if entry.kind == ADD:
        present = members.seat(core) >= 0
        return Members(index, members.who if present else (*members.who, entry.value), away)
    who = tuple(member for member in members.who if core_of(member) != core)
    return Members(index, who, (*away, entry.value) if entry.kind == REPLACE else away)


def packed(entries: Sequence[Entry], first: int, room: int) -> tuple[tuple[int, ...], int]:
    """The numbers of as many entries as fit `room` bytes, at least one, from place `first` of the list on; how many."""
    numbers: list[int] = []
    count = 0
    for place in range(first, len(entries)):
        term, kind, origin, request, value = entries[place]
        more = (term * KINDS + kind, origin, request, value)
        room -= size(more)
        if room < 0 and count:
            break
        numbers += more
        count += 1
    return tuple(numbers), count


def unpacked(numbers: Sequence[int]) -> list[Entry]:
    """The entries again.  PeerError for what is none."""
    if len(numbers) % 4:
        raise PeerError(f"{len(numbers)} numbers are no entries of a log, which have four each")
    entries = [
        Entry(numbers[at] // KINDS, numbers[at] % KINDS, *numbers[at + 1 : at + 4]) for at in range(0, len(numbers), 4)
    ]
    if any(entry.kind > REFUSED for entry in entries):
        raise PeerError("an entry of a log of a kind that there is not")
    return entries


def room_after(header: Sequence[int]) -> int:
    """Bytes of a message left behind `header`."""
    return ROOM - size(header)
