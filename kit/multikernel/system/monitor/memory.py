"""The memory a monitor hands out: the free part of its core's areas, in pages.

May not know: capabilities; `links.py` makes channels of it, `frames.py` capabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.system.caps.memory_regions import RamAllocator, RamRegion, Shortage
from multikernel.system.environment import RAM
from multikernel.system.layout import PAGE, RESERVED

if TYPE_CHECKING:
    from multikernel.system.layout import Layout


class ArenaMemory:
    """Pages from the lower half of the arena of `core` (the upper is the driver's), from its annexes and
    berths.

    What a core that was restarted gave out before, others may still write to, and it knows of nothing: each incarnation
    has a part of its own of the largest block, the one that is used last."""

    def __init__(self, layout: Layout, core: int, incarnation: int = 0) -> None:
        self._layout = layout
        self._core = core
        self._areas: list[RamAllocator] = []
        for number, area in enumerate(layout.areas(core)):
            base, end = area.base + RESERVED, area.base + area.size // (1 if number else 2) // PAGE * PAGE
            self._areas.append(_allocator(base, end, incarnation))
        for berth in layout.berths(core):
            self._areas.append(_allocator(berth.base, berth.base + berth.size, incarnation))

    def allocate(self, size: int) -> int:
        """Physical address of `size` bytes, rounded up to pages.  LocalMisuse when there is none."""
        return self._take(self._areas[0], size)

    def share(self, size: int, peer: int) -> int:
        """The same, of memory that core `peer` sees."""
        return self._take(self._areas[self._layout.between(self._core, peer)], size)

    def copied(self, size: int, device: str) -> int:
        """The same, of memory that the device reaches."""
        return self._take(self._areas[self._layout.copied(self._core, device)], size)

    def _take(self, pages: RamAllocator, size: int) -> int:
        grant = pages.allocate(size, near=0)
        if isinstance(grant, Shortage):
            raise LocalMisuse(f"this core: {grant}")
        return grant.base


def _allocator(base: int, end: int, incarnation: int) -> RamAllocator:
    if incarnation:
        size = 1 << (end - base).bit_length() - 1
        while end // size * size - size < base:
            size >>= 1
        share = size >> incarnation
        base = end // size * size - size + share
        end = base + share
    return RamAllocator([RamRegion(0, base, end - base, RAM)])
