"""Channels placed in memory: from the top of a region downwards, a page each.

From the top, because images, page tables and what firmware keeps lie at the bottom.  A page each,
because a page is what can be mapped into two dispatchers and no other.

Interface: `Layout(topology).place(region, a, b, bytes) -> Placed`, `area(region, core, space, bytes) -> Area`,
`reserve(region, offset, bytes)`.

May not know: transports, why a region was chosen.
"""

from __future__ import annotations

from typing import NamedTuple

from multikernel.board.topology import Topology
from multikernel.errors import BindingError

PAGE = 4096
"""Bytes of the least page of every ISA here (AMD64 vol. 2, 5.1; ARM ARM D8.2; ARMv7-A/R B3.5)."""


class Placed(NamedTuple):
    """`offset` in the region, and the address at which each side sees it."""

    offset: int
    address_a: int
    address_b: int


class Area(NamedTuple):
    """`offset` in the region, and the address at which its core sees it."""

    offset: int
    address: int


class Layout:
    """Hands out parts of regions, each once."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._taken: dict[str, set[int]] = {}
        self._kept: dict[str, list[tuple[int, int]]] = {}
        self._tops: dict[tuple[str, int, int], int] = {}
        self._windows: dict[tuple[str, str, str], tuple[tuple[int, int], ...]] = {}

    def reserve(self, region: str, offset: int, size: int) -> None:
        """Keep `size` bytes of `region` from `offset` on for what lies there already."""
        self._kept.setdefault(region, []).append((offset // PAGE, -(-(offset + size) // PAGE)))

    def place(self, region: str, a: int, b: int, size: int) -> Placed:
        """`size` bytes of `region`, rounded up to pages, that cores a and b both see in one piece.
        Raises BindingError when there is no more."""
        topology = self._topology
        spaces = topology.core(a).space, topology.core(b).space
        return self._place(region, spaces, size, f"a channel between cores {a} and {b}", f"home:{a}->{b}")

    def area(self, region: str, core: int, space: str, size: int) -> Area:
        """The same for one side of a channel over a device: bytes that the core and the device, which issues
        addresses of `space`, both see."""
        spaces = self._topology.core(core).space, space
        offset, address, _ = self._place(region, spaces, size, f"core {core}'s side of a channel", f"home:{core}")
        return Area(offset, address)

    def _place(self, region: str, spaces: tuple[str, str], size: int, what: str, slot: str) -> Placed:
        topology = self._topology
        pages = -(-size // PAGE)
        taken = self._taken.setdefault(region, set())
        for low, high in self._common(region, *spaces):
            key = (region, low, high)
            page = self._tops.get(key, high // PAGE) - pages
            while page * PAGE >= low:
                kept = next(
                    (first for first, end in self._kept.get(region, ()) if first < page + pages and page < end), -1
                )
                if kept < 0 and taken.isdisjoint(range(page, page + pages)):
                    break
                page = page - 1 if kept < 0 else kept - pages
            if page * PAGE < low:
                continue
            ours, theirs = (topology.address(space, region, page * PAGE) for space in spaces)
            if ours is not None and theirs is not None:
                self._tops[key] = page
                taken.update(range(page, page + pages))
                return Placed(page * PAGE, ours, theirs)
        raise BindingError(f"region {region} has no room for {what}", slot=slot)

    def _common(self, region: str, ours: str, theirs: str) -> tuple[tuple[int, int], ...]:
        """Ranges of the region that lie in one piece in both spaces, highest first."""
        key = (region, ours, theirs)
        if key not in self._windows:
            sides = [
                [(w.offset, w.offset + w.size) for w in self._topology.spaces.windows(space) if w.region == region]
                for space in (ours, theirs)
            ]
            shared = {(max(a, c), min(b, d)) for a, b in sides[0] for c, d in sides[1] if max(a, c) < min(b, d)}
            self._windows[key] = tuple(sorted(shared, reverse=True))
        return self._windows[key]
