"""LMP: messages between dispatchers of one core, through the CPU driver.

A message is copied into the receiver's buffer; a full buffer refuses.  There are no lines: the driver wakes
the receiver, by LRPC at once if it waits, and a sender that found no room yields the core to it.

May not know: channels, transports, the driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.interfaces import PAYLOAD, Lines, RingReceiver, RingSender, Watch
from multikernel.system.operations import SendLocal, WindowLines

if TYPE_CHECKING:
    from multikernel.system.dispatcher import LocalBuffer


class LocalEndpoint:
    """One side: sends to the EndPoint at `cptr`, receives in `buffer`.  `refused` is how often in a row the
    receiver's buffer was full."""

    ack_interval = 1

    def __init__(self, buffer: LocalBuffer, cptr: int) -> None:
        self.buffer = buffer
        self.refused = 0
        self._cptr = cptr

    async def try_send(self, payload: bytes) -> bool:
        """False when the receiver's buffer is full."""
        if len(payload) > PAYLOAD:
            raise LocalMisuse(f"a message has at most {PAYLOAD} bytes, not {len(payload)}")
        accepted = await SendLocal(self._cptr, payload, direct=True)
        self.refused = 0 if accepted else self.refused + 1
        return accepted

    async def poll(self) -> bytes | None:
        """The next message if one has arrived."""
        return self.buffer.messages.popleft() if self.buffer.messages else None

    def watch(self) -> Watch:
        """There is no line to watch: the driver wakes the receiver."""
        raise LocalMisuse("a channel on one core has no line to watch")

    def room(self) -> Watch:
        """There is no line to watch."""
        raise LocalMisuse("a channel on one core has no line to watch")


class NoMemory:
    """What a transport gets for a channel over which no lines are shared."""

    device: Lines | None = None
    here = there = 0

    def __init__(self) -> None:
        self.lines: Lines = WindowLines(0, 0, cached=True, coherent=True)

    def sender(self, first: int, slots: int) -> RingSender:
        raise LocalMisuse("a channel without lines has no ring")

    def receiver(self, first: int, slots: int) -> RingReceiver:
        raise LocalMisuse("a channel without lines has no ring")


class LocalMemory(NoMemory):
    """For a channel on one core: an endpoint."""

    def __init__(self, buffer: LocalBuffer, cptr: int) -> None:
        super().__init__()
        self._endpoint = LocalEndpoint(buffer, cptr)

    def local(self) -> LocalEndpoint:
        """The LMP endpoint."""
        return self._endpoint
