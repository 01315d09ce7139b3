"""A replica in shared memory: who reads it while it is written has words of one version, whoever comes first."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from itertools import product
from typing import Any

import pytest

from multikernel.errors import LocalMisuse
from multikernel.system.operations import Fence
from multikernel.system.shared import WORD, WORDS, Entry, Replica, size

BASE = 4096
OLD, NEW = tuple(range(1, WORDS + 1)), tuple(range(101, WORDS + 101))


class Turn:
    """One access: suspends, so that another core may go first."""

    def __await__(self) -> Generator[Turn, None, None]:
        yield self


class Memory:
    """Words of memory, seen as soon as they are stored."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    async def load(self, address: int) -> int:
        await Turn()
        return self.words.get(address, 0)

    async def store(self, address: int, value: int) -> None:
        await Turn()
        self.words[address] = value


class Late:
    """The writer's side of a memory whose stores are seen as late as a fence allows, the last first."""

    def __init__(self, memory: Memory) -> None:
        self.load = memory.load
        self.fencing = False
        self._words = memory.words
        self._buffer: list[tuple[int, int]] = []

    async def store(self, address: int, value: int) -> None:
        await Turn()
        self._buffer.append((address, value))

    def drain(self) -> bool:
        """At a fence one store more is seen; whether there was one."""
        if not self.fencing or not self._buffer:
            return False
        self._words.update([self._buffer.pop()])
        return True


def replica(memory: Memory | Late) -> Replica:
    return Replica(memory.load, memory.store, BASE, 2)


class Core:
    """Code that is run a few steps at a time; `result` when it has ended."""

    def __init__(self, code: Coroutine[Any, Any, Any], late: Late | None = None) -> None:
        self._code = code
        self._late = late
        self._ended = False
        self.result: Any = None

    def run(self, steps: int = 1000) -> Any:
        """So many steps at most; at a fence what is late is seen, a step each."""
        for _ in range(steps):
            if self._ended or (self._late is not None and self._late.drain()):
                continue
            try:
                operation = self._code.send(None)
            except StopIteration as stop:
                self._ended, self.result = True, stop.value
            else:
                if self._late is not None:
                    self._late.fencing = isinstance(operation, Fence)
        return self.result


def finish(code: Coroutine[Any, Any, Any]) -> Any:
    return Core(code).run()


def written(memory: Memory) -> None:
    finish(replica(memory).write(1, 1, OLD))


@pytest.mark.parametrize("ordered", [True, False], ids=["in order", "in the opposite order"])
def test_nobody_reads_words_of_two_versions(ordered: bool) -> None:
    """The reader makes some steps, the writer some, the reader the rest of a look, the writer the rest, the reader too.
    Where stores are seen in another order, only fences keep them apart."""
    seen = set()
    for first, second, third in product(range(14), range(24), range(0, 14, 3)):
        memory = Memory()
        written(memory)
        late = None if ordered else Late(memory)
        reader, writer = Core(replica(memory).read(1)), Core(replica(late or memory).write(1, 2, NEW), late)
        reader.run(first)
        writer.run(second)
        reader.run(third)
        writer.run()
        found = reader.run()
        assert found in (Entry(1, OLD), Entry(2, NEW))
        seen.add(found)
    assert len(seen) == 2


def test_what_is_written_is_read_and_nothing_else() -> None:
    memory = Memory()
    written(memory)
    assert finish(replica(memory).read(1)) == Entry(1, OLD)
    assert finish(replica(memory).read(0)) == Entry(0, (0,) * WORDS)
    assert max(memory.words) == BASE + size(2) - WORD
    assert min(memory.words) == BASE + size(1)


def test_what_it_does_not_have_is_refused() -> None:
    with pytest.raises(LocalMisuse, match="no entry 2 of 2"):
        finish(replica(Memory()).read(2))
    with pytest.raises(LocalMisuse, match=f"an entry has {WORDS} words, not 1"):
        finish(replica(Memory()).write(0, 1, (1,)))
