"""How a simulated core polls: the watches of its dispatchers, and when a poll loop comes to what is true.

A poll loop is not simulated check by check: the core sleeps in the engine until a watched line shows it
something new, and the loop's position then gives when it notices (one check a watch, each costing `poll`
cycles).  Which of thousands of lines that is takes a heap, no look at each.

A core that has a hand (`hand.py`) has this in C, in `_engine_poller.h`, whose oracle it is.

May not know: dispatchers, what lines carry.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mk_sim.hand import WINDOWS, HandPoller
from mk_sim.parameters import LINE
from multikernel.errors import LocalMisuse
from multikernel.system.words import NATIVE, ConvertedLines, Registers

if TYPE_CHECKING:
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Actor
    from multikernel.interfaces import Watch

NEWS = 2
"""What a core is poked with for a watched line."""


class LineAlarms:
    """The watches of one core's pollers, by line: the coherence model keeps one a core and line.  A line that is
    looked at past the caches (uncached, or invalidated before each look) is watched in memory."""

    def __init__(self, coherence: Coherence, core: int, actor: Actor, registers: Registers = NATIVE) -> None:
        self._registers = registers
        self._coherence = coherence
        self._core = core
        self._actor = actor
        self._armed: dict[int, dict[tuple[int, int], tuple[SimPoller, int, int]]] = {}
        self._in_memory: dict[int, None] = {}

    def arm(self, line: int, poller: SimPoller, key: int, word: int, in_memory: bool) -> None:
        """Tell `poller` that `key` is true when the first wire word of `line` differs from `word`."""
        if in_memory:
            self._in_memory[line] = None
        if self._word(line) != word:
            poller.ready(key, self._coherence.engine.now)
            return
        watchers = self._armed.setdefault(line, {})
        if not watchers and in_memory:
            self._coherence.watch_memory(self._core, line, self, line + 1)
        elif not watchers:
            self._coherence.watch(self._core, line, self, line + 1)
        watchers[poller.number, key] = (poller, key, word)

    def disarm(self, line: int, poller: SimPoller, key: int) -> None:
        watchers = self._armed.get(line)
        if watchers is not None:
            watchers.pop((poller.number, key), None)
            if not watchers:
                del self._armed[line]
                if line in self._in_memory:
                    self._coherence.unwatch_memory(self._core, line)
                else:
                    self._coherence.unwatch(self._core, line)

    def poke(self, value: int, time: int) -> None:
        """The coherence model: line `value` - 1 shows something else."""
        line = value - 1
        word = self._word(line)
        for poller, key, seen in list(self._armed.get(line, {}).values()):
            if word != seen:
                poller.ready(key, time)
        self._actor.poke(NEWS, time)

    def lost(self, lines: Iterable[int]) -> int | None:
        """The first of these watched lines for which a look would have to wait."""
        return self._coherence.lost(self._core, (line for line in lines if line not in self._in_memory))

    def _word(self, line: int) -> int:
        """The first wire word, as the core that polls comes to it."""
        coherence = self._coherence
        return self._first(coherence.peek_memory(line) if line in self._in_memory else coherence.peek(self._core, line))

    def _first(self, data: bytes) -> int:
        return int.from_bytes(data[:8], "little") if self._registers is NATIVE else self._registers.first(data)

    def close(self) -> None:
        """Nobody looks any more."""
        for line in self._armed:
            if line in self._in_memory:
                self._coherence.unwatch_memory(self._core, line)
            else:
                self._coherence.unwatch(self._core, line)
        self._armed.clear()


class SimPoller:
    """A dispatcher's poll array.  A watch keeps its place in the array; places are reused, lowest first."""

    def __init__(self, alarms: LineAlarms, number: int) -> None:
        self.number = number
        self._alarms = alarms
        self._lines: dict[int, int] = {}
        self._free: list[int] = []
        self._places = 0
        self._ready: dict[int, int] = {}
        self._news: list[int] = []  # keys that became true in the loop that runs, or since the last
        self._due: list[int] = []  # a heap of keys that were true when a loop began; some no longer are

    def arm(self, watch: Watch) -> int:
        lines = watch.lines.access if isinstance(watch.lines, ConvertedLines) else watch.lines
        if not isinstance(lines, WINDOWS):
            raise LocalMisuse("a watch on lines this machine did not give out")
        if self._free:
            key = heapq.heappop(self._free)
        else:
            key, self._places = self._places, self._places + 1
        line = lines.address // LINE + watch.index
        self._lines[key] = line
        self._alarms.arm(line, self, key, watch.word, watch.maintained or not lines.cached)
        return key

    def disarm(self, key: int) -> None:
        line = self._lines.pop(key, None)
        if line is not None:
            self._alarms.disarm(line, self, key)
            self._ready.pop(key, None)
            heapq.heappush(self._free, key)

    def armed(self) -> int:
        return len(self._lines)

    def lost(self) -> int | None:
        """The first line of the array that this core's cache has lost and not yet fetched again."""
        return self._alarms.lost(self._lines.values())

    def ready(self, key: int, time: int) -> None:
        """The line of `key` has changed for this core at `time` ps."""
        if key not in self._ready:
            self._ready[key] = time
            self._news.append(key)

    def lap(self, check: int) -> int:
        """Picoseconds of one look at every place, at `check` ps a place."""
        return max(1, self._places) * check

    def noticed(self, started: int, check: int) -> tuple[int, int] | None:
        """Of the watches that are true, the one the loop comes to first, and when it has checked it: the loop
        began at its first place at `started` ps and takes `check` ps a place.  None when none is true."""
        ready, due, lap = self._ready, self._due, self.lap(check)
        best: tuple[int, int] | None = None
        news, self._news = self._news, []
        for key in news:
            time = ready.get(key)
            if time is not None and time > started:
                self._news.append(key)
                first = started + key * check
                at = first + max(0, -(-(time - first) // lap)) * lap + check
                best = (at, key) if best is None else min(best, (at, key))
            elif time is not None:
                heapq.heappush(due, key)
        while due and ready.get(due[0], started + 1) > started:
            heapq.heappop(due)
        if due:
            first_due = (started + (due[0] + 1) * check, due[0])
            best = first_due if best is None else min(best, first_due)
        return best


POLLERS = (SimPoller, HandPoller)
"""The types of poll arrays."""
