"""Channel memory for tests of transports: two sides in one process, at their most unkind.

    memory = SharedMemory(lines, coherent, registers)
    memory.side(0), memory.side(1)      Lines, one for each core, whose `registers` (`system/words.py`) may differ
    await Turn()                        where another side may run
    run(coroutine)                      to its end, alone

What real memory may do and a test decides when:

    drain(side)           the oldest store of a side becomes visible to the other
    settle()              all stores do
    fetch(side, index)    not coherent: the side caches a line nobody asked for (a prefetch)
    evict(side, index)    not coherent: the side's cache gives up a line, writing it back if it was changed

A coherent side sees memory, and its own stores before others do.  A side that is not coherent sees its
cache: a line stays as it was first read until invalidated, and a store stays there until cleaned.
Invalidating a changed line loses the change, as on real caches.  A side moves a line as words of its
registers, laid down in its byte order, and converts: `lines` are memory's bytes, which are to hold wire order.

May not know: transports.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Coroutine, Generator
from dataclasses import dataclass
from typing import TypeVar

from multikernel.interfaces import LINE, Watch
from multikernel.system.ring import LinesMemory
from multikernel.system.words import NATIVE, ConvertedLines, Registers, Words, lay_down, pick_up

T = TypeVar("T")


class Turn:
    """`await Turn()`: whoever drives the coroutine may let others go first."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def run(code: Awaitable[T]) -> T:
    """Drive `code` to its end with nobody else running; its result."""
    steps = code.__await__()
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


@dataclass(slots=True)
class _Copy:
    line: bytes
    changed: bool


class SharedMemory:
    """`count` zeroed lines that two sides share; `registers` are each side's core's."""

    def __init__(self, count: int, coherent: bool, registers: tuple[Registers, Registers] = (NATIVE, NATIVE)) -> None:
        self.count = count
        self.coherent = coherent
        self.registers = registers
        self.lines = [bytes(LINE)] * count
        self._stores: tuple[deque[tuple[int, bytes]], ...] = (deque(), deque())
        self._caches: tuple[dict[int, _Copy], ...] = ({}, {})
        self._sides = (self._made(0), self._made(1))

    def _made(self, side: int) -> ConvertedLines:
        return ConvertedLines(SideWords(self, side), self.registers[side])

    def side(self, number: int) -> ConvertedLines:
        """What side 0 or 1 sees."""
        return self._sides[number]

    def channel(self, side: int) -> LinesMemory:
        """What a transport is handed at side 0 or 1."""
        return LinesMemory(self.side(side))

    @property
    def places(self) -> int:
        """How many places there are where a peer can put garbage."""
        return self.count

    def place(self, side: int, watch: Watch) -> int:
        """Which of them `side` watches."""
        return self.index(side, watch)

    def index(self, side: int, watch: Watch) -> int:
        """Which of `lines` it watches."""
        return watch.index

    def spoil(self, place: int, line: bytes) -> None:
        """A peer puts `line` there."""
        self.lines[place] = line

    def drain(self, side: int) -> bool:
        """The side's oldest store becomes visible; False when there is none."""
        if not self._stores[side]:
            return False
        index, line = self._stores[side].popleft()
        self.lines[index] = line
        return True

    def settle(self) -> None:
        """Every store is visible."""
        for side in (0, 1):
            while self.drain(side):
                pass

    def fetch(self, side: int, index: int) -> None:
        """The side's cache takes a copy of a line as it is now, unasked."""
        if not self.coherent:
            self._caches[side].setdefault(index, _Copy(self.seen(side, index), False))

    def evict(self, side: int, index: int) -> None:
        """The side's cache gives up a line; a change is written back."""
        copy = self._caches[side].pop(index, None)
        if copy is not None and copy.changed:
            self._stores[side].append((index, copy.line))

    def seen(self, side: int, index: int) -> bytes:
        """The line past the side's cache: memory, with the side's own stores under way."""
        for stored, line in reversed(self._stores[side]):
            if stored == index:
                return line
        return self.lines[index]

    def snapshot(self) -> tuple[bytes, ...]:
        """All that any side has stored, visible or not."""
        return (
            *self.lines,
            *(b"%d" % index + line for stores in self._stores for index, line in stores),
            *(b"%d" % i + c.line for cache in self._caches for i, c in sorted(cache.items()) if c.changed),
        )

    def true(self, side: int, watch: Watch) -> bool:
        """Whether `side` finds `watch` true.  A maintained watch looks past the cache; another sees a copy for
        as long as the cache holds one."""
        index = self.index(side, watch)
        copy = None if watch.maintained else self._caches[side].get(index)
        line = self.seen(side, index) if copy is None else copy.line
        return self.registers[side].first(line) != watch.word

    def load(self, side: int, index: int) -> bytes:
        self._check(index)
        if self.coherent:
            return self.seen(side, index)
        return self._caches[side].setdefault(index, _Copy(self.seen(side, index), False)).line

    def store(self, side: int, index: int, line: bytes) -> None:
        self._check(index)
        if len(line) != LINE:
            raise ValueError(f"a line has {LINE} bytes, not {len(line)}")
        if self.coherent:
            self._stores[side].append((index, bytes(line)))
        else:
            self._caches[side][index] = _Copy(bytes(line), True)

    def clean(self, side: int, index: int) -> None:
        self._check(index)
        copy = self._caches[side].get(index)
        if copy is not None and copy.changed:
            copy.changed = False
            self._stores[side].append((index, copy.line))

    def invalidate(self, side: int, index: int) -> None:
        self._check(index)
        self._caches[side].pop(index, None)

    def fence(self, side: int) -> None:
        while self.drain(side):
            pass

    def _check(self, index: int) -> None:
        if not 0 <= index < self.count:
            raise IndexError(f"line {index} of {self.count}")


class SideWords:
    """See `multikernel.system.words.WordAccess`.  Before every access another side may run."""

    def __init__(self, memory: SharedMemory, side: int) -> None:
        self.memory = memory
        self.number = side
        self.count = memory.count
        self.coherent = memory.coherent
        self.registers = memory.registers[side]

    async def load(self, index: int) -> Words:
        await Turn()
        return pick_up(self.registers, self.memory.load(self.number, index))

    async def store(self, index: int, words: Words) -> None:
        await Turn()
        self.memory.store(self.number, index, lay_down(self.registers, words))

    async def clean(self, index: int) -> None:
        await Turn()
        self.memory.clean(self.number, index)

    async def invalidate(self, index: int) -> None:
        await Turn()
        self.memory.invalidate(self.number, index)

    async def fence(self) -> None:
        await Turn()
        self.memory.fence(self.number)


class LostWakeUp(AssertionError):
    """Every side waits and nothing can wake any."""


class Schedule:
    """Runs a coroutine for each side over `memory`, in an order a test chooses.

    A side that does `await wait(...)` stands still until one of the watches is true.  `choices` are small
    numbers that say what happens next; when they run out everything happens in turn.
    """

    LIMIT = 200_000
    """Steps after which the sides are taken to run in circles."""

    def __init__(self, memory: SharedMemory, sides: tuple[Coroutine[object, None, None], ...]) -> None:
        self._memory = memory
        self._sides = dict(enumerate(sides))
        self._waits: dict[int, tuple[Watch, ...]] = {}

    def run(self, choices: list[int]) -> None:
        """Raises LostWakeUp, or whatever a side raises."""
        memory = self._memory
        for choice in choices:
            act, index = choice % 8, choice // 8 % memory.count
            side = act % 2
            if act < 4:
                self._step(side)
            elif act < 6:
                memory.drain(side)
            elif choice // 8 % 2:
                memory.fetch(side, index)
            else:
                memory.evict(side, index)
        for _ in range(self.LIMIT):
            memory.settle()
            if not self._sides:
                return
            if not [side for side in list(self._sides) if self._step(side)]:
                memory.settle()
                if not any(self._ready(side) for side in self._sides):
                    waits = {side: [(w.index, w.word) for w in self._waits[side]] for side in self._sides}
                    raise LostWakeUp(f"every side waits, for (line, word other than): {waits}")
        raise AssertionError(f"not done after {self.LIMIT} steps of each side")

    def _ready(self, side: int) -> bool:
        watches = self._waits.get(side)
        return watches is None or any(self._memory.true(side, watch) for watch in watches)

    def _step(self, side: int) -> bool:
        """One step of `side`; False when it has ended or waits."""
        if side not in self._sides or not self._ready(side):
            return False
        self._waits.pop(side, None)
        try:
            yielded = self._sides[side].send(None)
        except StopIteration:
            del self._sides[side]
            return True
        if isinstance(yielded, Waiting):
            self._waits[side] = yielded.watches
        return True


class Waiting:
    """`await Waiting(watches)`: stand still until one is true.  For coroutines of a `Schedule`."""

    def __init__(self, *watches: Watch) -> None:
        self.watches = watches

    def __await__(self) -> Generator[Waiting, None, None]:
        yield self
