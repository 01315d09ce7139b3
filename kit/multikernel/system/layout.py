"""Where things lie in physical memory: each core's arena, its bells, the broadcast lines.

Every core computes the same answers from the blueprint, so nothing has to be told.  A region holds equal
arenas for the cores whose home it is, then what the memory server gives out (`pools`), and at its top the
channels fixed at assembly.  An arena holds:

    bells       one line a dispatcher: its first word is 1 while the dispatcher does not look
    broadcast   a ring with one writer, this core's monitor, and many readers
    the rest    RAM for channels and page tables, then for the memory server

May not know: who uses any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import LocalMisuse, PlatformError
from multikernel.interfaces import LINE

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint, Memory

PAGE = 4096
BELLS = 1024
"""Dispatchers a core can ever have, one less: each has a bell of its own, and numbers are not used again."""
BROADCAST_SLOTS = 63
"""Window of a core's broadcast ring: one page of lines with the page's last left free."""
RESERVED = BELLS * LINE + PAGE
"""Bytes of an arena before its free memory."""
MAXIMUM = 1 << 24
"""Largest arena, bytes; what is left of a node's memory is for its memory server."""


class Arena(NamedTuple):
    """`size` bytes from physical address `base` that belong to one core."""

    base: int
    size: int


class BootChannel(NamedTuple):
    """A channel fixed at assembly: physical address and window in messages."""

    address: int
    slots: int


class Pool(NamedTuple):
    """`size` bytes of node `node` from physical address `base`, for the memory server to give out."""

    node: int
    base: int
    size: int


MINIMUM = 128 * PAGE
"""Least arena: the driver's half holds the capability spaces of a monitor and two programs."""


class Layout:
    """The layout of one blueprint; holds nothing but the blueprint's numbers."""

    def __init__(self, blueprint: Blueprint) -> None:
        tops: dict[str, int] = {memory.region: memory.size for memory in blueprint.memory}
        for channel in blueprint.channels:
            tops[channel.region] = min(tops[channel.region], channel.offset)
        bases = {memory.region: memory.base for memory in blueprint.memory}
        self._boot_channels = {
            channel.b: BootChannel(bases[channel.region] + channel.offset, channel.slots)
            for channel in blueprint.channels
            if channel.a == blueprint.boot_core
        }
        common = _common(blueprint)
        homes = {core.id: _home(blueprint, core.node, common) for core in blueprint.cores}
        counts: dict[str, int] = {}
        for core in blueprint.cores:
            counts[homes[core.id].region] = counts.get(homes[core.id].region, 0) + 1
        self._arenas: dict[int, Arena] = {}
        placed: dict[str, int] = {}
        for core in blueprint.cores:
            home = homes[core.id]
            size = min(tops[home.region] // counts[home.region] // PAGE * PAGE, MAXIMUM)
            if size < MINIMUM:
                raise LocalMisuse(f"region {home.region} of {home.size} bytes is too small for its cores")
            index = placed.get(home.region, 0)
            placed[home.region] = index + 1
            self._arenas[core.id] = Arena(home.base + index * size, size)
        ends = {homes[core].base: arena.base + arena.size for core, arena in self._arenas.items()}
        self.pools = tuple(
            Pool(memory.node, ends[memory.base], memory.base + tops[memory.region] // PAGE * PAGE - ends[memory.base])
            for memory in sorted({home.region: home for home in homes.values()}.values(), key=lambda home: home.base)
            if memory.base + tops[memory.region] // PAGE * PAGE > ends[memory.base]
        )

    def arena(self, core: int) -> Arena:
        """The memory of `core`.  KeyError for a core not in the core table."""
        return self._arenas[core]

    def boot_channel(self, core: int) -> BootChannel:
        """The channel between the boot core's monitor and that of `core`."""
        return self._boot_channels[core]

    def bell(self, core: int, dispatcher: int) -> int:
        """Physical address of the bell line of a dispatcher (the monitor's number is 1)."""
        if not 0 < dispatcher < BELLS:
            raise LocalMisuse(f"core {core} has bells for {BELLS - 1} dispatchers, not for number {dispatcher}")
        return self._arenas[core].base + dispatcher * LINE

    def broadcast(self, core: int) -> int:
        """Physical address of the broadcast ring written by the monitor of `core`."""
        return self._arenas[core].base + BELLS * LINE


def _common(blueprint: Blueprint) -> list[Memory]:
    """The memory that every core's address space sees whole: bells and channels must be in it."""
    spaces = sorted({core.space for core in blueprint.cores})
    whole = {(view.space, view.region) for view in blueprint.views if view.offset == 0}
    sizes = {(view.space, view.region): view.size for view in blueprint.views if view.offset == 0}
    return [
        memory
        for memory in blueprint.memory
        if memory.kind != "device"
        and all((space, memory.region) in whole and sizes[space, memory.region] >= memory.size for space in spaces)
    ]


def _home(blueprint: Blueprint, node: int, common: list[Memory]) -> Memory:
    """The region a core's arena lies in: the largest of its node's that all cores see, else of any node's."""
    own = [memory for memory in common if node >= 0 and memory.node == node]
    candidates = own or common
    if not candidates:
        raise PlatformError(f"board {blueprint.board} has no memory that all its cores see")
    return max(candidates, key=lambda memory: memory.size)
