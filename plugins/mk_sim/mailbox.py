"""A simulated hardware mailbox: buffers that one core fills and another takes, and interrupts.

For each directed pair of cores that a row of the board covers there are `slots` buffers of `bytes` bytes.  Filling
one interrupts the core it is for; taking one interrupts the core that filled it, if that saw all its buffers full.
Where their link is cut or late, the other core sees a buffer filled, or free, later, and is interrupted then.

May not know: transports.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from mk_sim.parameters import LINE
from mk_sim.registers import Windows
from multikernel.system.registers import FILL, HEAD, STATUS, TAKE, MailboxStatus

if TYPE_CHECKING:
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Engine
    from mk_sim.holds import Holds
    from mk_sim.registers import Board
    from multikernel.blueprint import DeviceEntry

SLOTS, BYTES = 1, 4
"""Taken where the board does not say: one register of 32 bits, the least possible."""


class _Way:
    """The buffers that one core fills for another: `filled` and `emptied` so far; the other has seen that `arrived` of
    them are filled, and it itself that `freed` are empty again."""

    def __init__(self, slots: int, size: int) -> None:
        self.slots = slots
        self.size = size
        self.full: deque[bytes] = deque()
        self.filled = 0
        self.arrived = 0
        self.emptied = 0
        self.freed = 0


class Mailbox(Windows):
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
        self._ways: dict[tuple[int, int], _Way] = {}
        for row in entry.buffers:
            if row.slots < 1:
                notes.append(f"device {entry.id}: buffers not stated, {SLOTS} taken, the least possible")
            if row.bytes < 1:
                notes.append(f"device {entry.id}: bytes of a buffer not stated, {BYTES} taken, the least possible")
            slots, size = row.slots if row.slots > 0 else SLOTS, min(row.bytes if row.bytes > 0 else BYTES, LINE)
            for a in row.src:
                for b in row.dst:
                    self._ways.setdefault((a, b), _Way(slots, size))
        for a, b in self._ways:
            self._tell(a, b)

    def wrote(self, a: int, b: int, number: int, data: bytes) -> None:
        ours, theirs = self._ways.get((a, b)), self._ways.get((b, a))
        if number == FILL and ours is not None and len(ours.full) < ours.slots:
            ours.full.append(data[: ours.size])
            ours.filled += 1
            self._tell(a, b)
            self.pass_on(a, b, self.engine.now, partial(self._arrive, a, b))
        elif number == TAKE and theirs is not None and theirs.emptied < theirs.arrived:
            theirs.full.popleft()
            theirs.emptied += 1
            self._tell(a, b)
            self.pass_on(a, b, self.engine.now, partial(self._free, a, b))

    def _arrive(self, a: int, b: int) -> None:
        """`b` sees a buffer that `a` has filled."""
        self._ways[a, b].arrived += 1
        self._tell(b, a)
        self.interrupt(b)

    def _free(self, a: int, b: int) -> None:
        """`b` sees that `a` has taken one of its buffers."""
        way = self._ways[b, a]
        stuck = way.filled - way.freed == way.slots
        way.freed += 1
        self._tell(b, a)
        if stuck:
            self.interrupt(b)

    def _tell(self, a: int, b: int) -> None:
        """What `a` reads in its window towards `b`."""
        nothing = _Way(0, 0)
        ours, theirs = self._ways.get((a, b), nothing), self._ways.get((b, a), nothing)
        status = MailboxStatus(
            theirs.arrived + ours.freed, theirs.arrived, theirs.emptied,
            ours.filled, ours.freed, ours.slots, ours.size, theirs.size,
        )  # fmt: skip
        head = theirs.full[0] if theirs.emptied < theirs.arrived else b""
        self.show(a, b, HEAD, head.ljust(LINE, b"\0"))
        self.show(a, b, STATUS, status.pack())
