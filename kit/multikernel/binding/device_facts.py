"""Devices, caches and memory's places as facts: what the policies of placement ask.  Linear in cores; never a
fact for a pair of cores.

Interface: `DEVICES`, the predicates; `device_entries(board)`, the facts with the path in the board file of each;
`PCI_LOW`, where addresses of 32 bits end.

May not know: plugins, policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from multikernel.board.model import Board
from multikernel.board.topology import Topology
from multikernel.knowledge.facts import Row, predicate
from multikernel.pairs import node_hops

PCI_LOW = 1 << 32
"""Addresses of 32 bits end here."""

DEVICES = (
    predicate("place(space: str, node: int)", "Some core of the space is on the node; -1: on none stated."),
    predicate("whole(space: str, region: str)", "The space reaches all of the region in one piece."),
    predicate(
        "node_hops(node: int, to: int, hops: int)",
        "Links from a node without memory to those with some, from a device's to those with cores.",
    ),
    predicate("group(group: int, level: str, bytes: int)", "Cores that share a cache whose size is stated."),
    predicate("in_group(core: int, group: int)", "They."),
    predicate("device(device: str, cls: str)", "A device."),
    predicate("device_node(device: str, node: int)", "Where it is; none stated, no fact."),
    predicate("device_near(device: str, core: int)", "Cores next to it."),
    predicate("device_core(device: str, core: int)", "Cores on it."),
    predicate("device_space(device: str, space: str)", "Some address of the space reaches it."),
    predicate("irqs(device: str, count: int)", "Interrupts or vectors it raises."),
    predicate("msi(device: str)", "It raises them by writing to memory, each to a core of its own choice."),
    predicate("notify_device(entry: int, device: str)", "The device through which this entry of the board wakes."),
    predicate("bar(device: str, bar: int, bytes: int, bits: int, prefetch: int)", "A window a PCI function asks for."),
    predicate("behind(device: str, bridge: str)", "The PCI host bridge of a function."),
    predicate(
        "aperture(bridge: str, aperture: int, bytes: int, prefetch: int, low: int)",
        "Addresses a bridge passes on; low: all of them below 4 GiB.",
    ),
)

Entry: TypeAlias = tuple[str, Row, tuple[str | int, ...]]
"""Predicate, values, and the path in the board file that says so."""


def device_entries(board: Board) -> Iterator[Entry]:
    """Every fact of `DEVICES`."""
    topology = board.topology()
    yield from _places(board, topology)
    yield from _caches(board, topology)
    yield from _devices(topology)
    yield from _wires(board, topology)


def _places(board: Board, topology: Topology) -> Iterator[Entry]:
    rows = {core: ("cores", index) for index, row in enumerate(board.cores) for core in row.ids}
    places: dict[tuple[str, int], int] = {}
    for core in topology.cores:
        places.setdefault((core.space, core.node), core.id)
    for (space, node), core_id in places.items():
        yield "place", (space, node), rows[core_id]
    regions = {region.id: index for index, region in enumerate(topology.regions)}
    for space in topology.spaces.names:
        for window in topology.spaces.windows(space):
            index = regions.get(window.region, -1)
            if index >= 0 and window.offset == 0 and window.size >= topology.regions[index].size:
                yield "whole", (space, window.region), ("spaces", space) if space in board.spaces else (
                    "regions", index)  # fmt: skip
    stored = {region.node for region in topology.regions if region.kind != "device"}
    peopled = {node for _, node in places}
    ways = [(node, stored) for node in sorted(peopled - stored) if node >= 0]
    ways += [(node, peopled) for node in sorted({device.node for device in topology.devices}) if node >= 0]
    for start, ends in ways:
        for end, hops in sorted(node_hops(topology.links, start).items()):
            if end in ends:
                yield "node_hops", (start, end, hops), ("links",)


def _caches(board: Board, topology: Topology) -> Iterator[Entry]:
    rows = {(row.level, cores): ("groups", index) for index, row in enumerate(board.groups) for cores in row.sets}
    for rank, group in enumerate(topology.groups):
        if group.size > 0:
            here = rows.get((group.level, group.cores), ("groups",))
            yield "group", (rank, group.level, group.size), here
            for core in group.cores:
                yield "in_group", (core, rank), here


def _devices(topology: Topology) -> Iterator[Entry]:
    used = dict.fromkeys(core.space for core in topology.cores)
    reached = {space: {window.region for window in topology.spaces.windows(space)} for space in used}
    for index, device in enumerate(topology.devices):
        here = ("devices", index)
        yield "device", (device.id, device.cls), here
        if device.node >= 0:
            yield "device_node", (device.id, device.node), (*here, "node")
        for core in device.near:
            yield "device_near", (device.id, core), (*here, "near")
        for core in device.cores:
            yield "device_core", (device.id, core), (*here, "cores")
        for space in used:
            if device.id in reached[space]:
                yield "device_space", (device.id, space), ("spaces", space)
        if device.irqs > 0:
            yield "irqs", (device.id, device.irqs), (*here, "irqs")
        if device.msi:
            yield "msi", (device.id,), (*here, "msi")


def _wires(board: Board, topology: Topology) -> Iterator[Entry]:
    for index, row in enumerate(board.notify):
        if row.device is not None:
            yield "notify_device", (index, row.device), ("notify", index)
    for index, device in enumerate(topology.devices):
        here = ("devices", index)
        if device.bridge:
            yield "behind", (device.id, device.bridge), (*here, "bridge")
        for number, bar in enumerate(device.bars):
            asked = (device.id, number, bar.size, bar.bits, int(bar.prefetchable))
            yield "bar", asked, (*here, "bars", number)
        for number, window in enumerate(device.apertures):
            low = int(window.base + window.size <= PCI_LOW)
            yield "aperture", (device.id, number, window.size, int(window.prefetchable), low), (
                *here, "apertures", number)  # fmt: skip
