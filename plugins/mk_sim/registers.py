"""Registers of a simulated device that carries messages between cores: what its models have in common.

    Windows(entry, engine, coherence, board)      a subclass is a model: it says what a store does

Registers are those of `multikernel.system.registers`.  A core's store to one reaches the model past the caches,
when it ends; what there is to be read the model keeps in the registers' own lines, which cores load past the
caches and may watch.  Whatever a device does it does in events of the engine, so a seed determines it.

A device asks two things of the platform (`Board`): to interrupt a core, and to tell the outside of a fault.
May not know: transports, what messages say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mk_sim.parameters import LINE
from multikernel.events import DeviceFault
from multikernel.system.registers import WINDOW

if TYPE_CHECKING:
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Engine
    from multikernel.blueprint import DeviceEntry


class Board(Protocol):
    """What a device asks of the platform."""

    def interrupt(self, core: int, at_ps: int) -> None: ...
    def fault(self, event: DeviceFault) -> None: ...


class Windows:
    """The registers of one device: a window of lines for each directed pair of its cores.  Subclasses are models."""

    def __init__(self, entry: DeviceEntry, engine: Engine, coherence: Coherence, board: Board) -> None:
        self.entry = entry
        self.engine = engine
        self.board = board
        self.first = entry.registers.base // LINE
        self.last = (entry.registers.base + entry.registers.size) // LINE - 1
        self._coherence = coherence
        self._places = {core: place for place, core in enumerate(entry.cores)}
        self._near = dict.fromkeys(entry.near)
        self._way_ps = max(0, 2 * entry.latency_ps)
        coherence.attach(self)

    def way_ps(self, core: int) -> int:
        return 0 if core in self._near else self._way_ps

    def stored(self, core: int, line: int, data: bytes) -> None:
        cores = self.entry.cores
        window, number = divmod(line - self.first, WINDOW)
        if window < len(cores) ** 2:
            self.wrote(cores[window // len(cores)], cores[window % len(cores)], number, data)

    def wrote(self, a: int, b: int, number: int, data: bytes) -> None:
        """Core `a` has stored `data` to line `number` of its window towards `b`."""
        raise NotImplementedError

    def show(self, a: int, b: int, number: int, data: bytes) -> None:
        """From now on `a` reads `data` in line `number` of its window towards `b`."""
        window = self._places[a] * len(self._places) + self._places[b]
        self._coherence.write_memory(self.first + window * WINDOW + number, data)

    def read(self, line: int) -> bytes:
        """Memory, past the caches."""
        return self._coherence.peek_memory(line)

    def write(self, line: int, data: bytes) -> None:
        """Memory, past the caches."""
        self._coherence.write_memory(line, data)

    def interrupt(self, core: int) -> None:
        self.board.interrupt(core, self.engine.now)

    def fault(self, core: int, text: str) -> None:
        """The device cannot do what `core` told it."""
        self.board.fault(DeviceFault(self.engine.now // 1000, core, self.entry.id, text))
