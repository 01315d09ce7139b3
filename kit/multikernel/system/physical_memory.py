"""Physical memory as the CPU driver and the MMU see it: bytes at global physical addresses.

    PhysicalMemory   what they need of it
    SparseMemory     one that holds only the pages that were written

Page tables are real bytes in it: the driver writes them, the walker of the machine reads them back.

May not know: who uses it, where memory is.
"""

from __future__ import annotations

from typing import Protocol

_PAGE = 4096


class PhysicalMemory(Protocol):
    """Addresses and sizes are bytes.  Memory never written reads as zeros.  An address outside every
    memory of the machine is the caller's mistake, not an answer: capabilities name only what exists."""

    def read(self, address: int, size: int) -> bytes: ...
    def write(self, address: int, data: bytes) -> None: ...
    def zero(self, address: int, size: int) -> None:
        """The same as writing `size` zero bytes; sparse memory drops what it held."""


class SparseMemory:
    """See `PhysicalMemory`.  Takes room for pages of 4 KiB that hold something."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def read(self, address: int, size: int) -> bytes:
        at = address % _PAGE
        if at + size <= _PAGE:
            page = self._pages.get(address // _PAGE)
            return bytes(page[at : at + size]) if page is not None else bytes(size)
        room = _PAGE - at
        return self.read(address, room) + self.read(address + room, size - room)

    def write(self, address: int, data: bytes) -> None:
        done = 0
        while done < len(data):
            number, at = divmod(address + done, _PAGE)
            piece = data[done : done + _PAGE - at]
            page = self._pages.get(number)
            if page is None:
                page = self._pages[number] = bytearray(_PAGE)
            page[at : at + len(piece)] = piece
            done += len(piece)

    def zero(self, address: int, size: int) -> None:
        end = address + size
        first, last = -(-address // _PAGE), end // _PAGE
        if last - first > len(self._pages):
            whole = [number for number in self._pages if first <= number < last]
        else:
            whole = [number for number in range(first, last) if number in self._pages]
        for number in whole:
            del self._pages[number]
        head = min(end, first * _PAGE) - address
        if head > 0:
            self.write(address, bytes(head))
        tail = max(address + max(head, 0), last * _PAGE)
        if tail < end:
            self.write(tail, bytes(end - tail))

    def __len__(self) -> int:
        """Pages held."""
        return len(self._pages)
