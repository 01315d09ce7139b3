"""Physical memory as the CPU driver and the MMU see it: bytes at global physical addresses.

Page tables are real bytes in it: the driver writes them, the walker of the machine reads them back.

May not know: who implements it.
"""

from __future__ import annotations

from typing import Protocol


class PhysicalMemory(Protocol):
    """Addresses and sizes are bytes.  Memory never written reads as zeros.  An address outside every
    memory of the machine is the caller's mistake, not an answer: capabilities name only what exists."""

    def read(self, address: int, size: int) -> bytes: ...
    def write(self, address: int, data: bytes) -> None: ...
    def zero(self, address: int, size: int) -> None:
        """The same as writing `size` zero bytes; sparse memory drops what it held."""
