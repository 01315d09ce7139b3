"""Where an x86-64 image puts what the blueprint leaves open: itself, each core's own memory, and the
channels of programs.

    place(blueprint) -> Layout      raises PlatformError for a blueprint this platform cannot build

Channels between monitors stand where the blueprint says.  The channel of a class of pairs stands there
too if it has its pages for itself; otherwise it gets pages of its own in its home's memory, so that
page tables keep a program away from the monitors' lines.

Invariants: nothing overlaps; all lies in the memory map; the same blueprint gives the same layout.
May not know: C, the toolchain, QEMU.
"""

from __future__ import annotations

from dataclasses import dataclass

from multikernel.blueprint import Blueprint, ChannelEntry, CoreEntry, Memory, PairClass
from multikernel.errors import PlatformError
from multikernel.interfaces import LINE

PAGE = 4096
MEBIBYTE = 1 << 20
FIRMWARE = (0xA_0000, MEBIBYTE)
"""Video memory and firmware (PC memory map); the rest below 1 MiB is free once the loader has left, but
only a start-up IPI's first page and what the blueprint says go there."""
TOP = 0x6F00_0000
"""MK_CORE_BASE of mk.h: memory is seen at its physical address, below this."""
IMAGE = MEBIBYTE
"""Bytes kept for the image; the linker script refuses a larger one."""
STATE_PAGES, STACK_PAGES, PARTS, PART_PAGES = 4, 3, 3, 80
"""As in mk.h, where a static assertion holds the tables to them."""
CORE_PAGES = STATE_PAGES + 1 + STACK_PAGES + PARTS * PART_PAGES
CORES = 64
"""How many the monitor's tables hold (monitor.c)."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A channel as the image has it: `a` and `b` are rows of the core table."""

    id: int
    a: int
    b: int
    slots: int
    address_a: int
    address_b: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`image` and `trampoline` are addresses, `memory[row]` that of the core's own memory; `wires` join
    monitors, `class_wires[i]` is for programs on the pair of class i."""

    cores: tuple[CoreEntry, ...]
    boot_row: int
    image: int
    trampoline: int
    memory: tuple[int, ...]
    wires: tuple[Wire, ...]
    class_wires: tuple[Wire, ...]


def channel_bytes(slots: int) -> int:
    """Bytes of a channel with a window of `slots` messages each way."""
    return 2 * (slots + 1) * LINE


def _pages(address: int, size: int) -> tuple[int, int]:
    return address // PAGE * PAGE, -(-(address + size) // PAGE) * PAGE


class _Map:
    """What is taken of the physical memory, in half-open ranges of addresses."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.regions = sorted(blueprint.memory, key=lambda region: (region.base, region.region))
        self.taken: list[tuple[int, int]] = [FIRMWARE]

    def near(self, node: int) -> list[Memory]:
        """The regions, those of `node` first."""
        return sorted(self.regions, key=lambda region: (region.node != node, region.base))

    def free(self, regions: list[Memory], size: int, what: str, low: int = MEBIBYTE, top: int = TOP) -> int:
        """Take `size` bytes, in whole pages, in the first region that has them between `low` and `top`."""
        for region in regions:
            at, end = max(region.base, low), min(region.base + region.size, top)
            for taken, high in sorted(self.taken):
                if taken < at + size and at < high:
                    at = -(-high // PAGE) * PAGE
            if at + size <= end:
                self.taken.append((at, at + size))
                return at
        raise PlatformError(
            f"no room for {what} ({size} bytes) in the memory map between {low:#x} and {top:#x}; "
            "give the board a larger region"
        )


def place(blueprint: Blueprint) -> Layout:
    """See the module."""
    cores = _cores(blueprint)
    rows = {core.id: row for row, core in enumerate(cores)}
    space = _Map(blueprint)
    for channel in blueprint.channels:
        space.taken += _checked(blueprint, channel)
    image = space.free(space.regions, IMAGE, "the image")
    trampoline = space.free(space.regions, PAGE, "the start of the other cores", PAGE, FIRMWARE[0])
    memory = tuple(
        space.free(space.near(core.node), CORE_PAGES * PAGE, f"core {core.id}'s own memory") for core in cores
    )
    monitors = _monitor_channels(blueprint, cores)
    class_wires = tuple(
        _class_wire(blueprint, pair_class, number, monitors, rows, space)
        for number, pair_class in enumerate(blueprint.pair_classes)
    )
    wires = tuple(_wire(channel, rows) for channel in monitors)
    return Layout(cores, rows[blueprint.boot_core], image, trampoline, memory, wires, class_wires)


def _cores(blueprint: Blueprint) -> tuple[CoreEntry, ...]:
    kinds = {kind.name: kind for kind in blueprint.kinds}
    cores = tuple(sorted(blueprint.cores, key=lambda core: core.id))
    if len(cores) > CORES:
        raise PlatformError(f"an image holds {CORES} cores, the board has {len(cores)}")
    for core in cores:
        if kinds[core.kind].isa != "x86-64":
            raise PlatformError(
                f"core {core.id} is {kinds[core.kind].isa}; images are built for x86-64 alone, run this board with "
                "--platform sim"
            )
        wanted = "boot" if core.id == blueprint.boot_core else "sipi"
        if core.start != wanted and not core.fails:
            raise PlatformError(f"core {core.id} starts by {core.start!r}; here it must be {wanted!r}")
        if core.id == blueprint.boot_core and core.hardware_id != 0:
            raise PlatformError(f"boot core {core.id} has APIC id {core.hardware_id}; QEMU boots the one with id 0")
    return cores


def _checked(blueprint: Blueprint, channel: ChannelEntry) -> list[tuple[int, int]]:
    """The pages of a channel as each side sees it; refuses lines outside the memory map."""
    if channel.transport != "ump":
        raise PlatformError(f"channel {channel.id} is by {channel.transport!r}, which has no C facet; bind ump")
    ranges = []
    for address in (channel.address_a, channel.address_b):
        low, high = _pages(address, channel_bytes(channel.slots))
        inside = any(
            r.base <= address and address + channel_bytes(channel.slots) <= r.base + r.size for r in blueprint.memory
        )
        usable = low >= PAGE and high <= TOP and not (low < FIRMWARE[1] and high > FIRMWARE[0])
        if not inside or not usable or address % LINE:
            raise PlatformError(
                f"channel {channel.id} ({channel.a}->{channel.b}) at {address:#x} does not lie on lines of memory "
                f"from {PAGE:#x} to {TOP:#x}, outside {FIRMWARE[0]:#x}-{FIRMWARE[1]:#x}; give its region another base"
            )
        ranges.append((low, high))
    return ranges


def _monitor_channels(blueprint: Blueprint, cores: tuple[CoreEntry, ...]) -> list[ChannelEntry]:
    """The first channel between the boot core and each other."""
    found = []
    for core in cores:
        if core.id == blueprint.boot_core:
            continue
        ends = {core.id, blueprint.boot_core}
        channel = next((c for c in blueprint.channels if {c.a, c.b} == ends), None)
        if channel is not None:
            found.append(channel)
        elif not core.fails:
            raise PlatformError(f"the blueprint has no channel between core {core.id} and the boot core")
    return found


def _wire(channel: ChannelEntry, rows: dict[int, int]) -> Wire:
    return Wire(channel.id, rows[channel.a], rows[channel.b], channel.slots, channel.address_a, channel.address_b)


def _class_wire(
    blueprint: Blueprint,
    pair_class: PairClass,
    number: int,
    monitors: list[ChannelEntry],
    rows: dict[int, int],
    space: _Map,
) -> Wire:
    for channel in blueprint.channels:
        if (channel.a, channel.b) == (pair_class.src, pair_class.dst) and channel not in monitors:
            others = [c for c in blueprint.channels if c is not channel]
            if not any(_share_a_page(channel, other) for other in others):
                return _wire(channel, rows)
    node = {core.id: core.node for core in blueprint.cores}
    regions = space.near(node[pair_class.src if pair_class.home == "sender" else pair_class.dst])
    if pair_class.home.startswith("region:"):
        regions = [region for region in space.regions if f"region:{region.region}" == pair_class.home]
    size = -(-channel_bytes(pair_class.slots) // PAGE) * PAGE
    address = space.free(regions, size, f"the channel of class {pair_class.name}")
    return Wire(number, rows[pair_class.src], rows[pair_class.dst], pair_class.slots, address, address)


def _share_a_page(one: ChannelEntry, other: ChannelEntry) -> bool:
    for mine in (one.address_a, one.address_b):
        for theirs in (other.address_a, other.address_b):
            low, high = _pages(mine, channel_bytes(one.slots))
            low2, high2 = _pages(theirs, channel_bytes(other.slots))
            if low < high2 and low2 < high:
                return True
    return False
