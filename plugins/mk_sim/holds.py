"""What a core does not see yet of what others stored: links that are cut or late, and jitter.

    holds.stored(core, line, data, at)      a core stores a line of a channel
    holds.look(core, line, data, at, ...)   what a core sees of the line, whose content has come to it as `data`
    holds.due(core, peer, at, come)         when what `core` gave a device for `peer` is to come out of it
    holds.begin(core, peer, ...)            from now on, for what `core` stores for `peer`

Caches and interconnect work as always; this stands between what has come to a core and what its software and its poll
loops are shown.  A line's contents are shown in the order in which they were stored, each when its time has come; until
then the core sees the one before.  A ring is read slot by slot, and a slot is written again only when it was read: so a
channel is FIFO whatever the times of its lines are.

Bells are never held: a fence and then a look at a bell would otherwise promise what is not so.  Registers of devices,
and what devices write, are not held here: the device itself asks when it may show them (`registers.py`).  Frames of
programs, which are no channels, are not concerned.

May not know: what lines carry, when faults strike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from mk_sim.parameters import LINE
from mk_sim.poller import LineAlarms
from mk_sim.records import ZERO
from mk_sim.stream import Stream
from multikernel.system.layout import BELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mk_sim.coherence import Coherence
    from mk_sim.engine import Actor, Engine
    from multikernel.blueprint import Blueprint
    from multikernel.system.layout import Layout
    from multikernel.system.words import Registers

NEVER: Final = 1 << 63
"""A time, ps, that does not come."""
KEPT = 8
"""Contents of a line that are remembered: an acknowledgement may overtake some before they are seen."""
JITTER_STREAMS: Final = 1 << 32
"""Number of the first of the readers' streams; those of the cores themselves are numbered from 0."""


class Window(NamedTuple):
    """What is stored from `first` until before `end` ps comes `late_ps` late; None: not before `end`."""

    first: int
    end: int
    late_ps: int | None


class Version(NamedTuple):
    """A content of a line: the how many-th, who stored it, when."""

    number: int
    core: int
    at: int
    data: bytes


class View:
    """What one core sees of a line: `shown`, and after that the versions that have come and wait for their time."""

    __slots__ = ("newest", "shown", "waiting")

    def __init__(self) -> None:
        self.shown = ZERO
        self.newest = -1
        self.waiting: deque[tuple[int, bytes]] = deque()


class Holds:
    """See the module.  `jitter_ps` is the most that a line is held for no other reason: a stream for each reader, so
    that what one core sees late does not depend on what another looks at."""

    def __init__(self, engine: Engine, blueprint: Blueprint, layout: Layout, jitter_ps: int) -> None:
        self._engine = engine
        self._layout = layout
        self._jitter_ps = jitter_ps
        self._streams = {core.id: Stream(engine.seed, JITTER_STREAMS + core.id) for core in blueprint.cores}
        self._windows: dict[tuple[int, int], list[Window]] = {}
        self._versions: dict[int, deque[Version]] = {}
        self._stored = 0
        self._views: dict[int, dict[int, View]] = {}
        self._alarms: dict[int, HeldAlarms] = {}
        exempt = [(area.base, BELLS * LINE) for core in blueprint.cores for area in layout.areas(core.id)]
        exempt += [(device.registers.base, device.registers.size) for device in blueprint.devices]
        exempt.sort()
        self._firsts = [base // LINE for base, _ in exempt]
        self._ends = [(base + size) // LINE for base, size in exempt]

    def begin(self, core: int, peer: int, first: int, end: int, late_ps: int | None) -> None:
        """From `first` until before `end` ps what `core` stores comes to `peer` `late_ps` late, or, None, not before
        `end`."""
        self._windows.setdefault((core, peer), []).append(Window(first, end, late_ps))

    def listen(self, core: int, alarms: HeldAlarms) -> None:
        """`alarms` are told when a line that was held is shown to `core`."""
        self._alarms[core] = alarms

    def forget(self, core: int) -> None:
        """`core` is started anew and has seen nothing."""
        for views in self._views.values():
            views.pop(core, None)

    def stored(self, core: int, line: int, data: bytes, at: int) -> None:
        """`core` stores `data`, at `at` ps of its clock.  A line that is cleared begins anew."""
        place = bisect_right(self._firsts, line) - 1
        if place >= 0 and line < self._ends[place]:
            return
        if data == ZERO:
            self._versions.pop(line, None)
            self._views.pop(line, None)
            return
        self._stored += 1
        versions = self._versions.get(line)
        if versions is None:
            versions = self._versions[line] = deque(maxlen=KEPT)
        versions.append(Version(self._stored, core, at, data))

    def look(self, core: int, line: int, data: bytes, at: int, arriving: bool = False) -> bytes:
        """What `core` sees of `line` at `at` ps, when its cache or memory gives `data`.  `arriving`: it spins on the
        line, and this has come now; else it may have come before."""
        versions = self._versions.get(line)
        if versions is None:
            return data
        version = next((version for version in reversed(versions) if version.data == data), None)
        views = self._views.setdefault(line, {})
        view = views.get(core)
        if view is None:
            view = views[core] = View()
        if version is None or version.core == core:  # a device's, or its own
            if version is not None or data != ZERO:
                view.shown = data
                view.waiting.clear()
            return view.shown
        while view.waiting and view.waiting[0][0] <= at:
            view.shown = view.waiting.popleft()[1]
        if version.number > view.newest:
            view.newest = version.number
            self._arrive(core, line, view, version, at, arriving)
        return view.shown

    def _arrive(self, core: int, line: int, view: View, version: Version, at: int, arriving: bool) -> None:
        """A version new to `core`: shown now, or at its time and not before those that wait."""
        time = max(at, self.due(version.core, core, version.at, at if arriving else version.at))
        if view.waiting:
            time = max(time, view.waiting[-1][0])
        if time <= at:
            view.shown = version.data
            return
        view.waiting.append((time, version.data))
        if time < NEVER:
            self._engine.at(max(time, self._engine.now), self._show, (core, line))

    def due(self, core: int, peer: int, at: int, come: int) -> int:
        """When `peer` is to see what `core` stored for it at `at` ps, and what it could see since `come` ps."""
        late, least = 0, 0
        if self._jitter_ps:
            late = self._streams[peer].below(self._jitter_ps + 1)
        for window in self._windows.get((core, peer), ()):
            if window.first <= at < window.end:
                if window.late_ps is None:
                    least = max(least, window.end)
                else:
                    late += window.late_ps
        return max(come + late, least)

    def _show(self, where: tuple[int, int]) -> None:
        core, line = where
        alarms = self._alarms.get(core)
        if alarms is not None:
            alarms.shown(line)

    def bells(self, core: int, dispatcher: int) -> Sequence[int]:
        """The lines of the bells of a dispatcher."""
        return [address // LINE for address in self._layout.bells(core, dispatcher)]


class HeldAlarms(LineAlarms):
    """Alarms of a core that is shown some lines later.  `interrupt` interrupts the core: who sent a line that was held
    has looked at the bell before it could be seen, so that the bell is looked at again."""

    def __init__(
        self,
        coherence: Coherence,
        core: int,
        actor: Actor,
        registers: Registers,
        holds: Holds,
        interrupt: Callable[[], None],
    ) -> None:
        super().__init__(coherence, core, actor, registers)
        self._holds = holds
        self._interrupt = interrupt
        holds.listen(core, self)

    def poke(self, value: int, time: int) -> None:
        self._look(value - 1, arriving=True)
        super().poke(value, time)

    def shown(self, line: int) -> None:
        """`line` shows something else from now on."""
        pollers = [number for number, _ in self._armed.get(line, ())]
        super().poke(line + 1, self._coherence.engine.now)
        if any(self._up(bell) for number in pollers for bell in self._holds.bells(self._core, number)):
            self._interrupt()

    def _up(self, bell: int) -> bool:
        coherence = self._coherence
        return any(coherence.peek(self._core, bell)) or any(coherence.peek_memory(bell))

    def _look(self, line: int, arriving: bool = False) -> bytes:
        coherence = self._coherence
        data = coherence.peek_memory(line) if line in self._in_memory else coherence.peek(self._core, line)
        return self._holds.look(self._core, line, data, coherence.engine.now, arriving)

    def _word(self, line: int) -> int:
        return self._first(self._look(line))
