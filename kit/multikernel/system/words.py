"""What a core's registers make of a line: the wire format against the core's own word size and byte order.

    registers = Registers(bits, endian)      NATIVE: 64, little
    registers.split(line) -> words           the words whose stores leave `line` in memory
    registers.join(words) -> line            the line that loads found as `words`
    registers.first(line) -> int             the first wire word of memory's bytes, as software here comes to it
    ConvertedLines(access, registers)        `interfaces.Lines` over loads and stores of words

Channel memory holds wire order on every machine: eight little-endian words of 64 bits a line.  A core moves
a line as words of its registers, each laid down in its own byte order, as its store instructions do.  So
software converts: a wire word becomes one word of 64 bits or two of 32, low half first, and on a big-endian
core the bytes of each are turned round.  On a core with NATIVE registers there is nothing to convert, and
nobody does.

`lay_down` and `pick_up` are the hardware's half: what stores and loads of words do with memory's bytes.
A platform that models a core, and tests, use them; converting is no business of theirs.

The conversion costs no time of its own: an instruction a word is within what sending and receiving cost.
May not know: who stores and loads, what a line says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from multikernel.errors import LocalMisuse
from multikernel.interfaces import LINE

WIRE = 64
"""Bits of a wire word."""

Words: TypeAlias = tuple[int, ...]
"""A line as words of a core's registers, lowest address first; each is below 2**bits."""


class Registers(NamedTuple):
    """The registers of a kind of core: `bits` is 64 or 32, `endian` little or big."""

    bits: int
    endian: str

    def split(self, line: bytes) -> Words:
        """The words to store so that memory holds the wire line `line`."""
        mask = (1 << self.bits) - 1
        wire = [int.from_bytes(line[at : at + WIRE // 8], "little") for at in range(0, LINE, WIRE // 8)]
        return tuple(self._turned(word >> shift & mask) for word in wire for shift in range(0, WIRE, self.bits))

    def join(self, words: Sequence[int]) -> bytes:
        """The wire line that was loaded as `words`."""
        each = WIRE // self.bits
        line = b""
        for at in range(0, len(words), each):
            wire = 0
            for place, word in enumerate(words[at : at + each]):
                wire |= self._turned(word) << place * self.bits
            line += wire.to_bytes(WIRE // 8, "little")
        return line

    def first(self, line: bytes) -> int:
        """The first wire word, as software on this core comes to it from memory's bytes."""
        return int.from_bytes(self.join(pick_up(self, line))[: WIRE // 8], "little")

    def _turned(self, word: int) -> int:
        """A word of this core's as the wire has it, and back."""
        if self.endian == "little":
            return word
        turned = 0
        for _ in range(0, self.bits, 8):
            turned, word = turned << 8 | word & 0xFF, word >> 8
        return turned


NATIVE = Registers(64, "little")
"""The wire's own."""
EVERY = (NATIVE, Registers(64, "big"), Registers(32, "little"), Registers(32, "big"))
"""Every kind of registers there is."""


def lay_down(registers: Registers, words: Sequence[int]) -> bytes:
    """Hardware: the bytes in memory after a core's stores of `words`.  LocalMisuse for a word that does not fit
    its registers, and for words that are no whole line."""
    size = registers.bits // 8
    if len(words) * size != LINE:
        raise LocalMisuse(f"a line is {LINE // size} words of {registers.bits} bits, not {len(words)}")
    for word in words:
        if not 0 <= word < 1 << registers.bits:
            raise LocalMisuse(f"{word:#x} does not fit a register of {registers.bits} bits")
    big = registers.endian == "big"
    return b"".join(word.to_bytes(size, "big" if big else "little") for word in words)


def pick_up(registers: Registers, line: bytes) -> Words:
    """Hardware: what a core's loads make of a line of memory."""
    size, big = registers.bits // 8, registers.endian == "big"
    return tuple(int.from_bytes(line[at : at + size], "big" if big else "little") for at in range(0, len(line), size))


class WordAccess(Protocol):
    """Channel memory as a core's instructions reach it: `interfaces.Lines`, but of words."""

    count: int
    coherent: bool

    def load(self, index: int) -> Awaitable[Words]: ...
    def store(self, index: int, words: Words) -> Awaitable[None]: ...
    def clean(self, index: int) -> Awaitable[None]: ...
    def invalidate(self, index: int) -> Awaitable[None]: ...
    def fence(self) -> Awaitable[None]: ...


class ConvertedLines:
    """`interfaces.Lines` for software on a core with `registers`.  `access` is what is beneath."""

    def __init__(self, access: WordAccess, registers: Registers) -> None:
        self.access = access
        self.count = access.count
        self.coherent = access.coherent
        self._registers = registers
        self.clean, self.invalidate, self.fence = access.clean, access.invalidate, access.fence

    async def load(self, index: int) -> bytes:
        return self._registers.join(await self.access.load(index))

    async def store(self, index: int, line: bytes) -> None:
        if len(line) != LINE:
            raise LocalMisuse(f"a store writes a line of {LINE} bytes, not {len(line)}")
        await self.access.store(index, self._registers.split(line))
