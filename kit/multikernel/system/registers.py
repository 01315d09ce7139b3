"""Registers of the devices that carry messages between cores, as the kit lays them out.

A device has a window of `WINDOW` lines for each directed pair of cores: core a's towards core b.  Registers are
words of 8 bytes, little-endian, and are loaded and stored a line at a time, past the caches.

mailbox, a's window towards b      buffers each way, each filled by one core and taken by the other
    line 0   STATUS   what `MailboxStatus` says; its first word changes with everything that happens
    line 1   HEAD     the oldest fragment b has filled and a has not taken; zero where there is none
    line 2   FILL     a store fills a's next buffer with the line's first `size` bytes and interrupts b;
                      ignored while all are full
    line 3   TAKE     a store frees the buffer HEAD shows; b is interrupted if none of its buffers was free

DMA engine, a's window towards b   a queue of descriptors, which other pairs may share
    line 0   STATUS   what `DmaStatus` says
    line 2   DOORBELL a store of a `Descriptor` queues it; a full queue refuses, which `accepted` shows

Real ones: the Zynq UltraScale+ IPI has a buffer of 32 bytes each way for each pair of agents (UG1085, chapter 13),
OMAP mailboxes a FIFO of four 4-byte words (AM572x TRM, chapter 19), both with an interrupt when a message has come
and when there is room; ENQCMD stores a 64-byte descriptor to a queue shared by many and says whether it was
accepted (Intel SDM vol. 2A, ENQCMD).

Interface: the lines' numbers, `MailboxStatus`, `DmaStatus`, `Descriptor`, each with `pack()` and `unpack(line)`.
May not know: who uses a window, what is sent.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from multikernel.interfaces import LINE

WINDOW = 4
"""Lines of a directed pair's window."""
STATUS = 0
HEAD = 1
FILL = 2
TAKE = 3
DOORBELL = 2
_WORDS = Struct("<8Q")


def _packed(*words: int) -> bytes:
    return _WORDS.pack(*words, *(0,) * (LINE // 8 - len(words)))


class MailboxStatus(NamedTuple):
    """`events`: `arrived` + `emptied`.  `arrived`: fragments the peer has filled since power came on; `taken` of
    them by this core.  `filled` by this core; `emptied` of them by the peer.  A core has `slots` buffers of `size`
    bytes to fill; so `filled` - `emptied` <= `slots`.  The peer's are of `theirs` bytes."""

    events: int
    arrived: int
    taken: int
    filled: int
    emptied: int
    slots: int
    size: int
    theirs: int

    def pack(self) -> bytes:
        return _packed(*self)

    @classmethod
    def unpack(cls, line: bytes) -> MailboxStatus:
        return cls(*_WORDS.unpack(line))


class DmaStatus(NamedTuple):
    """Descriptors of this window since power came on: `done`, of those `accepted`; `faulted` of those done named
    memory the engine does not reach."""

    done: int
    accepted: int
    faulted: int

    def pack(self) -> bytes:
        return _packed(*self)

    @classmethod
    def unpack(cls, line: bytes) -> DmaStatus:
        return cls(*_WORDS.unpack(line)[:3])


class Descriptor(NamedTuple):
    """Copy `lines` lines of memory from physical address `source` to `target`, the first word of the first line
    last; then, if `interrupt` is 1, interrupt the peer.  `number` counts this window's from 1."""

    source: int
    target: int
    lines: int
    number: int
    interrupt: int

    def pack(self) -> bytes:
        return _packed(*self)

    @classmethod
    def unpack(cls, line: bytes) -> Descriptor:
        return cls(*_WORDS.unpack(line)[:5])
