"""A replica of a table that several cores share: one dispatcher writes it, any of the same island read it.

    replica = Replica(load, store, address, entries)     over memory mapped at `address`, `size(entries)` bytes, zeroed
    await replica.write(entry, version, words)           the writer's, alone
    version, words = await replica.read(entry)           anybody's

An entry is a line: a sequence word and WORDS words.  The sequence is twice the entry's version, and odd while it is
being written; who reads takes the words only where it was even before them and is the same after, else looks again.
So a reader never has words of two versions, waits for no lock, and writes nothing: lines it has read stay in its cache
until the entry changes.

Fences order the writer's odd number, words and even number for every core, whatever order its stores may take, and the
reader's loads between the two numbers.  After `write` the entry is visible to every core of the island.

Holds for cores that keep each other's caches coherent, and for no others: those have replicas of their own, kept alike
by messages.  May not know: who shares it, how updates come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from multikernel.errors import LocalMisuse
from multikernel.interfaces import LINE
from multikernel.system.operations import Fence

WORD = 8
WORDS = LINE // WORD - 1
"""Words of an entry."""

Load = Callable[[int], Awaitable[int]]
"""The word at a virtual address."""
Store = Callable[[int, int], Awaitable[None]]
"""Write a word at a virtual address."""


class Entry(NamedTuple):
    """What was read: the version that the words were written as, 0 where none was."""

    version: int
    words: tuple[int, ...]


def size(entries: int) -> int:
    """Bytes of a replica of so many entries."""
    return entries * LINE


class Replica:
    """See the module.  LocalMisuse for an entry it does not have."""

    def __init__(self, load: Load, store: Store, address: int, entries: int) -> None:
        self.entries = entries
        self._load = load
        self._store = store
        self._address = address

    async def write(self, entry: int, version: int, words: Sequence[int]) -> None:
        """Write all WORDS words of an entry as `version`, which is above the one it has.  Complete when all cores of
        the island see it.  LocalMisuse for another number of words."""
        if len(words) != WORDS:
            raise LocalMisuse(f"an entry has {WORDS} words, not {len(words)}")
        at = self._line(entry)
        await self._store(at, 2 * version - 1)
        await Fence()
        for place, word in enumerate(words, 1):
            await self._store(at + WORD * place, word)
        await Fence()
        await self._store(at, 2 * version)
        await Fence()

    async def read(self, entry: int) -> Entry:
        """An entry as some one version of it; looks again while it is being written."""
        at = self._line(entry)
        while True:
            before = await self._load(at)
            await Fence()
            words = [await self._load(at + WORD * place) for place in range(1, WORDS + 1)]
            await Fence()
            if await self._load(at) == before and before % 2 == 0:
                return Entry(before // 2, tuple(words))

    def _line(self, entry: int) -> int:
        if not 0 <= entry < self.entries:
            raise LocalMisuse(f"there is no entry {entry} of {self.entries}")
        return self._address + LINE * entry
