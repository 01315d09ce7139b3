"""A ring of lines in the receiver's own memory, filled by a DMA engine.

The two sides share no memory.  Each has an area of its own, in this order:

    inbox     `slots` message lines and an ack line, both written by the engine for the peer
    outbox    `slots` message lines and an ack line, from which the engine reads

The inbox is one direction of the kit's ring (`multikernel.system.ring`), the outbox its image at the sender:

    send      write the line to the outbox, clean it: memory has it; fence; ring the doorbell with a descriptor
    receive   invalidate the line of the inbox, load it
    ack       each half window, the ack line goes the same way

The engine reads memory and no cache, so what it is told of must be there before the doorbell: hence the fence,
as stores to memory and to a device are not ordered with each other everywhere.  A queue that is full refuses a
descriptor; the engine empties it without anybody's help, so the doorbell is rung again.

Invariant: a line of the outbox is rewritten only when the engine has read it: its message was acknowledged, or it
is the ack line, whose newer count is as good.
May not know: platforms, who else uses the engine.
"""

from __future__ import annotations

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import LINE, PAYLOAD, ChannelMemory, Lines, Watch
from multikernel.system import ring
from multikernel.system.registers import DOORBELL, STATUS, Descriptor, DmaStatus


class DmaEndpoint:
    """See `multikernel.interfaces.Endpoint`.  `here` and `there` are where the areas of this side and of the peer
    begin."""

    def __init__(self, lines: Lines, device: Lines, here: int, there: int, slots: int) -> None:
        self._lines = lines
        self._device = device
        self._here = here
        self._there = there
        self._slots = slots
        self._outbox = ring.direction(slots)
        self.ack_interval = ring.ack_interval(slots)
        self._posted = 0
        self._sent = 0
        self._acked = 0
        self._taken = 0
        self._seen = 0

    async def try_send(self, payload: bytes) -> bool:
        ring.check_payload(payload)
        if self._sent - self._acked == self._slots:
            line = await self._fresh(self._slots)
            self._acked = ring.acknowledged(int.from_bytes(line[: ring.WORD], "little"), self._acked, self._sent)
            if self._sent - self._acked == self._slots:
                return False
        word = ring.header(self._sent, len(payload)).to_bytes(ring.WORD, "little")
        place = self._sent % self._slots
        self._sent += 1
        await self._copy(place, word + payload.ljust(PAYLOAD, b"\0"))
        return True

    async def poll(self) -> bytes | None:
        line = await self._fresh(self._taken % self._slots)
        word = int.from_bytes(line[: ring.WORD], "little")
        length = ring.arrived(word, self._taken, self._slots)
        if length < 0:
            self._seen = word
            return None
        self._taken += 1
        self._seen = 0
        if self._taken % self.ack_interval == 0:
            await self._copy(self._slots, self._taken.to_bytes(ring.WORD, "little").ljust(LINE, b"\0"))
        return line[ring.WORD : ring.WORD + length]

    def watch(self) -> Watch:
        return Watch(self._lines, self._taken % self._slots, self._seen, maintained=True)

    def room(self) -> Watch:
        return Watch(self._lines, self._slots, self._acked, maintained=True)

    async def _fresh(self, index: int) -> bytes:
        """A line of the inbox as memory has it."""
        await self._lines.invalidate(index)
        return await self._lines.load(index)

    async def _copy(self, place: int, line: bytes) -> None:
        """Have the engine write `line` to place `place` of the peer's inbox.  Raises PeerError when it could not:
        the peer's area is not where it said."""
        await self._lines.store(self._outbox + place, line)
        await self._lines.clean(self._outbox + place)
        await self._lines.fence()
        source, target = self._here + (self._outbox + place) * LINE, self._there + place * LINE
        self._posted += 1
        descriptor = Descriptor(source, target, 1, self._posted, 1).pack()
        while True:
            await self._device.store(DOORBELL, descriptor)
            status = DmaStatus.unpack(await self._device.load(STATUS))
            if status.faulted:
                raise PeerError(f"the DMA engine does not reach the areas at {self._here:#x} and {self._there:#x}")
            if status.accepted >= self._posted:
                return


class Dma:
    """See `multikernel.interfaces.Transport`."""

    def lines(self, slots: int) -> int:
        """An inbox and an outbox."""
        return 2 * ring.direction(slots)

    def open(self, memory: ChannelMemory, slots: int, side: int) -> DmaEndpoint:
        if memory.device is None:
            raise LocalMisuse("a DMA link needs the registers of its device")
        return DmaEndpoint(memory.lines, memory.device, memory.here, memory.there, slots)
