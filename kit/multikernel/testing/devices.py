"""Devices that carry messages, for tests of transports over them: two sides in one process, at their most unkind.

    DmaMemory(lines, coherent, registers)        each side has `lines` lines of its own, and a DMA engine's window
    MailboxMemory(0, coherent, registers)        each side has a mailbox's window and no memory

Both are a `SharedMemory` (`testing/memory.py`) to a schedule and to the suite.  What is unkind beside it:

    a store to a device overtakes those to memory that are under way, until a fence
    the engine reads memory, past every cache and as soon as it may, and writes it under every copy
    the engine takes a step at a time: reads, writes the payload, writes the header; and one queue goes on
    while the other stands still
    a queue holds two descriptors and refuses more

Garbage comes from the peer: in the areas, or as a fragment; what a device's registers say is the device's.
`drain(side)` lets the side's stores go, and then the queue that side fills; `settle()` all.
Registers are laid out as `system/registers.py` says.  May not know: transports.
"""

from __future__ import annotations

from collections import deque

from multikernel.interfaces import LINE, Watch
from multikernel.system.registers import (
    DOORBELL,
    FILL,
    HEAD,
    STATUS,
    TAKE,
    WINDOW,
    Descriptor,
    DmaStatus,
    MailboxStatus,
)
from multikernel.system.ring import LinesMemory
from multikernel.system.words import NATIVE, ConvertedLines, Registers, Words
from multikernel.testing.memory import SharedMemory, SideWords

BASE = 0x10_0000
"""Physical address of side 0's area; side 1's follows it."""


class DeviceMemory(SharedMemory):
    """Two areas of `own` lines, side 0's first, then the two windows.  Subclasses are the device: `stored` and
    `step`."""

    def __init__(self, own: int, coherent: bool, registers: tuple[Registers, Registers] = (NATIVE, NATIVE)) -> None:
        super().__init__(2 * own + 2 * WINDOW, coherent, registers)
        self.own = own
        self._posted: tuple[deque[tuple[int, bytes]], ...] = (deque(), deque())
        self._areas = tuple(self._part(side, side * own, own) for side in (0, 1))
        self._windows = tuple(self._part(side, self.register(side, 0), WINDOW) for side in (0, 1))

    def _part(self, side: int, first: int, count: int) -> ConvertedLines:
        return ConvertedLines(PartWords(self, side, first, count), self.registers[side])

    def channel(self, side: int) -> LinesMemory:
        here, there = (BASE + number * self.own * LINE for number in (side, 1 - side))
        return LinesMemory(self._areas[side], self._windows[side], here, there)

    def register(self, side: int, number: int) -> int:
        """The index of line `number` of a side's window."""
        return 2 * self.own + side * WINDOW + number

    @property
    def places(self) -> int:
        """The areas: a device's registers are its own."""
        return 2 * self.own

    def index(self, side: int, watch: Watch) -> int:
        window = watch.lines is self._windows[side]
        return self.register(side, watch.index) if window else side * self.own + watch.index

    # The device, for subclasses

    def stored(self, side: int, number: int, line: bytes) -> None:
        """A store of `side` has reached line `number` of its window."""
        raise NotImplementedError

    def step(self, side: int) -> bool:
        """The queue that `side` fills goes a step on; False when there is nothing to do."""
        return False

    # Memory

    def store(self, side: int, index: int, line: bytes) -> None:
        if index < 2 * self.own:
            super().store(side, index, line)
        else:
            self._posted[side].append((index, bytes(line)))

    def load(self, side: int, index: int) -> bytes:
        if index < 2 * self.own:
            return super().load(side, index)
        self._post(side)
        return self.lines[index]

    def fetch(self, side: int, index: int) -> None:
        if index < 2 * self.own:
            super().fetch(side, index)

    def drain(self, side: int) -> bool:
        return self._post(side) or super().drain(side) or self.step(side)

    def fence(self, side: int) -> None:
        while self._post(side) or super().drain(side):
            pass

    def snapshot(self) -> tuple[bytes, ...]:
        return (*super().snapshot(), *(b"%d" % index + line for posted in self._posted for index, line in posted))

    def _post(self, side: int) -> bool:
        """The side's stores to its window reach the device."""
        posted = self._posted[side]
        reached = bool(posted)
        while posted:
            index, line = posted.popleft()
            self.stored(side, index - self.register(side, 0), line)
        return reached


class PartWords(SideWords):
    """`count` lines from line `first` on, as `side` sees them."""

    def __init__(self, memory: DeviceMemory, side: int, first: int, count: int) -> None:
        super().__init__(memory, side)
        self.first = first
        self.count = count

    async def load(self, index: int) -> Words:
        return await super().load(self._line(index))

    async def store(self, index: int, words: Words) -> None:
        await super().store(self._line(index), words)

    async def clean(self, index: int) -> None:
        await super().clean(self._line(index))

    async def invalidate(self, index: int) -> None:
        await super().invalidate(self._line(index))

    def _line(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"line {index} of {self.count}")
        return self.first + index


class DmaMemory(DeviceMemory):
    """See the module.  A refused descriptor lets its queue go a step on: time has passed."""

    DEPTH = 2

    def __init__(self, own: int, coherent: bool, registers: tuple[Registers, Registers] = (NATIVE, NATIVE)) -> None:
        super().__init__(own, coherent, registers)
        self._queues: tuple[deque[Descriptor], ...] = (deque(), deque())
        self._read: list[bytes | None] = [None, None]
        self._halfway = [False, False]
        self._status = [DmaStatus(0, 0, 0), DmaStatus(0, 0, 0)]

    def stored(self, side: int, number: int, line: bytes) -> None:
        if number != DOORBELL:
            return
        if len(self._queues[side]) == self.DEPTH:
            self.step(side)
            return
        self._queues[side].append(Descriptor.unpack(line))
        self._show(side, self._status[side]._replace(accepted=self._status[side].accepted + 1))
        if len(self._queues[side]) == 1:
            self.step(side)

    def step(self, side: int) -> bool:
        """Read the line; write its payload under the header that was there; write the header."""
        if not self._queues[side]:
            return False
        descriptor = self._queues[side][0]
        source, target = ((address - BASE) // LINE for address in (descriptor.source, descriptor.target))
        line = self._read[side]
        if not (0 <= source < 2 * self.own and 0 <= target < 2 * self.own):
            self._end(side, faulted=1)
        elif line is None:
            self._read[side] = self.lines[source]
        elif not self._halfway[side]:
            self._halfway[side] = True
            self.lines[target] = self.lines[target][:8] + line[8:]
        else:
            self.lines[target] = line
            self._end(side, faulted=0)
        return True

    def _end(self, side: int, faulted: int) -> None:
        self._queues[side].popleft()
        self._read[side], self._halfway[side] = None, False
        status = self._status[side]
        self._show(side, status._replace(done=status.done + 1, faulted=status.faulted + faulted))

    def _show(self, side: int, status: DmaStatus) -> None:
        self._status[side] = status
        self.lines[self.register(side, STATUS)] = status.pack()


class MailboxMemory(DeviceMemory):
    """See the module.  Each side has `BUFFERS` to fill, of as many bytes as `SIZES` says."""

    BUFFERS = 128
    SIZES = (32, 4)

    def __init__(self, own: int, coherent: bool, registers: tuple[Registers, Registers] = (NATIVE, NATIVE)) -> None:
        super().__init__(own, coherent, registers)
        self._full: tuple[deque[bytes], ...] = (deque(), deque())  # filled by side 0, by side 1
        self._filled, self._emptied = [0, 0], [0, 0]
        self._show()

    @property
    def places(self) -> int:
        return 1

    def spoil(self, place: int, line: bytes) -> None:
        """Side 0 fills a buffer with `line`."""
        self.stored(0, FILL, line)

    def place(self, side: int, watch: Watch) -> int:
        return 0

    def stored(self, side: int, number: int, line: bytes) -> None:
        if number == FILL and len(self._full[side]) < self.BUFFERS:
            self._full[side].append(line[: self.SIZES[side]])
            self._filled[side] += 1
        elif number == TAKE and self._full[1 - side]:
            self._full[1 - side].popleft()
            self._emptied[1 - side] += 1
        self._show()

    def _show(self) -> None:
        for side, peer in ((0, 1), (1, 0)):
            filled, emptied = self._filled[side], self._emptied[side]
            arrived, taken = self._filled[peer], self._emptied[peer]
            status = MailboxStatus(
                arrived + emptied, arrived, taken, filled, emptied, self.BUFFERS, self.SIZES[side], self.SIZES[peer]
            )
            self.lines[self.register(side, STATUS)] = status.pack()
            oldest = self._full[peer][0] if self._full[peer] else b""
            self.lines[self.register(side, HEAD)] = oldest.ljust(LINE, b"\0")
