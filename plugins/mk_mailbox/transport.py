"""Messages through a hardware mailbox: a few small buffers each way, and an interrupt when one is filled.

Registers are those of `multikernel.system.registers`; no memory is shared.  A message is the header word of the
kit's ring and its payload, cut into fragments that fill a buffer each:

    send    fragments wait here until buffers are free; each is then filled, in order
    take    the oldest fragment is read and its buffer freed, which the sender sees: that acknowledges it
    window  messages not wholly taken; what a full mailbox holds back counts

Both halves move what waits whenever they are called, and STATUS, which is watched, changes when a fragment came
and when one of ours was taken: whoever waits on either watch and then calls again gets every fragment on its way.

Invariant: fragments of one message are consecutive; a message begins a fragment.
May not know: platforms, how many buffers there are before it has asked.
"""

from __future__ import annotations

from collections import deque

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import LINE, PAYLOAD, ChannelMemory, Lines, Watch
from multikernel.system import ring
from multikernel.system.registers import FILL, HEAD, STATUS, TAKE, MailboxStatus

_MORE = (1 << 64) - 1
"""No count of events: a watch for this word is true at once."""


class MailboxEndpoint:
    """See `multikernel.interfaces.Endpoint`."""

    ack_interval = 1

    def __init__(self, device: Lines, slots: int) -> None:
        self._device = device
        self._slots = slots
        self._status = MailboxStatus(0, 0, 0, 0, 0, 0, 0, 0)  # as last seen; no buffers: not yet seen
        self._sent = 0
        self._ends: deque[int] = deque()  # of each message not wholly taken, the number of its last fragment
        self._cut = 0
        self._backlog: deque[bytes] = deque()
        self._filled = 0
        self._received = 0
        self._part = b""
        self._taken = 0
        self._word = 0
        self._room_word = 0

    async def try_send(self, payload: bytes) -> bool:
        ring.check_payload(payload)
        if len(self._ends) == self._slots or self._filled - self._status.emptied >= self._status.slots:
            await self._look()
            await self._pump()
            if len(self._ends) == self._slots:
                self._room_word = self._status.events
                return False
        size = min(self._status.size, LINE)
        message = ring.header(self._sent, len(payload)).to_bytes(ring.WORD, "little") + payload
        fragments = [message[at : at + size] for at in range(0, len(message), size)]
        self._sent += 1
        self._cut += len(fragments)
        self._ends.append(self._cut)
        self._backlog.extend(fragments)
        await self._pump()
        return True

    async def poll(self) -> bytes | None:
        await self._look()
        await self._pump()
        while self._taken < self._status.arrived:
            fragment = (await self._device.load(HEAD))[: self._status.theirs]
            await self._device.store(TAKE, bytes(LINE))
            await self._device.fence()
            self._taken += 1
            payload = self._joined(fragment)
            if payload is not None:
                self._word = self._status.events if self._taken == self._status.arrived else _MORE
                return payload
        self._word = self._status.events
        return None

    def watch(self) -> Watch:
        return Watch(self._device, STATUS, self._word)

    def room(self) -> Watch:
        return Watch(self._device, STATUS, self._room_word)

    async def _look(self) -> None:
        """Read STATUS; messages wholly taken make room."""
        self._status = MailboxStatus.unpack(await self._device.load(STATUS))
        while self._ends and self._ends[0] <= self._status.emptied:
            self._ends.popleft()

    async def _pump(self) -> None:
        """Fill the buffers that are free, as far as is known."""
        while self._backlog and self._filled - self._status.emptied < self._status.slots:
            await self._device.store(FILL, self._backlog.popleft().ljust(LINE, b"\0"))
            self._filled += 1

    def _joined(self, fragment: bytes) -> bytes | None:
        """The message that `fragment` completes.  Raises PeerError for what no sender of this layout cuts."""
        self._part += fragment
        if len(self._part) < ring.WORD:
            return None
        word = int.from_bytes(self._part[: ring.WORD], "little")
        length = word >> 32
        if length > PAYLOAD or word != ring.header(self._received, length):
            self._part = b""
            raise PeerError(f"the mailbox holds header {word:#x}, expected message {ring.sequence(self._received)}")
        if len(self._part) < ring.WORD + length:
            return None
        payload, self._part = self._part[ring.WORD : ring.WORD + length], b""
        self._received += 1
        return payload


class Mailbox:
    """See `multikernel.interfaces.Transport`."""

    def lines(self, slots: int) -> int:
        """None: messages go through the device."""
        return 0

    def open(self, memory: ChannelMemory, slots: int, side: int) -> MailboxEndpoint:
        if memory.device is None:
            raise LocalMisuse("a mailbox link needs the registers of its device")
        return MailboxEndpoint(memory.device, slots)
