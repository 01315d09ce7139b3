"""Channels: an endpoint of some transport, and the bell that wakes a receiver who does not look.

    Bell        own line: `up()` before giving up the core, `down()` after
    PeerBell    the other side's line: `ring()` after something was made visible
    Channel     try_send, send, send_batch, recv over an endpoint; what programs hold

Poll, set the bell, poll again, sleep; and on the other side: store, fence, read the bell.  With the two
fences one of the two sees the other (Dekker's argument), so no wake-up is lost between poll and sleep.
The fence is paid once a batch.  A receiver rings when it has acknowledged, as the sender may wait for room.

May not know: the transport, the monitor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from multikernel.errors import Busy, PeerError
from multikernel.interfaces import LINE, Lines

if TYPE_CHECKING:
    from multikernel.interfaces import Carrier

_UP = (1).to_bytes(8, "little").ljust(LINE, b"\0")
_DOWN = bytes(LINE)

Interrupt = Callable[[], Awaitable[object]]
"""Interrupts the peer's core: an invocation of a Notify capability."""
Wait = Callable[[], Awaitable[None]]


class Bell:
    """The owner's side of a bell: a line, or one for each memory that it shares with some of its readers.  `shared`
    is whether every reader is in the same coherence island; if not, a line is written back after each store."""

    def __init__(self, lines: Sequence[Lines], shared: bool) -> None:
        self._lines = lines
        self._shared = shared

    async def up(self) -> None:
        """From here on whoever sends to this dispatcher interrupts its core.  Look once more after this."""
        await self._set(_UP)

    async def down(self) -> None:
        """This dispatcher looks again."""
        await self._set(_DOWN)

    async def _set(self, line: bytes) -> None:
        for lines in self._lines:
            await lines.store(0, line)
            if not self._shared:
                await lines.clean(0)
        await self._lines[0].fence()


class PeerBell:
    """The other side's view of a bell line."""

    def __init__(self, lines: Lines, shared: bool, interrupt: Interrupt) -> None:
        self._lines = lines
        self._shared = shared
        self._interrupt = interrupt

    async def ring(self) -> None:
        """Everything stored before is seen by the peer: it looks, or its core is interrupted."""
        await self._lines.fence()
        if not self._shared:
            await self._lines.invalidate(0)
        if (await self._lines.load(0))[0]:
            await self._interrupt()


class Channel:
    """One side of a channel in use.  `peer` is the other side's core.  `message` and `room` stop the calling
    thread until there may be one; `bell` is None where sending wakes the receiver itself.

    When the peer's core has died and this side's monitor knows it (`lose`), all that sends raises PeerError, and so
    does what receives when it has taken all that had come."""

    def __init__(self, carrier: Carrier, peer: int, bell: PeerBell | None, message: Wait, room: Wait) -> None:
        self.peer = peer
        self._put = carrier.try_send
        self._take = carrier.poll
        self._ack_interval = carrier.ack_interval
        self._bell = bell
        self._message = message
        self._room = room
        self._taken = 0
        self._lost = False

    def lose(self) -> None:
        """The peer's core has died.  Who waits for it has to be woken."""
        self._lost = True

    def _refusal(self) -> PeerError:
        return PeerError(f"core {self.peer}, at the other end of the channel, has died")

    async def try_send(self, payload: bytes) -> None:
        """Send at most 56 bytes.  Raises Busy, having sent nothing, when the window is full."""
        if self._lost:
            raise self._refusal()
        if not await self._put(payload):
            raise Busy("the window is full")
        await self._ring()

    async def send(self, payload: bytes) -> None:
        """Send, waiting for room: back-pressure."""
        if self._lost:
            raise self._refusal()
        while not await self._put(payload):
            await self._wait_for_room()
        if self._bell is not None:
            await self._bell.ring()

    async def send_batch(self, payloads: Sequence[bytes]) -> None:
        """Send all in order, with one fence and one look at the bell for as many as find room at once."""
        for payload in payloads:
            if self._lost:
                raise self._refusal()
            while not await self._put(payload):
                await self._wait_for_room()
        await self._ring()

    async def _wait_for_room(self) -> None:
        await self._ring()
        await self._room()
        if self._lost:
            raise self._refusal()

    async def poll(self) -> bytes | None:
        """The next message if it is there."""
        payload = await self._take()
        if payload is not None:
            self._taken += 1
            if self._taken % self._ack_interval == 0:
                await self._ring()
        elif self._lost:
            raise self._refusal()
        return payload

    async def recv(self) -> bytes:
        """The next message; waits for it."""
        while (payload := await self._take()) is None:
            if self._lost:
                raise self._refusal()
            await self._message()
        self._taken += 1
        if self._taken % self._ack_interval == 0:
            await self._ring()
        return payload

    async def _ring(self) -> None:
        if self._bell is not None:
            await self._bell.ring()
