"""A ring of 64-byte lines: its layout, and the halves that read and write it over any `Lines`.

Layout, the same in every implementation (here, C on the host, C on bare metal):

    direction   `slots` message lines, then one ack line; `direction(slots)` lines in all
    message     a header word (8 bytes, little-endian), then 56 bytes of payload
    header      bits 0-31 sequence number, bits 32-39 payload length, the rest zero
    sequence    of the n-th message, n from 0: `n % (2**32 - 1) + 1`; never 0, the word of a fresh line
    slot        of the n-th message: `n % slots`
    ack line    its first word is how many messages the reader has consumed since the ring was made

    Sender(lines, first, slots)    put(payload) -> bool          room() -> Watch
    Receiver(lines, first, slots)  take() -> bytes | None        watch() -> Watch

Invariants, with n the number sent, k consumed, a acknowledged:
    a <= k <= n <= a + slots        so a slot is rewritten only after its message was consumed
    k - a < ack_interval(slots)     so a full ring that is read always opens again
    the header is written last      so a message is seen whole or not at all

Coherent lines only: nothing here cleans or invalidates.  Neither half may be shared between threads.
A watch is exact after a call that returned False or None; at another time it may fire early, never late.

May not know: transports, platforms, where lines live.
"""

from __future__ import annotations

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import PAYLOAD, Lines, RingReceiver, RingSender, Watch

WORD = 8
"""Bytes of a header word and of the count on an ack line."""
_SEQUENCES = (1 << 32) - 1


def direction(slots: int) -> int:
    """Lines of one direction of a ring with a window of `slots` messages."""
    return slots + 1


def ack_interval(slots: int) -> int:
    """The reader acknowledges each time it has consumed a multiple of this many messages."""
    return max(1, slots // 2)


def sequence(index: int) -> int:
    """The sequence number of message `index`, counted from 0."""
    return index % _SEQUENCES + 1


def header(index: int, length: int) -> int:
    """The header word of message `index`, counted from 0, of `length` payload bytes."""
    return sequence(index) | length << 32


def check_payload(payload: bytes) -> None:
    """Raises LocalMisuse for a payload that does not fit a line."""
    if len(payload) > PAYLOAD:
        raise LocalMisuse(f"a message holds at most {PAYLOAD} bytes, not {len(payload)}")


def arrived(word: int, index: int, slots: int) -> int:
    """What a slot's header `word` says of message `index`: its payload length, or -1 while it has not
    come.  Raises PeerError for a word no sender of this layout writes."""
    number = word & 0xFFFF_FFFF
    length = word >> 32
    if length <= PAYLOAD:
        if number == sequence(index):
            return length
        if number == 0 and length == 0:
            return -1
        if index >= slots and number == sequence(index - slots):
            return -1
    raise PeerError(f"line {index % slots} of the ring holds header {word:#x}, expected message {sequence(index)}")


def ahead(word: int, index: int) -> int:
    """How many messages after message `index` the one with this header `word` was sent; 0 when it is that
    one or an earlier one.  For readers the writer does not wait for."""
    number = word & 0xFFFF_FFFF
    difference = (number - sequence(index)) % _SEQUENCES if number else 0
    return difference if difference < _SEQUENCES // 2 else 0


def acknowledged(word: int, acked: int, sent: int) -> int:
    """The ack line's `word`, checked.  Raises PeerError unless `acked` <= word <= `sent`."""
    if not acked <= word <= sent:
        raise PeerError(f"the reader acknowledged {word} messages, after {acked} of {sent} sent")
    return word


class Sender:
    """The writing half of the direction that begins at line `first`.

    `start` resumes a quiet ring that has carried that many messages, all consumed and acknowledged.
    """

    def __init__(self, lines: Lines, first: int, slots: int, start: int = 0) -> None:
        self._lines = lines
        self._first = first
        self._slots = slots
        self._sent = start
        self._acked = start

    async def put(self, payload: bytes) -> bool:
        """Write one message.  False, and nothing written, when the window is full; the ack line is
        read only then.  Raises LocalMisuse for more than 56 bytes, PeerError for an impossible
        acknowledgement."""
        check_payload(payload)
        if self._sent - self._acked == self._slots:
            line = await self._lines.load(self._first + self._slots)
            self._acked = acknowledged(int.from_bytes(line[:WORD], "little"), self._acked, self._sent)
            if self._sent - self._acked == self._slots:
                return False
        word = header(self._sent, len(payload))
        index = self._first + self._sent % self._slots
        await self._lines.store(index, word.to_bytes(WORD, "little") + payload.ljust(PAYLOAD, b"\0"))
        self._sent += 1
        return True

    def room(self) -> Watch:
        """Fires when the reader has acknowledged more than this half knows of."""
        return Watch(self._lines, self._first + self._slots, self._acked)


class Receiver:
    """The reading half of the direction that begins at line `first`; `start` as for `Sender`."""

    def __init__(self, lines: Lines, first: int, slots: int, start: int = 0) -> None:
        self._lines = lines
        self._first = first
        self._slots = slots
        self._interval = ack_interval(slots)
        self._taken = start
        self._seen = 0

    async def take(self) -> bytes | None:
        """The next message, or None.  Raises PeerError for a line of another layout."""
        line = await self._lines.load(self._first + self._taken % self._slots)
        word = int.from_bytes(line[:WORD], "little")
        length = word >> 32
        if word & 0xFFFF_FFFF != self._taken % _SEQUENCES + 1 or length > PAYLOAD:
            length = arrived(word, self._taken, self._slots)
        if length < 0:
            self._seen = word
            return None
        self._taken += 1
        self._seen = 0
        if self._taken % self._interval == 0:
            ack = self._taken.to_bytes(WORD, "little").ljust(WORD + PAYLOAD, b"\0")
            await self._lines.store(self._first + self._slots, ack)
        return line[WORD : WORD + length]

    def watch(self) -> Watch:
        """Fires when the next message is there."""
        return Watch(self._lines, self._first + self._taken % self._slots, self._seen)


class LinesMemory:
    """`interfaces.ChannelMemory` over any lines, with the ring halves of this file."""

    def __init__(self, lines: Lines, device: Lines | None = None, here: int = 0, there: int = 0) -> None:
        self.lines = lines
        self.device = device
        self.here = here
        self.there = there

    def sender(self, first: int, slots: int) -> RingSender:
        return Sender(self.lines, first, slots)

    def receiver(self, first: int, slots: int) -> RingReceiver:
        return Receiver(self.lines, first, slots)
