"""Decoding nets: which address means which byte, for each space of a board.

    AddressSpaces.address(space, region, offset)   what a core of that space must issue
    AddressSpaces.decode(space, address)           what an address reaches
    AddressSpaces.cacheable / sees                 of a whole region

Source of the model: Achermann et al., "Formalizing memory accesses and interrupts" (MARS 2017): a net of
nodes that accept addresses, translate ranges, and pass the rest to an overlay.

Invariants: a space's own maps come before its overlay and hide what lies under them; acyclic (checked at
load).  May not know: the board file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

ROOT = "phys"
"""The global physical space."""


@dataclass(frozen=True, slots=True)
class Region:
    """Memory: `base` in the space `phys`, -1 when it is not in there; `size` bytes; `node` id or -1."""

    id: str
    kind: str
    base: int
    size: int
    node: int


@dataclass(frozen=True, slots=True)
class Map:
    """`size` bytes from `base` reach `to` from `at` on."""

    base: int
    size: int
    to: str
    at: int
    cacheable: bool


@dataclass(frozen=True, slots=True)
class Space:
    """A decoding net; `overlay` is empty when what no map takes goes nowhere."""

    name: str
    bits: int
    overlay: str
    maps: tuple[Map, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a region as a space sees it: `size` bytes at `address`, from `offset` of the region on."""

    region: str
    offset: int
    size: int
    address: int
    cacheable: bool


class AddressSpaces:
    """All spaces of a board.  Windows are made once for each space."""

    def __init__(self, spaces: tuple[Space, ...]) -> None:
        self._spaces = {space.name: space for space in spaces}
        self._windows: dict[str, tuple[Window, ...]] = {}
        self._starts: dict[str, list[int]] = {}
        self._by_region: dict[str, dict[str, list[Window]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._spaces)

    def space(self, name: str) -> Space:
        """A space as the board has it; KeyError for one it does not have."""
        return self._spaces[name]

    def windows(self, space: str) -> tuple[Window, ...]:
        """What a space sees, by address.  KeyError for a space the board does not have."""
        if space not in self._windows:
            self._windows[space] = tuple(sorted(self._derive(self._spaces[space]), key=lambda w: w.address))
        return self._windows[space]

    def _derive(self, space: Space) -> Iterator[Window]:
        for entry in space.maps:
            if entry.to in self._spaces:
                for window in self.windows(entry.to):
                    part = _clip(window, entry.at, entry.at + entry.size)
                    if part:
                        cacheable = part.cacheable and entry.cacheable
                        address = part.address - entry.at + entry.base
                        yield Window(part.region, part.offset, part.size, address, cacheable)
            else:
                yield Window(entry.to, entry.at, entry.size, entry.base, entry.cacheable)
        if space.overlay:
            gaps = _gaps(space)
            for window in self.windows(space.overlay):
                yield from (part for low, high in gaps if (part := _clip(window, low, high)))

    def address(self, space: str, region: str, offset: int) -> int | None:
        """The least address at which `space` sees byte `offset` of `region`; None when it does not."""
        for window in self._of(space, region):
            if window.offset <= offset < window.offset + window.size:
                return window.address + offset - window.offset
        return None

    def window(self, space: str, address: int) -> Window | None:
        """The window `address` lies in; None when nothing answers."""
        windows = self.windows(space)
        if space not in self._starts:
            self._starts[space] = [window.address for window in windows]
        index = bisect_right(self._starts[space], address) - 1
        if index < 0 or address >= windows[index].address + windows[index].size:
            return None
        return windows[index]

    def decode(self, space: str, address: int) -> tuple[str, int] | None:
        """(region or device, offset) behind `address`; None when nothing answers."""
        window = self.window(space, address)
        return (window.region, window.offset + address - window.address) if window else None

    def sees(self, space: str, region: str) -> bool:
        """Some byte of `region` has an address in `space`."""
        return bool(self._of(space, region))

    def cacheable(self, space: str, region: str) -> bool:
        """`space` sees the region, and cacheable wherever it does."""
        windows = self._of(space, region)
        return bool(windows) and all(window.cacheable for window in windows)

    def _of(self, space: str, region: str) -> list[Window]:
        """The windows of one region, by address."""
        if space not in self._by_region:
            table = self._by_region[space] = {}
            for window in self.windows(space):
                table.setdefault(window.region, []).append(window)
        return self._by_region[space].get(region, [])


def _clip(window: Window, low: int, high: int) -> Window | None:
    """The part of a window with low <= address < high."""
    first = max(window.address, low)
    last = min(window.address + window.size, high)
    if first >= last:
        return None
    return Window(window.region, window.offset + first - window.address, last - first, first, window.cacheable)


def _gaps(space: Space) -> list[tuple[int, int]]:
    """The address ranges of a space that its own maps leave to the overlay."""
    gaps: list[tuple[int, int]] = []
    low = 0
    for entry in sorted(space.maps, key=lambda m: m.base):
        gaps.append((low, entry.base))
        low = max(low, entry.base + entry.size)
    gaps.append((low, 1 << space.bits))
    return [(a, b) for a, b in gaps if a < b]
