"""A channel to one other monitor, and the messages that found no room in it.

Interface: `Link.put`, `fence`, `ring`, `close`; what arrives goes to `Events.deliver`.
Invariant: messages leave in the order they were put.

May not know: who sends what, how the channel came about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from multikernel.system.environment import KERNEL
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Invoke
from multikernel.system.requests import NotifyCore

if TYPE_CHECKING:
    from multikernel.interfaces import Endpoint, Lines
    from multikernel.system.monitor.events import Events


class Link:
    """See the module.  `lines` are what the endpoint writes; `bell` is the peer's, None where the two share no
    memory and a device interrupts it; `shared` is whether both are in one coherence island."""

    def __init__(
        self, events: Events, peer: int, endpoint: Endpoint, lines: Lines, bell: Lines | None, shared: bool
    ) -> None:
        self.peer = peer
        self._events = events
        self._sender = Sender(peer, 0)
        self._endpoint = endpoint
        self._lines = lines
        self._bell = bell
        self._shared = shared
        self._outbox: deque[bytes] = deque()
        self._taken = 0
        self._room = -1
        self._heard = -1
        self._closed = False
        self._notify = Invoke(KERNEL, NotifyCore(peer))
        self._listen()

    def _listen(self) -> None:
        self._heard = self._events.line(self._endpoint.watch(), self._receive)

    def close(self) -> None:
        """The peer is not there any more: nothing is taken, and what is put goes nowhere."""
        self._closed = True
        for key in (self._heard, self._room):
            if key >= 0:
                self._events.forget_line(key)
        self._outbox.clear()

    async def _receive(self) -> None:
        """Take what has come, up to a batch, then listen again."""
        self._heard = -1
        for _ in range(self._endpoint.ack_interval):
            payload = await self._endpoint.poll()
            if payload is None:
                break
            self._taken += 1
            if self._taken % self._endpoint.ack_interval == 0:
                await self.fence()
                await self.ring()
            await self._events.deliver(self._sender, payload)
            if self._closed:
                return
        self._listen()

    async def put(self, payload: bytes) -> None:
        """Write now, or when there is room; the receiver is woken by `ring`."""
        if self._closed:
            return
        if self._outbox or not await self._endpoint.try_send(payload):
            if not self._outbox:
                self._room = self._events.line(self._endpoint.room(), self._flush)
            self._outbox.append(payload)

    async def ring(self) -> None:
        """What was put, and is visible by now, is seen: the receiver looks, or its core is interrupted."""
        if self._bell is None:
            return
        if not self._shared:
            await self._bell.invalidate(0)
        if (await self._bell.load(0))[0]:
            await self._notify

    def fence(self) -> Awaitable[None]:
        """Wait until what was put on any link is visible."""
        return self._lines.fence()

    async def _flush(self) -> None:
        self._room = -1
        while self._outbox and await self._endpoint.try_send(self._outbox[0]):
            self._outbox.popleft()
        await self.fence()
        await self.ring()
        if self._outbox:
            self._room = self._events.line(self._endpoint.room(), self._flush)
