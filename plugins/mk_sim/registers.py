"""Registers of a simulated device that carries messages between cores: what its models have in common.

    Windows(entry, engine, coherence, board, holds)      a subclass is a model: it says what a store does
    pass_on(a, b, at, act, ...)                          what `b` is shown of `a`: at once, or when `holds` says

Registers are those of `multikernel.system.registers`.  A core's store to one reaches the model past the caches,
when it ends; what there is to be read the model keeps in the registers' own lines, which cores load past the
caches and may watch.  Whatever a device does it does in events of the engine, so a seed determines it.

Invariant: what a core is shown of another comes in the order in which the other gave it to the device, whatever faults
of their link hold it back.  What a core does itself it is shown at once.

A device asks two things of the platform (`Board`): to interrupt a core, and to tell the outside of a fault.
May not know: transports, what messages say.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mk_sim.holds import NEVER
from mk_sim.parameters import LINE
from multikernel.events import DeviceFault
from multikernel.system.registers import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from mk_sim.coherence import Coherence
    from mk_sim.engine import Engine
    from mk_sim.holds import Holds
    from multikernel.blueprint import DeviceEntry


class Board(Protocol):
    """What a device asks of the platform."""

    def interrupt(self, core: int, at_ps: int) -> None: ...
    def fault(self, event: DeviceFault) -> None: ...


class _Held(NamedTuple):
    """What is shown at `time` ps."""

    time: int
    act: Callable[[], None]


class Windows:
    """The registers of one device: a window of lines for each directed pair of its cores.  Subclasses are models.
    `holds` is None where everything is shown at once."""

    def __init__(
        self, entry: DeviceEntry, engine: Engine, coherence: Coherence, board: Board, holds: Holds | None
    ) -> None:
        self.entry = entry
        self.engine = engine
        self.board = board
        self.first = entry.registers.base // LINE
        self.last = (entry.registers.base + entry.registers.size) // LINE - 1
        self._coherence = coherence
        self._holds = holds
        self._held: dict[tuple[int, int], deque[_Held]] = {}
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

    def pass_on(self, a: int, b: int, at: int, act: Callable[[], None]) -> None:
        """`act` shows `b` now what `a` gave the device at `at` ps; or later, if their link is cut or late."""
        if self._holds is None:
            act()
            return
        now, held = self.engine.now, self._held.setdefault((a, b), deque())
        time = max(now, self._holds.due(a, b, at, now), held[-1].time if held else 0)
        if time <= now and not held:
            act()
            return
        held.append(_Held(time, act))
        if time < NEVER:
            self.engine.at(time, self._show_next, (a, b))

    def _show_next(self, pair: tuple[int, int]) -> None:
        self._held[pair].popleft().act()

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
