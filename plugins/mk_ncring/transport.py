"""A ring of lines between cores that share memory but do not keep their caches coherent.

The layout is the kit's ring (`multikernel.system.ring`); around every access stands the maintenance that
coherence would have done:

    write    store the line, then clean it: it is in memory when the receiver may look
    read     invalidate the line, then load it: what is read is memory's and not a copy of before

On a side that sees the memory uncached both cost little and change nothing.

Invariant: no line of the ring is ever both dirty in one side's cache and awaited by the other.
May not know: platforms, which side caches.
"""

from __future__ import annotations

from dataclasses import replace

from multikernel.interfaces import ChannelMemory, Lines, Watch
from multikernel.system import ring


class MaintainedLines:
    """`Lines` with maintenance around every access."""

    coherent = True

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.count = lines.count

    async def load(self, index: int) -> bytes:
        await self._lines.invalidate(index)
        return await self._lines.load(index)

    async def store(self, index: int, line: bytes) -> None:
        await self._lines.store(index, line)
        await self._lines.clean(index)

    async def clean(self, index: int) -> None:
        await self._lines.clean(index)

    async def invalidate(self, index: int) -> None:
        await self._lines.invalidate(index)

    async def fence(self) -> None:
        await self._lines.fence()


class NonCoherentEndpoint:
    """See `multikernel.interfaces.Endpoint`."""

    def __init__(self, lines: Lines, slots: int, side: int) -> None:
        mine, theirs = (0, ring.direction(slots)) if side == 0 else (ring.direction(slots), 0)
        maintained = MaintainedLines(lines)
        self._lines = lines
        self._sender = ring.Sender(maintained, mine, slots)
        self._receiver = ring.Receiver(maintained, theirs, slots)
        self.ack_interval = ring.ack_interval(slots)
        self.try_send = self._sender.put
        self.poll = self._receiver.take

    def watch(self) -> Watch:
        return self._bare(self._receiver.watch())

    def room(self) -> Watch:
        return self._bare(self._sender.room())

    def _bare(self, watch: Watch) -> Watch:
        """The platform watches its own lines; a poll of them is maintained like a load."""
        return replace(watch, lines=self._lines, maintained=True)


class NonCoherentRing:
    """See `multikernel.interfaces.Transport`."""

    def lines(self, slots: int) -> int:
        """Two directions."""
        return 2 * ring.direction(slots)

    def open(self, memory: ChannelMemory, slots: int, side: int) -> NonCoherentEndpoint:
        return NonCoherentEndpoint(memory.lines, slots, side)
