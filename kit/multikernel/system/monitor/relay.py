"""Messages between monitors that no link joins, passed on from monitor to monitor over the tree of gateways.

A message is cut into pieces, each with who sent it and whom it is for.  All pieces between two cores go the same
way over links that keep their order, so each monitor on the way does nothing but put them on its next link, and
the last puts them together.  Whoever is at the end sees the message as if it had come over a link of its own.

What a link has no room for waits in its outbox.  No monitor ever waits for room before it takes what has come,
so relays cannot wait for each other in a circle.  What is under way is bounded by what asks for it: a circuit's
window, and the answers to requests that each have one.

Interface: `Relay(events, post)`, `send(target, payload)`; `split`, `Pieces`, which know no links.

May not know: what any message means, how a link is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING

from multikernel.interfaces import PAYLOAD
from multikernel.system.monitor.events import Sender

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events

RELAY = 18
"""First byte of a piece; not a number of `system/messages.py`."""
_HEADER = Struct("<BIIB")
PIECE = PAYLOAD - _HEADER.size
"""Bytes of a message in one piece."""
LONGEST = 2 * PIECE
"""Longest message: what a circuit says (`circuits.py`) is 61 bytes."""

Post = Callable[[int, Sequence[bytes]], Awaitable[None]]
"""Puts messages on the link to a neighbour, in order."""


def split(source: int, target: int, payload: bytes) -> list[bytes]:
    """The pieces of a message, the last with 0 for how many follow."""
    starts = range(0, max(1, len(payload)), PIECE)
    return [
        _HEADER.pack(RELAY, source, target, len(starts) - 1 - index) + payload[start : start + PIECE]
        for index, start in enumerate(starts)
    ]


class Pieces:
    """Messages of which not every piece has come, by who sent them."""

    def __init__(self) -> None:
        self._begun: dict[int, bytes] = {}

    def drop(self, source: int) -> None:
        """The rest of what `source` began will not come."""
        self._begun.pop(source, None)

    def add(self, source: int, following: int, piece: bytes) -> bytes | None:
        """The message, with its last piece.  One that is too long is dropped: it is nobody's."""
        whole = self._begun.pop(source, b"") + piece
        if len(whole) > LONGEST:
            return None
        if following:
            self._begun[source] = whole
            return None
        return whole


class Relay:
    """See the module."""

    def __init__(self, events: Events, post: Post) -> None:
        self._events = events
        self._core = events.core
        self._routes = events.environment.routes
        self._post = post
        self._pieces = Pieces()
        events.raw(RELAY, self._received)

    def forget(self, source: int) -> None:
        """The core is started anew."""
        self._pieces.drop(source)

    async def send(self, target: int, payload: bytes) -> None:
        """Send to the monitor of `target`."""
        await self._post(self._routes.next_hop(self._core, target), split(self._core, target, payload))

    async def _received(self, sender: Sender, piece: bytes) -> None:
        """One piece: for this core, or to be passed on.  What is none is dropped."""
        if len(piece) < _HEADER.size:
            return
        _, source, target, following = _HEADER.unpack_from(piece)
        if not (self._routes.known(source) and self._routes.known(target)) or source == self._core:
            return
        if target != self._core:
            await self._post(self._routes.next_hop(self._core, target), [piece])
            return
        whole = self._pieces.add(source, following, piece[_HEADER.size :])
        if whole is not None and whole[:1] != bytes([RELAY]):
            await self._events.deliver(Sender(source, 0), whole)
