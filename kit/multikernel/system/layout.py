"""Where things lie in physical memory: each core's arena, its bells, the broadcast lines.

Every core computes the same answers from the blueprint, so nothing has to be told.  A region holds equal
arenas for the cores whose home it is, then what the memory server gives out (`pools`), and at its top the
channels fixed at assembly; where a board fixes one so low that this leaves too little, the longest part without
channels takes the place of the region.  An arena holds:

    bells       one line a dispatcher: its first word is 1 while the dispatcher does not look; line 0 is the door
    broadcast   a ring with one writer, this core's monitor, and many readers
    the rest    RAM for channels and page tables, then for the memory server

All arenas lie in memory that every core sees.  On a board that has none an arena lies in memory that its own
core sees, and where another core shares memory with it but does not see the arena (or is of its island, and the
arena is not coherent there), the core has an annex in what both see: bells and RAM for channels there too.  Where a
device copies messages of a core and reaches none of these, the core has a berth in memory that both see: RAM for
such channels.

May not know: who uses any of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from multikernel.errors import LocalMisuse, PlatformError
from multikernel.interfaces import LINE

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint, CoreEntry, Memory, Span

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
    """A channel fixed at assembly: its physical address and window in messages.  Over a device the gateway's side
    lies at `address` and the other's at `far`, else both are one."""

    address: int
    slots: int
    far: int


class Meeting(NamedTuple):
    """A channel fixed at assembly between cores of which neither is the other's gateway: its physical address and
    window in messages, and which side of it a core has."""

    address: int
    slots: int
    side: int


class Pool(NamedTuple):
    """`size` bytes of node `node` from physical address `base`, for the memory server to give out."""

    node: int
    base: int
    size: int


Seat: TypeAlias = tuple[str, int]
"""The space and the island of a core: what decides which memory it can share with whom."""
MINIMUM = 128 * PAGE
"""Least arena: the driver's half holds the capability spaces of a monitor and two programs."""
LEAST_ANNEX = 32 * PAGE
"""Least annex: the bells, and as much again for channels."""


LEAST_BERTH = 2 * PAGE
"""Least berth: a channel's pages."""


class Layout:
    """The layout of one blueprint; holds nothing but the blueprint's numbers."""

    def __init__(self, blueprint: Blueprint) -> None:
        free: dict[str, tuple[int, int]] = {memory.region: (0, memory.size) for memory in blueprint.memory}
        for channel in blueprint.channels:
            for region, offset in ((channel.region, channel.offset), (channel.far_region, channel.far_offset)):
                if region:
                    free[region] = 0, min(free[region][1], offset)
        bases = {"": 0, **{memory.region: memory.base for memory in blueprint.memory}}
        gateways = {core.id: blueprint.boot_core if core.gateway < 0 else core.gateway for core in blueprint.cores}
        self._boot_channels = {
            channel.b: BootChannel(
                bases[channel.region] + channel.offset,
                channel.slots,
                bases[channel.far_region] + channel.far_offset
                if channel.far_region
                else bases[channel.region] + channel.offset,
            )
            for channel in blueprint.channels
            if channel.a == gateways[channel.b]
        }
        self._meetings: dict[tuple[int, int], Meeting] = {}
        for channel in blueprint.channels:
            a, b = channel.a, channel.b
            meets = channel.region and not channel.far_region and gateways[b] != a and gateways[a] != b
            if meets and (a, b) not in self._meetings:
                address = bases[channel.region] + channel.offset
                self._meetings[a, b] = Meeting(address, channel.slots, 0)
                self._meetings[b, a] = Meeting(address, channel.slots, 1)
        self._sight = _Sight(blueprint)
        self._seats = {core.id: (core.space, core.island) for core in blueprint.cores}
        homes = self._homes = {core.id: self._sight.home(core) for core in blueprint.cores}
        annexes = {core: self._sight.annexes(self._seats[core], home) for core, home in homes.items()}
        self._reaches = {device.id: device.reaches for device in blueprint.devices}
        berths: dict[int, tuple[Memory, ...]] = {}
        for device in blueprint.devices:
            for number in device.cores if device.reaches else ():
                known = (homes[number], *annexes[number], *berths.get(number, ()))
                if not any(_within(memory.base, memory.size, device.reaches) for memory in known):
                    berths[number] = berths.get(number, ()) + self._sight.berth(self._seats[number][0], device.reaches)
        counts: dict[str, int] = {}
        for core in blueprint.cores:
            for memory in (homes[core.id], *annexes[core.id], *berths.get(core.id, ())):
                counts[memory.region] = counts.get(memory.region, 0) + 1
        for memory in (homes[number] for number in sorted(homes)):
            bottom, top = free[memory.region]
            if (top - bottom) // counts[memory.region] < MINIMUM:
                free[memory.region] = _gap(blueprint, memory)
        placed: dict[str, int] = {}

        def share(region: Memory) -> int:
            bottom, top = free[region.region]
            return min((top - bottom) // counts[region.region] // PAGE * PAGE, MAXIMUM)

        def place(region: Memory, least: int) -> Arena:
            size = share(region)
            if size < least:
                raise LocalMisuse(f"region {region.region} of {region.size} bytes is too small for its cores")
            index = placed.get(region.region, 0)
            placed[region.region] = index + 1
            return Arena(region.base + free[region.region][0] + index * size, size)

        self._arenas = {core.id: place(homes[core.id], MINIMUM) for core in blueprint.cores}
        self._annexes = {
            core.id: tuple(place(region, LEAST_ANNEX) for region in annexes[core.id]) for core in blueprint.cores
        }
        self._berths = {core: tuple(place(region, LEAST_BERTH) for region in own) for core, own in berths.items()}
        boot_space = self._seats[blueprint.boot_core][0]
        given = {region.region: region for region in homes.values() if self._sight.whole(boot_space, region)}
        self.pools = tuple(
            Pool(memory.node, end, top - end)
            for memory in sorted(given.values(), key=lambda home: home.base)
            for bottom, above in [free[memory.region]]
            for end in [memory.base + bottom + counts[memory.region] * share(memory)]
            for top in [memory.base + above // PAGE * PAGE]
            if top > end
        )

    def arena(self, core: int) -> Arena:
        """The memory of `core`.  KeyError for a core not in the core table."""
        return self._arenas[core]

    def areas(self, core: int) -> tuple[Arena, ...]:
        """The arena of `core`, then its annexes."""
        return (self._arenas[core], *self._annexes[core])

    def berths(self, core: int) -> tuple[Arena, ...]:
        """Memory of `core` for messages that devices copy, where they do not reach its areas."""
        return self._berths.get(core, ())

    def copied(self, core: int, device: str) -> int:
        """Which of the areas of `core`, and then its berths, the device reaches.  LocalMisuse where it reaches
        none."""
        for index, area in enumerate((*self.areas(core), *self.berths(core))):
            if _within(area.base, area.size, self._reaches[device]):
                return index
        raise LocalMisuse(f"device {device} reaches no memory of core {core}")

    def boot_channel(self, core: int) -> BootChannel:
        """The channel between the monitor of `core` and that of its gateway."""
        return self._boot_channels[core]

    def meeting(self, core: int, peer: int) -> Meeting | None:
        """The channel between the monitors of two cores that the blueprint has, as `core` sees it; None where they
        are to find memory when they meet."""
        return self._meetings.get((core, peer))

    def sees(self, core: int, base: int, size: int) -> bool:
        """Whether `core` reaches `size` bytes of physical memory from `base` on."""
        return self._sight.reaches(self._seats[core][0], base, size)

    def between(self, core: int, peer: int) -> int:
        """Which of the areas of `core` holds what it shares with `peer`.  LocalMisuse where none can."""
        mine, other = self._seats[core], self._seats[peer]
        regions = (self._homes[core], *self._sight.annexes(mine, self._homes[core]))
        found = [index for index, region in enumerate(regions) if self._sight.whole(other[0], region)]
        good = [index for index in found if self._sight.fits(mine, other, regions[index])]
        if not found:
            raise LocalMisuse(f"core {peer} sees no memory of core {core}")
        return (good or found)[0]

    def bells(self, core: int, dispatcher: int) -> tuple[int, ...]:
        """Physical addresses of the bell lines of a dispatcher (the monitor's number is 1): one in each area."""
        if not 0 < dispatcher < BELLS:
            raise LocalMisuse(f"core {core} has bells for {BELLS - 1} dispatchers, not for number {dispatcher}")
        return tuple(area.base + dispatcher * LINE for area in self.areas(core))

    def bell(self, core: int, dispatcher: int, reader: int) -> int:
        """The bell line of a dispatcher that core `reader` looks at.  LocalMisuse when it sees none."""
        return self.bells(core, dispatcher)[self.between(core, reader)]

    def doors(self, core: int) -> tuple[int, ...]:
        """Physical addresses of the lines at which any core can leave a message for `core`: one in each area, the
        bells' line that is no dispatcher's."""
        return tuple(area.base for area in self.areas(core))

    def door(self, core: int, knocker: int) -> int:
        """The one that core `knocker` sees.  LocalMisuse when it sees none."""
        return self.doors(core)[self.between(core, knocker)]

    def broadcast(self, core: int) -> int:
        """Physical address of the broadcast ring written by the monitor of `core`."""
        return self._arenas[core].base + BELLS * LINE


def _within(base: int, size: int, spans: Sequence[Span]) -> bool:
    return any(span.base <= base and base + size <= span.base + span.size for span in spans)


def _gap(blueprint: Blueprint, memory: Memory) -> tuple[int, int]:
    """The longest part of a region that no channel lies in, from a whole page on; the lowest of equal ones.  A
    channel over a device takes all that follows."""
    spans = [
        (channel.offset, channel.offset + -(-2 * (channel.slots + 1) * LINE // PAGE) * PAGE)
        for channel in blueprint.channels
        if channel.region == memory.region and not channel.far_region
    ]
    for channel in blueprint.channels:
        if channel.far_region:
            ends = ((channel.region, channel.offset), (channel.far_region, channel.far_offset))
            spans += [(offset, memory.size) for region, offset in ends if region == memory.region]
    best, bottom = (0, 0), 0
    for low, high in sorted([*spans, (memory.size, memory.size)]):
        if low - bottom > best[1] - best[0]:
            best = bottom, low
        bottom = max(bottom, -(-high // PAGE) * PAGE)
    return best


class _Sight:
    """What the cores see of memory, by space."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._board = blueprint.board
        self._spaces = sorted({core.space for core in blueprint.cores})
        places = {memory.region: memory for memory in blueprint.memory}
        self._ranges: dict[str, list[tuple[int, int]]] = {space: [] for space in self._spaces}
        self._whole: set[tuple[str, str]] = set()
        for view in blueprint.views:
            memory = places[view.region]
            if view.space in self._ranges and memory.base >= 0:
                low = memory.base + view.offset
                self._ranges[view.space].append((low, low + view.size))
                if view.offset == 0 and view.size >= memory.size and memory.kind != "device":
                    self._whole.add((view.space, view.region))
        self._memory = [memory for memory in blueprint.memory if memory.base >= 0]
        self._common = [m for m in self._memory if all(self.whole(space, m) for space in self._spaces)]
        self._homes: dict[tuple[str, int], Memory] = {}
        self._islands = blueprint.interconnect.islands
        seats = [(core.space, core.island) for core in blueprint.cores]
        self._seats = sorted(dict.fromkeys(seats))
        self._alone = {seat for seat in self._seats if seats.count(seat) == 1}
        self._found: dict[tuple[Seat, str], tuple[Memory, ...]] = {}

    def whole(self, space: str, memory: Memory) -> bool:
        """Whether cores of `space` see all of a region that is memory."""
        return (space, memory.region) in self._whole

    def reaches(self, space: str, base: int, size: int) -> bool:
        return any(low <= base and base + size <= high for low, high in self._ranges[space])

    def home(self, core: CoreEntry) -> Memory:
        """The region a core's arena lies in: what the blueprint says; else of those that all cores see the largest
        of its node's, else the largest; where there is none, of those it sees that which most spaces do."""
        if core.memory:
            return next(memory for memory in self._memory if memory.region == core.memory)
        key = core.space, core.node
        if key not in self._homes:
            own = [memory for memory in self._common if core.node >= 0 and memory.node == core.node]
            candidates = own or self._common or [m for m in self._memory if self.whole(core.space, m)]
            if not candidates:
                raise PlatformError(f"board {self._board}: core {core.id} sees no memory whole")
            self._homes[key] = max(candidates, key=lambda memory: self._rank(core, memory))
        return self._homes[key]

    def _rank(self, core: CoreEntry, memory: Memory) -> tuple[int, bool, int]:
        seen = sum(self.whole(space, memory) for space in self._spaces)
        return seen, core.node >= 0 and memory.node == core.node, memory.size

    def fits(self, mine: Seat, other: Seat, memory: Memory) -> bool:
        """Whether two cores can share what lies in a region: both see it whole, and if they are of one island it
        is kept coherent there."""
        coherent = mine[1] < 0 or mine[1] != other[1] or memory.region in self._islands[mine[1]].regions
        return coherent and self.whole(mine[0], memory) and self.whole(other[0], memory)

    def berth(self, space: str, reaches: Sequence[Span]) -> tuple[Memory, ...]:
        """The largest region that `space` sees whole and a device reaches, if there is one."""
        found = [m for m in self._memory if self.whole(space, m) and _within(m.base, m.size, reaches)]
        return (max(found, key=lambda memory: memory.size),) if found else ()

    def annexes(self, mine: Seat, home: Memory) -> tuple[Memory, ...]:
        """The regions in which a core whose home is `home` has an annex: for each kind of other core the largest
        that the two can share, unless one of those before will do."""
        key = (mine, home.region)
        if key not in self._found:
            chosen = [home]
            for other in self._seats:
                if other == mine and mine in self._alone:
                    continue
                shared = [m for m in self._memory if m.size >= LEAST_ANNEX and self.fits(mine, other, m)]
                if shared and not any(self.fits(mine, other, memory) for memory in chosen):
                    chosen.append(max(shared, key=lambda memory: memory.size))
            self._found[key] = tuple(chosen[1:])
        return self._found[key]
