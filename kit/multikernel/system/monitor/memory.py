"""The memory a monitor hands out: the free part of its core's arena, in pages.

May not know: capabilities; `binding.py` and `processes.py` turn pages into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.system.layout import PAGE, RESERVED

if TYPE_CHECKING:
    from multikernel.system.layout import Arena


class ArenaMemory:
    """Pages from the lower half of the arena (the upper is the driver's); never given back, as channels and
    page tables of a core live as long as it does."""

    def __init__(self, arena: Arena) -> None:
        self._next = arena.base + RESERVED
        self._end = arena.base + arena.size // 2 // PAGE * PAGE

    def allocate(self, size: int) -> int:
        """Physical address of `size` bytes, rounded up to pages, zeroed.  LocalMisuse when there is none."""
        size = -(-size // PAGE) * PAGE
        if self._next + size > self._end:
            raise LocalMisuse(f"no {size} bytes left of the core's memory; {self._end - self._next} are free")
        base, self._next = self._next, self._next + size
        return base
