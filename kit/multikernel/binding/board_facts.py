"""A board as facts of the SKB: linear in cores, never a fact for a pair of cores.

Interface: `BOARD`, the predicates; `assert_board(skb, board)`; `entries(board)`, what it asserts.

May not know: plugins, policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from multikernel.binding.device_facts import DEVICES, Entry, device_entries
from multikernel.board.latencies import picoseconds
from multikernel.board.model import Board
from multikernel.knowledge.facts import Source, predicate
from multikernel.knowledge.skb import Skb

BOARD = (
    predicate("kind(kind: str, isa: str)", "A kind of core and its instruction set."),
    predicate("word(kind: str, bits: int)", "Bits of its general registers."),
    predicate("endian(kind: str, endian: str)", "little or big."),
    predicate("mmu(kind: str, mmu: str)", "full, mpu or none."),
    predicate("hosts(kind: str, what: str)", "cpu-driver, app-core or offload."),
    predicate("core(core: int, kind: str)", "A core of the kernel."),
    predicate("other_core(core: int, kind: str)", "A core that is not the kernel's: its kind hosts something else."),
    predicate("space(core: int, space: str)", "The addresses a core issues."),
    predicate("node(core: int, node: int)", "Its NUMA node; none stated, no fact."),
    predicate("island(core: int, island: int)", "Its coherence island; none stated, no fact."),
    predicate("package(core: int, package: int)", "The largest group it is in."),
    predicate("cluster(core: int, cluster: int)", "The smallest group it is in."),
    predicate("fails(core: int, why: str)", "Known not to start."),
    predicate("boot_core(core: int)", "Runs first."),
    predicate("region(region: str, kind: str, bytes: int)", "Memory; kind dram, hbm, sram, tcm, cxl, device."),
    predicate("region_node(region: str, node: int)", "Where it is."),
    predicate("island_region(island: int, region: str)", "Kept coherent there."),
    predicate("sees(space: str, region: str)", "Some address of the space reaches the region."),
    predicate("caches(space: str, region: str)", "And cacheable wherever it does."),
    predicate("link(a: int, b: int)", "Nodes joined by a link."),
    predicate("boot_hops(node: int, hops: int)", "Links between the boot core's node and this one."),
    predicate("distance(a: int, b: int, slit: int)", "What firmware says of two nodes; 10 is local."),
    predicate("notify_from(entry: int, core: int)", "Cores that can wake through this entry of the board."),
    predicate("notify_to(entry: int, core: int)", "Cores it can wake."),
    predicate("notify_via(entry: int, via: str)", "How."),
    predicate(
        "latency(class: str, home: str, ps: int)",
        "One-way, over a pair class; home receiver, sender, elsewhere, or empty for any.",
    ),
    predicate("dma_space(device: str, space: str)", "The addresses the device issues; none stated, no fact."),
    *DEVICES,
)


DISCOVERY = "discovery"
"""The source, in a board's provenance, of what was read off the machine at hand."""


def assert_board(skb: Skb, board: Board) -> None:
    """Declare the predicates and assert what the board says: discovered, where its provenance says so."""
    skb.declare(*BOARD)
    found_out = any(row.source == DISCOVERY for row in board.provenance)
    kind: Literal["asserted", "discovered"] = "discovered" if found_out else "asserted"
    places: dict[tuple[str | int, ...], Source] = {}
    for name, values, path in entries(board):
        source = places.get(path)
        if source is None:
            source = places[path] = Source(kind, board.where(*path) or board.name)
        skb.assert_fact(name, values, source)


def entries(board: Board) -> Iterator[Entry]:
    """All that the board says."""
    yield from _kinds(board)
    yield from _cores(board)
    yield from _memory(board)
    yield from _nodes(board)
    yield from _notify(board)
    yield from _latencies(board)
    yield from _dma(board)
    yield from device_entries(board)


def _kinds(board: Board) -> Iterator[Entry]:
    for kind in board.topology().kinds:
        here = ("kinds", kind.name)
        yield "kind", (kind.name, kind.isa), (*here, "isa")
        yield "word", (kind.name, kind.word), (*here, "word")
        yield "endian", (kind.name, kind.endian), (*here, "endian")
        yield "mmu", (kind.name, kind.mmu), (*here, "mmu")
        yield "hosts", (kind.name, kind.hosts), (*here, "hosts")


def _cores(board: Board) -> Iterator[Entry]:
    topology = board.topology()
    rows = {core: ("cores", index) for index, row in enumerate(board.cores) for core in row.ids}
    nodes = {core: ("nodes", index) for index, row in enumerate(board.nodes) for core in row.cores}
    for core in topology.cores:
        here = rows[core.id]
        yield "core", (core.id, core.kind), here
        yield "space", (core.id, core.space), here
        if core.node >= 0:
            yield "node", (core.id, core.node), nodes[core.id]
        if core.island >= 0:
            yield "island", (core.id, core.island), ("coherence", core.island)
        if core.package >= 0:
            yield "package", (core.id, core.package), ("groups",)
            yield "cluster", (core.id, core.cluster), ("groups",)
        if core.fails:
            yield "fails", (core.id, core.fails), (*here, "fails")
    for core in topology.others:
        yield "other_core", (core.id, core.kind), rows[core.id]
    yield "boot_core", (topology.boot_core,), rows[topology.boot_core]


def _memory(board: Board) -> Iterator[Entry]:
    topology = board.topology()
    rows = {row.id: ("regions", index) for index, row in enumerate(board.regions)}
    for region in topology.regions:
        here = rows[region.id]
        yield "region", (region.id, region.kind, region.size), here
        if region.node >= 0:
            yield "region_node", (region.id, region.node), here
        for space in topology.spaces.names:
            if topology.spaces.sees(space, region.id):
                yield "sees", (space, region.id), ("spaces", space) if space in board.spaces else here
                if topology.cacheable(space, region.id):
                    yield "caches", (space, region.id), ("spaces", space) if space in board.spaces else here
    for island in topology.islands:
        for name in island.regions:
            yield "island_region", (island.index, name), ("coherence", island.index)


def _nodes(board: Board) -> Iterator[Entry]:
    topology = board.topology()
    for index, link in enumerate(topology.links):
        yield "link", (link.a, link.b), ("links", index)
    boot = topology.core(topology.boot_core).node
    for node in topology.nodes:
        hops = topology.hops(boot, node.id)
        if hops is not None:
            yield "boot_hops", (node.id, hops), ("links",)
    for (a, b), distance in topology.distances.items():
        yield "distance", (a, b, distance), ("distances",)


def _notify(board: Board) -> Iterator[Entry]:
    for index, entry in enumerate(board.topology().notifications):
        here = ("notify", index)
        yield "notify_via", (index, entry.via), here
        for core in sorted(entry.src):
            yield "notify_from", (index, core), here
        for core in sorted(entry.dst):
            yield "notify_to", (index, core), here


def _dma(board: Board) -> Iterator[Entry]:
    for index, device in enumerate(board.topology().devices):
        if device.dma_space:
            yield "dma_space", (device.id, device.dma_space), ("devices", index, "dma_space")


def _latencies(board: Board) -> Iterator[Entry]:
    topology = board.topology()
    senders = {count.name: topology.kind(topology.core(count.src).kind).mhz for count in topology.classes()}
    for index, row in enumerate(board.latency.classes if board.latency else ()):
        if row.cls in senders:
            ps = picoseconds(row.mean, row.unit, senders[row.cls])
            yield "latency", (row.cls, row.home or "", ps), ("latency", "classes", index)
