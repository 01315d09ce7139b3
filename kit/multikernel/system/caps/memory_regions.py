"""Which memory a memory server hands out next: buddy allocators by NUMA node, as plain data.

    allocator = RamAllocator(regions, distances)
    allocator.allocate(size, near) -> Grant | Shortage
    allocator.free(base, size)
    allocator.left() -> bytes free per node

A region is a RAM capability the server holds.  A `Grant` says which of them to retype, and at what
offset; what comes back as `ReturnMemory` is handed to `free`, whole or in pieces.

Algorithm: binary buddies (Knuth, TAOCP vol. 1, 2.5, algorithms R and S), lowest address first.  A size
that is no power of two takes a block of the next one and gives its tail back at once.

Invariants: what is granted was free and is not granted again before it is freed; free and granted bytes
together are the regions; a grant is aligned to its size's next power of two; two free buddies are one.

May not know: capabilities, who asks.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from multikernel.errors import LocalMisuse
from multikernel.system.page_tables import PAGE


class RamRegion(NamedTuple):
    """RAM at `base` of `size` bytes, both multiples of 4 KiB, on NUMA node `node`; `cptr` is the server's
    capability to it."""

    node: int
    base: int
    size: int
    cptr: int


class Grant(NamedTuple):
    """Retype `size` bytes at `offset` of the region of capability `cptr`; they are at `base` on `node`."""

    node: int
    cptr: int
    offset: int
    base: int
    size: int


class Shortage(NamedTuple):
    """`size` bytes were not to be had.  `largest` is the largest block left on the nodes that were tried,
    `left` what is free on each, as (node, bytes), in the order they were tried."""

    size: int
    largest: int
    left: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        nodes = ", ".join(f"node {node}: {free // 1024} KiB" for node, free in self.left)
        return f"no {self.size // 1024} KiB of memory in one piece; largest {self.largest // 1024} KiB; free on {nodes}"


@dataclass(slots=True)
class _Buddies:
    """Free blocks of one region: `free[order]` holds, in order, the addresses of blocks of PAGE << order.
    Blocks never merge across regions, since a retype takes from one capability."""

    region: RamRegion
    free: list[list[int]] = field(default_factory=list)

    def give(self, base: int, order: int) -> None:
        """Take a block in, merging it with its buddy as long as that is free."""
        while True:
            while len(self.free) <= order:
                self.free.append([])
            blocks, buddy = self.free[order], base ^ PAGE << order
            at = bisect_left(blocks, buddy)
            if at == len(blocks) or blocks[at] != buddy:
                insort(blocks, base)
                return
            del blocks[at]
            base, order = min(base, buddy), order + 1

    def take(self, order: int) -> int | None:
        """A block of `order`, split off the smallest that is large enough; None when there is none."""
        for larger in range(order, len(self.free)):
            if self.free[larger]:
                base = self.free[larger].pop(0)
                for split in range(larger - 1, order - 1, -1):
                    insort(self.free[split], base + (PAGE << split))
                return base
        return None

    def has(self, base: int, order: int) -> bool:
        """Whether any byte of the block is free."""
        for other, blocks in enumerate(self.free):
            first = base & -(PAGE << other)
            at = bisect_left(blocks, first)
            if at < len(blocks) and blocks[at] < base + (PAGE << order):
                return True
        return False

    def total(self) -> int:
        return sum(len(blocks) * (PAGE << order) for order, blocks in enumerate(self.free))

    def largest(self) -> int:
        return max((PAGE << order for order, blocks in enumerate(self.free) if blocks), default=0)


class RamAllocator:
    """See the module.  `distances[a][b]` is how far node b is from node a, in any unit (an ACPI SLIT, or
    measured); without it, memory comes from the node asked for or, failing that, by node number."""

    def __init__(self, regions: Sequence[RamRegion], distances: Sequence[Sequence[int]] = ()) -> None:
        self._distances = distances
        self._nodes: dict[int, list[_Buddies]] = {node: [] for node in sorted(r.node for r in regions)}
        end = 0
        for region in sorted(regions, key=lambda region: region.base):
            if region.base < end or region.size <= 0 or region.base % PAGE or region.size % PAGE:
                raise LocalMisuse(
                    f"region {region.base:#x}+{region.size:#x} overlaps another or is not in pages of 4 KiB",
                    code="bad-region",
                )
            end = region.base + region.size
            buddies = _Buddies(region)
            for base, order in _blocks(region.base, region.size):
                buddies.give(base, order)
            self._nodes[region.node].append(buddies)

    def allocate(self, size: int, near: int, local: bool = False) -> Grant | Shortage:
        """`size` bytes in one piece, rounded up to 4 KiB, on node `near` or else on the nearest node
        that has them; with `local` on `near` alone.  Raises LocalMisuse (`bad-size`, `bad-node`)."""
        if size <= 0:
            raise LocalMisuse(f"cannot allocate {size} bytes", code="bad-size")
        if near not in self._nodes:
            known = ", ".join(map(str, self._nodes))
            raise LocalMisuse(f"no memory on a node {near}; nodes: {known}", code="bad-node")
        size = -(-size // PAGE) * PAGE
        order = (size // PAGE - 1).bit_length()
        nodes = [near] if local else self._by_distance(near)
        for node in nodes:
            grant = self._take(node, size, order)
            if grant is not None:
                return grant
        largest = max(buddies.largest() for node in nodes for buddies in self._nodes[node])
        return Shortage(size, largest, tuple((node, self._free_on(node)) for node in nodes))

    def free(self, base: int, size: int) -> None:
        """Take back a grant or a part of one, in pages of 4 KiB.  Raises LocalMisuse: `not-ours` when it
        is in no region, `double-free` when some of it is free; nothing has changed then."""
        buddies = self._holding(base, size)
        blocks = list(_blocks(base, size))
        for at, order in blocks:
            if buddies.has(at, order):
                raise LocalMisuse(f"some of {at:#x}+{PAGE << order:#x} is free already", code="double-free")
        for at, order in blocks:
            buddies.give(at, order)

    def left(self) -> tuple[tuple[int, int], ...]:
        """Free bytes as (node, bytes), by node."""
        return tuple((node, self._free_on(node)) for node in self._nodes)

    def _free_on(self, node: int) -> int:
        return sum(buddies.total() for buddies in self._nodes[node])

    def _take(self, node: int, size: int, order: int) -> Grant | None:
        for buddies in self._nodes[node]:
            base = buddies.take(order)
            if base is not None:
                for at, tail in _blocks(base + size, (PAGE << order) - size):
                    buddies.give(at, tail)
                return Grant(node, buddies.region.cptr, base - buddies.region.base, base, size)
        return None

    def _holding(self, base: int, size: int) -> _Buddies:
        """The region of all of the range, which is in pages."""
        if size > 0 and not base % PAGE and not size % PAGE:
            for regions in self._nodes.values():
                for buddies in regions:
                    if buddies.region.base <= base and base + size <= buddies.region.base + buddies.region.size:
                        return buddies
        raise LocalMisuse(f"{base:#x}+{size:#x} is not in pages of one region of this allocator", code="not-ours")

    def _by_distance(self, near: int) -> list[int]:
        """The nodes, `near` first and the others nearest first, ties by number."""
        row = self._distances[near] if self._distances else ()
        return sorted(self._nodes, key=lambda node: (node != near, row[node] if row else 0, node))


def _blocks(base: int, size: int) -> Iterator[tuple[int, int]]:
    """The range as aligned blocks (address, order), as large as they can be, by address."""
    end = base + size
    while base < end:
        order = ((end - base) // PAGE).bit_length() - 1
        if base:
            order = min(order, ((base & -base) // PAGE).bit_length() - 1)
        yield base, order
        base += PAGE << order
