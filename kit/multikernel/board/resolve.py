"""From the board file's sections to the resolved topology.

    resolve(board) -> Topology
    address_spaces(board) -> AddressSpaces
    contracts(board) -> tuple[Contract, ...]     the channels it fixes

Invariants: the board has passed the reference checks.  May not know: YAML, plugins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from multikernel.blueprint import Cost
from multikernel.board.contracts import Contract, Side
from multikernel.board.cores import IslandRow
from multikernel.board.devices import Aperture, Bar, Device
from multikernel.board.hosting import of_the_kernel
from multikernel.board.latencies import Latency, LatencyMatrix, picoseconds
from multikernel.board.spaces import ROOT, AddressSpaces, Map, Region, Space
from multikernel.board.topology import Core, Group, Island, Kind, Link, Node, Notification, Topology

if TYPE_CHECKING:
    from multikernel.board.model import Board
    from multikernel.board.wires import SideRow

_NODE = re.compile(r"node([0-9]+)")


def node_end(name: str) -> int | None:
    """The node id of a link's end written `node3`; None for any other name."""
    match = _NODE.fullmatch(name)
    return int(match[1]) if match else None


def resolve(board: Board) -> Topology:
    """The resolved view of a board."""
    groups = _groups(board)
    memberships: dict[int, list[int]] = {core: [] for row in board.cores for core in row.ids}
    for rank, group in enumerate(groups):
        for core in group.cores:
            memberships[core].append(rank)
    regions = _regions(board)
    nodes = tuple(
        Node(row.id, row.cores, tuple(dict.fromkeys([*row.regions, *(r.id for r in regions if r.node == row.id)])))
        for row in board.nodes
    )
    islands = _islands(board)
    cores = _cores(board, {core: tuple(ranks) for core, ranks in memberships.items()}, islands)
    starters = [core.id for core in cores if core.start == "boot"]
    topology = Topology(
        cores=cores,
        kinds=_kinds(board),
        groups=groups,
        nodes=nodes,
        islands=islands,
        regions=regions,
        spaces=address_spaces(board),
        links=_links(board),
        notifications=tuple(
            Notification(
                frozenset(row.src), frozenset(row.dst), row.via, row.device or "", row.slots or -1, row.bytes or -1
            )
            for row in board.notify
        ),
        devices=_devices(board),
        boot_core=(starters or [cores[0].id])[0],
        distances={
            (a, b): row.matrix[i][j]
            for row in board.distances
            for i, a in enumerate(row.ids)
            for j, b in enumerate(row.ids)
        },
        latencies=_latencies(board),
        offsets=_offsets(board),
        matrix=_matrix(board),
        memberships={core: tuple(ranks) for core, ranks in memberships.items()},
    )
    return of_the_kernel(topology)


def _kinds(board: Board) -> tuple[Kind, ...]:
    return tuple(
        Kind(
            name=name,
            isa=row.isa,
            uarch=row.uarch or "",
            mhz=row.mhz,
            word=row.word,
            endian=row.endian,
            mmu=row.mmu,
            hosts=row.hosts,
            tlb_entries=row.tlb_entries or -1,
            store_buffer=row.store_buffer or -1,
            outstanding=row.outstanding or -1,
            costs=tuple(Cost(cost, entry.cycles, entry.source) for cost, entry in sorted(row.costs.items())),
        )
        for name, row in board.kinds.items()
    )


def _groups(board: Board) -> tuple[Group, ...]:
    """All sets, smallest first; of equal sizes the level listed first, then by least core."""
    groups = [
        (len(cores), level, Group(row.level, row.size or -1, cores))
        for level, row in enumerate(board.groups)
        for cores in row.sets
    ]
    groups.sort(key=lambda entry: (entry[0], entry[1], entry[2].cores))
    return tuple(group for _, _, group in groups)


def _cores(board: Board, memberships: dict[int, tuple[int, ...]], islands: tuple[Island, ...]) -> tuple[Core, ...]:
    node_of = {core: row.id for row in board.nodes for core in row.cores}
    island_of = {core: island.index for island in islands for core in island.cores}
    packages: dict[int, int] = {}
    clusters: dict[int, int] = {}
    cores: list[Core] = []
    rows = {core: row for row in board.cores for core in row.ids}
    for core, row in sorted(rows.items(), key=lambda entry: entry[0]):
        ranks = memberships[core]
        cores.append(
            Core(
                id=core,
                kind=row.kind,
                space=row.space,
                node=node_of.get(core, -1),
                island=island_of.get(core, -1),
                package=packages.setdefault(ranks[-1], len(packages)) if ranks else -1,
                cluster=clusters.setdefault(ranks[0], len(clusters)) if ranks else -1,
                hardware_id=core + row.hardware_id_offset,
                start=row.start,
                fails=row.fails or "",
            )
        )
    return tuple(cores)


def _islands(board: Board) -> tuple[Island, ...]:
    named = {region for row in board.coherence for region in row.regions or ()}
    rest = tuple(row.id for row in board.regions if row.kind != "device" and row.id not in named)

    def island(index: int, row: IslandRow) -> Island:
        regions = rest if row.regions is None else row.regions
        return Island(index, row.cores, regions, row.line, row.protocol or "")

    return tuple(island(index, row) for index, row in enumerate(board.coherence))


def _links(board: Board) -> tuple[Link, ...]:
    ends = [(node_end(row.a), node_end(row.b), row) for row in board.links]
    return tuple(
        Link(a, b, row.kind, row.bandwidth_mbs or -1, row.latency_ns or -1)
        for a, b, row in ends
        if a is not None and b is not None
    )


def _devices(board: Board) -> tuple[Device, ...]:
    return tuple(
        Device(
            id=row.id,
            cls=row.cls,
            bus=row.bus or "",
            compatible=row.compatible,
            node=-1 if row.node is None else row.node,
            iommu=row.iommu or "",
            dma_space=row.dma_space or "",
            cores=row.cores,
            regions=row.regions,
            near=row.near,
            irqs=row.irqs or 0,
            msi=row.msi,
            bars=tuple(Bar(bar.size, bar.bits, bar.prefetchable) for bar in row.bars),
            bridge=row.bridge or "",
            apertures=tuple(Aperture(at.base, at.size, at.prefetchable) for at in row.apertures),
            channels=row.channels or -1,
        )
        for row in board.devices
    )


def _latencies(board: Board) -> tuple[Latency, ...]:
    rows = [
        Latency(
            cls=row.cls,
            home=row.home or "",
            mean=row.mean,
            sd=row.sd,
            min=row.min or -1,
            max=row.max or -1,
            p99=row.p99 or -1,
            count=row.count or -1,
            unit=row.unit,
            status=row.status,
            source=row.source,
        )
        for row in (board.latency.classes if board.latency else ())
    ]
    return tuple(sorted(rows, key=lambda row: (row.cls, row.home)))


def _clocks(board: Board) -> dict[int, int]:
    """Core id -> MHz."""
    return {core: board.kinds[row.kind].mhz for row in board.cores for core in row.ids}


def _offsets(board: Board) -> dict[int, int]:
    rows = board.latency.offsets if board.latency else ()
    clocks = _clocks(board) if rows else {}
    offsets = {core: picoseconds(row.plus, row.unit, clocks[core]) for row in rows for core in row.cores}
    return {core: plus for core, plus in sorted(offsets.items()) if plus}


def _matrix(board: Board) -> LatencyMatrix | None:
    row = board.latency.matrix if board.latency else None
    if row is None:
        return None
    clocks = _clocks(board)
    order = sorted(range(len(row.ids)), key=lambda index: row.ids[index])
    ps = tuple(tuple(picoseconds(row.matrix[i][j], row.unit, clocks[row.ids[i]]) for j in order) for i in order)
    return LatencyMatrix(tuple(sorted(row.ids)), ps, row.status, row.source)


def contracts(board: Board) -> tuple[Contract, ...]:
    """The channels the board fixes, as it claims them."""

    def side(row: SideRow) -> Side:
        return Side(row.core, row.address, row.line or -1, row.cached, row.endian or "", row.doorbell)

    return tuple(
        Contract(
            row.region,
            -1 if row.offset is None else row.offset,
            row.size,
            row.slots,
            row.transport,
            side(row.a),
            side(row.b),
        )
        for row in board.channels
    )


def address_spaces(board: Board) -> AddressSpaces:
    """The board's spaces; regions with a base of their own are mapped in `phys`.  Needs of the board only
    that maps and overlays name what there is and lead in no circle."""
    own = tuple(Map(row.base, row.size, row.id, 0, True) for row in board.regions if row.base is not None)
    spaces = {
        name: Space(
            name,
            row.bits,
            row.overlay or "",
            tuple(Map(m.base, m.size, m.to, m.at, m.cacheable) for m in row.maps),
        )
        for name, row in board.spaces.items()
    }
    root = spaces.pop(ROOT, Space(ROOT, 64, "", ()))
    return AddressSpaces((Space(ROOT, root.bits, root.overlay, own + root.maps), *spaces.values()))


def _regions(board: Board) -> tuple[Region, ...]:
    spaces = address_spaces(board)
    node_of = {region: row.id for row in board.nodes for region in row.regions}

    def base(name: str) -> int:
        address = spaces.address(ROOT, name, 0)
        return -1 if address is None else address

    return tuple(
        Region(row.id, row.kind, base(row.id), row.size, node_of.get(row.id, -1) if row.node is None else row.node)
        for row in board.regions
    )
