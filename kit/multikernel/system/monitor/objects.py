"""Objects that are agreed on among equals: one core's replica of each.

    log      values in order; the result of an agreement is the value's place, from 1
    store    words of 48 bits by key; `write`, `read` and `swap` make the value to agree on, the result is `word` before
    load     a number of each core, the newest it told; the result is the sum of those known here

Each is a plain state machine: what is executed in the same order gives the same everywhere (`load`: in any order).

May not know: which protocol orders what.
"""

from __future__ import annotations

from typing import Protocol

KEYS = 1 << 14
"""Keys of a store: 0 to KEYS - 1."""
WORD = (1 << 48) - 1
"""The largest word of a store; of `swap` both are below HALF."""
HALF = 1 << 24
DIGEST = (1 << 64) - 1
"""What to ask a replica for its digest, a number that is the same where two replicas are."""
_READ, _WRITE, _SWAP = range(3)
_PRIME = 0x100000001B3
"""FNV-1a (Fowler, Noll and Vo), of 64 bits, over numbers instead of bytes."""


class GroupReplica(Protocol):
    """A replica; `execute` says what comes of `value`, `ask` what it says to a question without agreeing on it."""

    def execute(self, origin: int, request: int, value: int) -> int: ...

    def ask(self, question: int) -> int: ...


def read(key: int) -> int:
    """The value to agree on to read `key` of a store."""
    return _READ << 62 | key << 48


def write(key: int, word: int) -> int:
    """To write `word` there."""
    return _WRITE << 62 | key << 48 | word


def swap(key: int, old: int, new: int) -> int:
    """To write `new` there if `old` is there."""
    return _SWAP << 62 | key << 48 | old << 24 | new


def parts(value: int) -> tuple[int, int, int]:
    """Operation, key and words of a store's value."""
    return value >> 62, value >> 48 & KEYS - 1, value & WORD


class Log:
    """See the module.  To a place it says the value there, to 0 how many there are."""

    def __init__(self) -> None:
        self._values: list[int] = []
        self._digest = 0

    def execute(self, origin: int, request: int, value: int) -> int:
        self._values.append(value)
        self._digest = _mixed(self._digest, value)
        return len(self._values)

    def ask(self, question: int) -> int:
        if question == DIGEST:
            return self._digest
        return self._values[question - 1] if 0 < question <= len(self._values) else len(self._values)


class Store:
    """See the module.  To a key it says the word there."""

    def __init__(self) -> None:
        self._words: dict[int, int] = {}

    def execute(self, origin: int, request: int, value: int) -> int:
        operation, key, words = parts(value)
        before = self._words.get(key, 0)
        if operation == _WRITE:
            self._words[key] = words
        elif operation == _SWAP and before == words >> 24:
            self._words[key] = words & HALF - 1
        return before

    def ask(self, question: int) -> int:
        return _content(self._words) if question == DIGEST else self._words.get(question, 0)


class Load:
    """See the module.  To a core it says that core's number."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[int, int]] = {}

    def execute(self, origin: int, request: int, value: int) -> int:
        if request >= self._told.get(origin, (0, 0))[0]:
            self._told[origin] = request, value
        return sum(number for _, number in self._told.values())

    def ask(self, question: int) -> int:
        numbers = {core: number for core, (_, number) in self._told.items()}
        return _content(numbers) if question == DIGEST else numbers.get(question, 0)


def _mixed(digest: int, number: int) -> int:
    return (digest ^ number) * _PRIME + 1 & DIGEST


def _content(words: dict[int, int]) -> int:
    """The digest of what is stored, in whatever order it came."""
    digest = 0
    for key, word in sorted(words.items()):
        digest = _mixed(_mixed(digest, key), word)
    return digest
