"""The memory a monitor hands out: the free part of its core's arena, in pages.

May not know: capabilities; `links.py` makes channels of it, `frames.py` capabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.system.caps.memory_regions import RamAllocator, RamRegion, Shortage
from multikernel.system.environment import RAM
from multikernel.system.layout import PAGE, RESERVED

if TYPE_CHECKING:
    from multikernel.system.layout import Arena


class ArenaMemory:
    """Pages from the lower half of the arena (the upper is the driver's)."""

    def __init__(self, arena: Arena) -> None:
        base = arena.base + RESERVED
        self._pages = RamAllocator([RamRegion(0, base, arena.base + arena.size // 2 // PAGE * PAGE - base, RAM)])

    def allocate(self, size: int) -> int:
        """Physical address of `size` bytes, rounded up to pages.  LocalMisuse when there is none."""
        grant = self._pages.allocate(size, near=0)
        if isinstance(grant, Shortage):
            raise LocalMisuse(f"this core: {grant}")
        return grant.base
