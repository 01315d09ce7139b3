"""The records the coherence model keeps: lines, stores, transactions, cores, watchers.

Plain data, changed by `coherence.py` alone.  May not know: when any of it changes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from mk_sim.parameters import LINE

if TYPE_CHECKING:
    from mk_sim.engine import Actor
    from mk_sim.parameters import CoreParameters

ZERO: Final = bytes(LINE)
FETCH, OWN, READ, WRITE = range(4)
"""Kinds of transactions: coherent fetch and ownership; read and write of memory past the caches."""


class Pokable(Protocol):
    """Who is told that a watched line shows something else: an actor, or who passes it on to one."""

    def poke(self, value: int, time: int) -> None: ...


class Registers(Protocol):
    """A device's registers: lines `first` to `last`."""

    first: int
    last: int

    def way_ps(self, core: int) -> int:
        """Picoseconds an access of `core` takes longer than one to memory, there and back."""

    def stored(self, core: int, line: int, data: bytes) -> None:
        """`core` has stored `data` to a register; called in the event in which the store ends."""


class Line:
    """A line as an island has it.  `holders` are the cores with a copy, in the order they got it; `places` how
    many of them are at each place (`wires.py`), `mask` a bit for each of these, `far` the one with the greatest
    offset, -1 without holders; `owner` is the holder that answers for it, -1 if memory does; `dirty` if memory may
    differ."""

    __slots__ = ("data", "dirty", "far", "holders", "locked", "mask", "owner", "places", "queue")

    def __init__(self) -> None:
        self.data = ZERO
        self.holders: dict[int, None] = {}
        self.places: dict[int, int] = {}
        self.mask = 0
        self.far = -1
        self.owner = -1
        self.dirty = False
        self.locked = False
        self.queue: list[Request] = []  # mostly empty, and an empty deque is 600 bytes

    def share(self, core: int, place: int) -> None:
        """`core`, which has none, gets a copy."""
        self.holders[core] = None
        self.places[place] = self.places.get(place, 0) + 1
        self.mask |= 1 << place

    def take(self, core: int, place: int) -> None:
        """`core` gets the only copy."""
        self.holders = {core: None}
        self.places = {place: 1}
        self.mask = 1 << place
        self.far = core

    def drop(self) -> None:
        """No core has a copy."""
        self.holders = {}
        self.places = {}
        self.mask = 0
        self.far = -1


class Store:
    """A store in a buffer, executed at `ready` ps; `asked` while its ownership is under way."""

    __slots__ = ("asked", "data", "line", "ready", "uncached")

    def __init__(self, ready: int, line: int, data: bytes, uncached: bool) -> None:
        self.ready = ready
        self.line = line
        self.data = data
        self.uncached = uncached
        self.asked = False


class Request:
    """A transaction.  `actors` wait for its end; `store` is the one it serves."""

    __slots__ = ("actors", "core", "data", "kind", "line", "store")

    def __init__(self, core: Core, kind: int, line: int, data: bytes = ZERO, store: Store | None = None) -> None:
        self.core = core
        self.kind = kind
        self.line = line
        self.data = data
        self.store = store
        self.actors: list[Actor] = []


class Core:
    """A core's side: its place, its island's lines, its transactions, its store buffer."""

    __slots__ = ("active", "buffer", "fetching", "lines", "parameters", "pending", "place", "waiting")

    def __init__(self, parameters: CoreParameters, place: int, lines: dict[int, Line]) -> None:
        self.parameters = parameters
        self.place = place
        self.lines = lines
        self.active = 0
        self.pending: deque[Request] = deque()
        self.fetching: dict[int, Request] = {}
        self.buffer: deque[Store] = deque()
        self.waiting: list[tuple[Actor, int]] = []  # (actor, stores it lets stand in the buffer)


class Watcher:
    """A core spinning on a line, and what it saw there."""

    __slots__ = ("actor", "seen", "value")

    def __init__(self, actor: Pokable, value: int, seen: bytes) -> None:
        self.actor = actor
        self.value = value
        self.seen = seen
