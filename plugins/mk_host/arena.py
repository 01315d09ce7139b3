"""The memory an instance's processes share: one sparse anonymous file, mapped before they fork.

    arena = Arena(ring, cores, size)      `size` bytes of physical memory, a control line a core
    arena.lines(address, count)           channel memory at a physical address
    arena.read  write  zero               physical memory as bytes (`system/physical_memory.py`)
    arena.bell(core)                      where a core waits; arena.interrupt(core, kind) wakes it
    arena.release(core, channel, slots)   and await_release(core): the start of a core
    arena.put_input(text)  take_input()   one text at a time from outside to the boot core

Layout of the file: a page of input, the control lines, then physical memory on a page of its own.

    input           word 0 its length in bytes, 0 when it was taken; then the text
    control line    word 0 pending interrupts and word 1 the futex, as `_ring.c` tells; words 2 and 3 the
                    boot channel's address and window, valid once RELEASE was posted

It has no name anywhere: `memfd_create`, so nothing of it is left when the last process is gone.

May not know: what is in physical memory.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import NamedTuple

from mk_host.shared import RawBell, RawLines, RingModule
from multikernel.errors import LocalMisuse, PlatformError
from multikernel.interfaces import LINE

IPI, RELEASE, POWER_OFF, KNOCK = range(4)
"""Interrupts: another core's (or input), the start, and the end."""
PAGE = 4096
LARGEST_INPUT = PAGE - 8
"""Bytes of an input."""
_FOREVER_NS = 1_000_000_000
_PUNCH = 1 << 20
"""From this many bytes on memory is zeroed by giving its pages back."""


class Released(NamedTuple):
    """Where a core finds its boot channel."""

    channel: int
    slots: int


class Arena:
    """See the module.  `size` is rounded up to pages; pages take room once they are written."""

    def __init__(self, ring: RingModule, cores: Sequence[int], size: int) -> None:
        self._ring = ring
        self._index = {core: index for index, core in enumerate(cores)}
        control = -(-len(cores) * LINE // PAGE) * PAGE
        self._base = PAGE + control
        self.size = -(-size // PAGE) * PAGE
        descriptor = os.memfd_create("multikernel", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, self._base + self.size)
            self._map = mmap.mmap(descriptor, self._base + self.size)
        except OSError as error:
            raise PlatformError(f"{self.size} bytes of shared memory cannot be mapped: {error.strerror}") from None
        finally:
            os.close(descriptor)
        self._input = ring.Lines(self._map, 0, PAGE // LINE)
        self._control = ring.Lines(self._map, PAGE, control // LINE)
        self.memory = ring.Lines(self._map, self._base, self.size // LINE)
        """All of physical memory, for words by their address."""

    # Physical memory

    def lines(self, address: int, count: int) -> RawLines:
        """LookupError unless the lines are there."""
        if address < 0 or count < 1 or address + count * LINE > self.size:
            raise LookupError(f"no memory for {count} lines at {address:#x}")
        return self._ring.Lines(self._map, self._base + address, count)

    def read(self, address: int, size: int) -> bytes:
        at = self._at(address, size)
        return self._map[at : at + size]

    def write(self, address: int, data: bytes) -> None:
        at = self._at(address, len(data))
        self._map[at : at + len(data)] = data

    def zero(self, address: int, size: int) -> None:
        at = self._at(address, size)
        if size >= _PUNCH:
            first, last = -(-at // PAGE) * PAGE, (at + size) // PAGE * PAGE
            self._map.madvise(mmap.MADV_REMOVE, first, last - first)
            self._map[at:first] = bytes(first - at)
            self._map[last : at + size] = bytes(at + size - last)
        else:
            self._map[at : at + size] = bytes(size)

    def _at(self, address: int, size: int) -> int:
        if address < 0 or address + size > self.size:
            raise LookupError(f"no memory for {size} bytes at {address:#x}")
        return self._base + address

    # Control

    def bell(self, core: int) -> RawBell:
        """KeyError for a core that is not of this instance."""
        return self._ring.Bell(self._control, self._index[core])

    def interrupt(self, core: int, kind: int = IPI) -> None:
        """Make an interrupt pending and wake the core."""
        self.bell(core).post(kind)

    def release(self, core: int, channel: int, slots: int) -> None:
        """Let `core` begin."""
        line = self._index[core] * LINE
        self._control.store_word(line + 16, channel)
        self._control.store_word(line + 24, slots)
        self.interrupt(core, RELEASE)

    def await_release(self, core: int) -> Released | None:
        """Sleep until `core`, which calls this, is released or (None) powered off.  Interrupts posted
        before are forgotten."""
        bell = self.bell(core)
        while not (taken := bell.take()) & (1 << RELEASE | 1 << POWER_OFF):
            bell.wait(None, 0, 0, _FOREVER_NS)
        if taken & 1 << POWER_OFF:
            return None
        line = self._index[core] * LINE
        return Released(self._control.load_word(line + 16), self._control.load_word(line + 24))

    # Input

    def put_input(self, text: bytes) -> bool:
        """False when the text before was not taken yet.  The reader's core has to be interrupted."""
        if not 0 < len(text) <= LARGEST_INPUT:
            raise LocalMisuse(f"an input has 1 to {LARGEST_INPUT} bytes, not {len(text)}")
        if self._input.load_word(0):
            return False
        self._map[8 : 8 + len(text)] = text
        self._input.store_word(0, len(text))
        return True

    def take_input(self) -> bytes:
        """The text that was put, or nothing."""
        length = self._input.load_word(0)
        text = self._map[8 : 8 + length]
        if length:
            self._input.store_word(0, 0)
        return text
