"""Where memory lies: overlapping regions and maps, maps that miss, spaces in a circle.

    placement_faults(board, spot) -> Iterator[Fault]

May not know: YAML, cores' other sections.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.resolve import address_spaces
from multikernel.board.shape import Fault, Path, near
from multikernel.board.spaces import ROOT

MAX_CHAIN = 64
"""Longest way through overlays and maps."""
MAX_WINDOWS = 1 << 20
"""Most windows all spaces together may have, by what their maps could give: spaces that show each other twice
double with every step."""


def placement_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Every mistake of placement; what needs resolved spaces is looked at when the spaces hold together."""
    faults = [*_names(board, spot), *_targets(board, spot), *_circles(board, spot), *_overlaps(board, spot)]
    yield from faults or [*_many(board, spot)] or _seen(board, spot)


def _names(board: Board, spot: Spot) -> Iterator[Fault]:
    """What a map may reach has one name: regions, devices and spaces share theirs."""
    taken = {name: spot.find_key(("spaces", name)).line for name in board.spaces} | {ROOT: 0}
    for section, rows in (
        ("regions", [row.id for row in board.regions]),
        ("devices", [row.id for row in board.devices]),
    ):
        for index, name in enumerate(rows):
            if name in taken:
                first = f"line {taken[name]}" if taken[name] else "every board"
                message = f"{name!r} is already a space or a region, of {first}"
                yield Fault(spot.find((section, index, "id")), "name-clash", message)
        taken |= {name: spot.find((section, index, "id")).line for index, name in enumerate(rows)}


def _targets(board: Board, spot: Spot) -> Iterator[Fault]:
    sizes = {row.id: row.size for row in board.regions}
    spaces = {ROOT, *board.spaces}
    bits = board.spaces[ROOT].bits if ROOT in board.spaces else 64
    for index, row in enumerate(board.regions):
        if row.base is not None and row.base + row.size > 1 << bits:
            message = f"the region ends at {row.base + row.size:#x}, past the {bits} bits of {ROOT!r}"
            yield Fault(spot.find(("regions", index, "base")), "map-outside", message)
    targets = sorted({*sizes, *spaces, *(row.id for row in board.devices)})
    for name, space in board.spaces.items():
        if space.overlay is not None and space.overlay not in spaces:
            mark = spot.find(("spaces", name, "overlay"))
            yield Fault(mark, "unknown-space", f"no space {space.overlay!r}", near(space.overlay, spaces))
        for index, entry in enumerate(space.maps):
            path = ("spaces", name, "maps", index)
            if entry.to not in targets:
                message = f"no region, device or space {entry.to!r}"
                yield Fault(spot.find((*path, "to")), "unknown-target", message, near(entry.to, targets))
            if entry.at + entry.size > sizes.get(entry.to, entry.at + entry.size):
                message = (
                    f"the map reaches byte {entry.at + entry.size:#x} of {entry.to!r}, which has {sizes[entry.to]:#x}"
                )
                yield Fault(spot.find((*path, "size")), "map-outside", message)
            if entry.base + entry.size > 1 << space.bits:
                message = f"the map ends at {entry.base + entry.size:#x}, past the {space.bits} bits of {name!r}"
                yield Fault(spot.find((*path, "base")), "map-outside", message)


def _circles(board: Board, spot: Spot) -> Iterator[Fault]:
    """Spaces that lead back to themselves, or through more than MAX_CHAIN others."""
    edges = {
        name: [*([space.overlay] if space.overlay else []), *(m.to for m in space.maps if m.to in board.spaces)]
        for name, space in board.spaces.items()
    }
    deep: list[str] = []
    circles: list[str] = []
    for start in edges:
        layer, length = dict.fromkeys(edges[start]), 1
        while layer and start not in layer and length <= MAX_CHAIN:
            layer, length = dict.fromkeys(after for name in layer for after in edges.get(name, ())), length + 1
        (circles if start in layer else deep if layer else []).append(start)
    for name in circles:
        yield Fault(spot.find_key(("spaces", name)), "space-cycle", f"space {name!r} leads back to itself")
    for name in [] if circles else deep:
        message = f"space {name!r} leads through more than {MAX_CHAIN} others"
        yield Fault(spot.find_key(("spaces", name)), "space-deep", message)


def _many(board: Board, spot: Spot) -> Iterator[Fault]:
    """Spaces that could have more windows than can be looked at; there are no circles."""
    counts: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in board.spaces:
            return len(board.regions) if name == ROOT else 1
        if name not in counts:
            space = board.spaces[name]
            below = count(space.overlay) + len(space.maps) if space.overlay else 0
            own = len(board.regions) if name == ROOT else 0
            counts[name] = own + below + sum(count(entry.to) for entry in space.maps)
        return counts[name]

    total = 0
    for name in board.spaces:
        total += count(name)
        if total > MAX_WINDOWS:
            message = f"with space {name!r} the spaces may have {total} windows; at most {MAX_WINDOWS}"
            yield Fault(spot.find_key(("spaces", name)), "space-large", message)
            return


Span: TypeAlias = tuple[int, int, str, Path]
"""Base, size, what it is, where it is written."""


def _overlaps(board: Board, spot: Spot) -> Iterator[Fault]:
    own: list[Span] = [
        (row.base, row.size, f"region {row.id!r}", ("regions", index, "base"))
        for index, row in enumerate(board.regions)
        if row.base is not None
    ]
    yield from _clashes(spot, "region-overlap", ROOT, own)
    for name, space in board.spaces.items():
        maps: list[Span] = [
            (m.base, m.size, f"the map to {m.to!r}", ("spaces", name, "maps", index, "base"))
            for index, m in enumerate(space.maps)
        ]
        yield from _clashes(spot, "map-overlap", name, maps + (own if name == ROOT else []))


def _clashes(spot: Spot, code: str, space: str, spans: list[Span]) -> Iterator[Fault]:
    """Each span that begins before one below it ends.  Sorted, so linear after the sort."""
    top, holder = 0, ""
    for base, size, what, path in sorted(spans):
        if base < top:
            message = f"{what} at {base:#x} lies over {holder}, which ends at {top:#x} of space {space!r}"
            yield Fault(spot.find(path), code, message)
        if base + size > top:
            top, holder = base + size, what


def _seen(board: Board, spot: Spot) -> Iterator[Fault]:
    """Regions that no space reaches; islands over regions their cores cannot address."""
    spaces = address_spaces(board)
    for index, row in enumerate(board.regions):
        if not any(spaces.sees(name, row.id) for name in spaces.names):
            message = f"region {row.id!r} has no base and no space maps it"
            yield Fault(spot.find(("regions", index)), "region-unplaced", message)
    views = {core: row.space for row in board.cores for core in row.ids}
    regions = {row.id for row in board.regions}
    for index, island in enumerate(board.coherence):
        names = sorted({views[core] for core in island.cores if views.get(core) in spaces.names})
        for place, name in enumerate(island.regions or ()):
            if name in regions and names and not any(spaces.sees(view, name) for view in names):
                message = f"no core of the island can address region {name!r}"
                yield Fault(spot.find(("coherence", index, "regions", place)), "island-unseen-region", message)
