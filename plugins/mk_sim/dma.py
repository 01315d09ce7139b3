"""A simulated DMA engine: queues of descriptors, each a copy of lines from memory to memory.

A store to the doorbell of a window queues a descriptor, or finds the queue full.  There is a queue for each
directed pair of cores; where the board says the engine has fewer, pairs share them in the order of first use.
The queues share the engine's link.  A copy

    1  reads the source's lines from memory, whatever caches have: there and back over the link
    2  moves them over the link, when those before it have gone
    3  writes them: all but the first, then the first without its header word, then that
    4  counts itself done, and interrupts the core it was sent to if it was told to

Where the link of the two cores is cut or late, the header word and the interrupt come later; the queue goes on.

A message-signalled interrupt is a write that follows the data on their way (PCI Express Base Specification, 6.1.4),
so it comes when they are there.  Lines the engine does not reach, or that are not aligned, are a fault: nothing is
copied, the status counts it, the outside is told.

May not know: transports.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mk_sim.parameters import LINE
from mk_sim.registers import Windows
from multikernel.system.registers import DOORBELL, STATUS, Descriptor, DmaStatus

if TYPE_CHECKING:
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Engine
    from mk_sim.holds import Holds
    from mk_sim.registers import Board
    from multikernel.blueprint import DeviceEntry

DEPTH = 16
"""Descriptors a queue holds: 128 entries over 8 queues, Intel DSA of the Xeon Scalable of 2023 (recalled)."""
READ_PS = 550_000
"""A read of a line by a device, there and back, where the board states no latency of its link: the median that
Neugebauer et al., "Understanding PCIe performance for end host networking", SIGCOMM 2018, found (recalled)."""
HEADER = 8
"""Bytes of a line's header word."""


class Copy(NamedTuple):
    """A descriptor on its way since `rung` ps, of core `a` for `b`; `data` are the lines read, None for those out of
    reach."""

    a: int
    b: int
    descriptor: Descriptor
    rung: int
    data: tuple[bytes, ...] | None = None


class _Queue:
    """Copies accepted and not yet done; `last` is when the last of those read will be written."""

    def __init__(self) -> None:
        self.waiting: deque[Copy] = deque()
        self.last = 0


class DmaEngine(Windows):
    """See the module."""

    def __init__(
        self,
        entry: DeviceEntry,
        engine: Engine,
        coherence: Coherence,
        board: Board,
        holds: Holds | None,
        notes: list[str],
    ) -> None:
        super().__init__(entry, engine, coherence, board, holds)
        notes.append(f"device {entry.id}: descriptors a queue holds not stated, {DEPTH} taken, as of Intel DSA")
        if entry.latency_ps < 0:
            notes.append(f"device {entry.id}: latency of its link not stated, {READ_PS // 1000} ns taken for a read")
        if entry.bandwidth_mbs < 1:
            notes.append(f"device {entry.id}: bandwidth of its link not stated, nothing queues on it")
        self._read_ps = READ_PS if entry.latency_ps < 0 else 2 * entry.latency_ps
        self._queues: dict[tuple[int, int], _Queue] = {}
        self._made: list[_Queue] = []
        self._status: dict[tuple[int, int], DmaStatus] = {}
        self._link_free = 0

    def wrote(self, a: int, b: int, number: int, data: bytes) -> None:
        queue = self._queue(a, b)
        if number != DOORBELL or len(queue.waiting) == DEPTH:
            return
        copy = Copy(a, b, Descriptor.unpack(data), self.engine.now)
        queue.waiting.append(copy)
        self._count(a, b, accepted=1)
        self.engine.at(self.engine.now + self._read_ps, self._read, copy)

    def _queue(self, a: int, b: int) -> _Queue:
        queue = self._queues.get((a, b))
        if queue is None:
            if 0 < self.entry.channels <= len(self._made):
                queue = self._made[len(self._queues) % self.entry.channels]
            else:
                queue = _Queue()
                self._made.append(queue)
            self._queues[a, b] = queue
        return queue

    def _read(self, copy: Copy) -> None:
        """1 and 2.  Copies of a queue are written in the order they were accepted."""
        source, target, lines, *_ = copy.descriptor
        queue = self._queue(copy.a, copy.b)
        data = None
        if self._reaches(source, lines) and self._reaches(target, lines):
            data = tuple(self.read(source // LINE + number) for number in range(lines))
        beat_ps = max(1, LINE * 1_000_000 // self.entry.bandwidth_mbs) if self.entry.bandwidth_mbs > 0 else 1
        begun = max(self.engine.now, self._link_free if self.entry.bandwidth_mbs > 0 else 0)
        self._link_free = begun + beat_ps * (lines if data is not None else 0)
        queue.last = max(queue.last + 1, self._link_free)
        copy = copy._replace(data=data)
        self.engine.at(queue.last, self._write, copy)
        self.engine.at(queue.last + beat_ps, self._finish, copy)

    def _reaches(self, address: int, lines: int) -> bool:
        size = lines * LINE
        return (
            lines > 0
            and address % LINE == 0
            and any(span.base <= address and address + size <= span.base + span.size for span in self.entry.reaches)
        )

    def _write(self, copy: Copy) -> None:
        """3, but for the header word."""
        if copy.data is None:
            return
        target = copy.descriptor.target // LINE
        for number in range(len(copy.data) - 1, 0, -1):
            self.write(target + number, copy.data[number])
        self.write(target, self.read(target)[:HEADER] + copy.data[0][HEADER:])

    def _finish(self, copy: Copy) -> None:
        """The header word, then 4."""
        source, target, lines, *_ = copy.descriptor
        self._queue(copy.a, copy.b).waiting.popleft()
        if copy.data is None:
            self.fault(copy.a, f"cannot copy {lines} lines from {source:#x} to {target:#x}: not memory it reaches")
            self._count(copy.a, copy.b, done=1, faulted=1)
            return
        self._count(copy.a, copy.b, done=1)
        self.pass_on(copy.a, copy.b, copy.rung, partial(self._arrive, copy.b, copy.descriptor, copy.data[0]))

    def _arrive(self, b: int, descriptor: Descriptor, first: bytes) -> None:
        self.write(descriptor.target // LINE, first)
        if descriptor.interrupt:
            self.interrupt(b)

    def _count(self, a: int, b: int, done: int = 0, accepted: int = 0, faulted: int = 0) -> None:
        status = self._status.get((a, b), DmaStatus(0, 0, 0))
        status = DmaStatus(status.done + done, status.accepted + accepted, status.faulted + faulted)
        self._status[a, b] = status
        self.show(a, b, STATUS, status.pack())
