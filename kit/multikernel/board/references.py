"""What one section of a board says of another: every id must be defined, no two things in one place.

    reference_faults(board, spot) -> list[Fault]

May not know: YAML, what boot programs and plugins there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multikernel.board.channel_rules import channel_faults, contract_faults
from multikernel.board.checks import cores_of, duplicates, once, square, strangers, unknown
from multikernel.board.device_rules import aperture_faults, device_faults
from multikernel.board.hosting import CPU_DRIVER
from multikernel.board.latency_rules import class_faults, timing_faults
from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.placement import placement_faults
from multikernel.board.resolve import node_end
from multikernel.board.shape import Fault, Path
from multikernel.board.spaces import ROOT


def reference_faults(board: Board, spot: Spot) -> list[Fault]:
    """Every mistake, in the order of the file.  What needs the resolved board comes last, when it holds together."""
    checks = (
        _cores,
        _groups,
        _nodes,
        _islands,
        _regions,
        device_faults,
        channel_faults,
        timing_faults,
        _wires,
        _distances,
        placement_faults,
    )
    faults = [fault for check in checks for fault in check(board, spot)] or [
        fault for check in (_classes, class_faults, aperture_faults, contract_faults) for fault in check(board, spot)
    ]
    return sorted(faults, key=lambda fault: fault.mark)


def _cores(board: Board, spot: Spot) -> Iterator[Fault]:
    spaces = {ROOT, *board.spaces}
    for index, row in enumerate(board.cores):
        if row.kind not in board.kinds:
            yield unknown(spot, ("cores", index, "kind"), "unknown-kind", row.kind, board.kinds)
        if row.space not in spaces:
            yield unknown(spot, ("cores", index, "space"), "unknown-space", row.space, spaces)
    yield from once(
        spot, "core-twice", "rows of cores", ((("cores", i, "ids"), r.ids) for i, r in enumerate(board.cores))
    )
    starters = [(i, row) for i, row in enumerate(board.cores) if row.start == "boot"]
    for position, (index, row) in enumerate(starters):
        path = ("cores", index, "start")
        if position or len(row.ids) > 1:
            yield Fault(spot.find(path), "boot-core", "more than one core starts by boot; the others are started by it")
        elif row.fails is not None:
            yield Fault(spot.find(path), "boot-core", f"core {row.ids[0]} boots the board but fails: {row.fails}")
        elif row.kind in board.kinds and board.kinds[row.kind].hosts != CPU_DRIVER:
            hosts = board.kinds[row.kind].hosts
            message = f"core {row.ids[0]} boots the board but its kind hosts {hosts}, not the kernel's CPU driver"
            yield Fault(spot.find(path), "boot-core", message)
    known = [row for row in board.cores if row.kind in board.kinds]
    if known and not any(board.kinds[row.kind].hosts == CPU_DRIVER for row in known):
        message = "no core is the kernel's: the kinds of all of them host something else than a CPU driver"
        yield Fault(spot.find(("cores",)), "boot-core", message)


def _groups(board: Board, spot: Spot) -> Iterator[Fault]:
    known = cores_of(board)
    levels: dict[str, list[tuple[Path, Sequence[int]]]] = {}
    for index, row in enumerate(board.groups):
        for place, ids in enumerate(row.sets):
            path = ("groups", index, "sets", place)
            yield from strangers(spot, path, ids, known)
            levels.setdefault(row.level, []).append((path, ids))
    for level, sets in levels.items():
        yield from once(spot, "core-in-two-sets", f"sets of level {level}", sets)


def _nodes(board: Board, spot: Spot) -> Iterator[Fault]:
    known = cores_of(board)
    regions = {row.id: row for row in board.regions}
    yield from duplicates(spot, "nodes", (row.id for row in board.nodes))
    yield from once(
        spot, "core-in-two-nodes", "nodes", ((("nodes", i, "cores"), r.cores) for i, r in enumerate(board.nodes))
    )
    for index, row in enumerate(board.nodes):
        yield from strangers(spot, ("nodes", index, "cores"), row.cores, known)
        for place, name in enumerate(row.regions):
            path = ("nodes", index, "regions", place)
            if name not in regions:
                yield unknown(spot, path, "unknown-region", name, regions)
            elif regions[name].node not in (None, row.id):
                message = f"region {name!r} says it is of node {regions[name].node}"
                yield Fault(spot.find(path), "region-node", message)


def _islands(board: Board, spot: Spot) -> Iterator[Fault]:
    known = cores_of(board)
    regions = {row.id for row in board.regions}
    rows = [(("coherence", i, "cores"), row.cores) for i, row in enumerate(board.coherence)]
    yield from once(spot, "core-in-two-islands", "islands", rows)
    for index, row in enumerate(board.coherence):
        yield from strangers(spot, ("coherence", index, "cores"), row.cores, known)
        for place, name in enumerate(row.regions or ()):
            if name not in regions:
                yield unknown(spot, ("coherence", index, "regions", place), "unknown-region", name, regions)


def _regions(board: Board, spot: Spot) -> Iterator[Fault]:
    nodes = {row.id for row in board.nodes}
    yield from duplicates(spot, "regions", (row.id for row in board.regions))
    for index, row in enumerate(board.regions):
        if row.node is not None and row.node not in nodes:
            yield unknown(spot, ("regions", index, "node"), "unknown-node", str(row.node), map(str, nodes))


def _wires(board: Board, spot: Spot) -> Iterator[Fault]:
    known = cores_of(board)
    nodes = {row.id for row in board.nodes}
    devices = {row.id for row in board.devices}
    for index, link in enumerate(board.links):
        for key, end in (("a", link.a), ("b", link.b)):
            if end not in devices and node_end(end) not in nodes:
                ends = {*devices, *(f"node{node}" for node in nodes)}
                yield unknown(spot, ("links", index, key), "unknown-end", end, ends)
    for index, row in enumerate(board.notify):
        yield from strangers(spot, ("notify", index, "src"), row.src, known)
        yield from strangers(spot, ("notify", index, "dst"), row.dst, known)
        if row.device is not None and row.device not in devices:
            yield unknown(spot, ("notify", index, "device"), "unknown-device", row.device, devices)


def _distances(board: Board, spot: Spot) -> Iterator[Fault]:
    nodes = {row.id for row in board.nodes}
    for index, row in enumerate(board.distances):
        for place, node in enumerate(row.ids):
            if node not in nodes:
                yield unknown(spot, ("distances", index, "ids", place), "unknown-node", str(node), map(str, nodes))
        yield from square(spot, ("distances", index, "matrix"), row.ids, row.matrix, "distance")


def _classes(board: Board, spot: Spot) -> Iterator[Fault]:
    """Per-class transports name classes that some pair is in, per-kind drivers kinds."""
    names = [entry.name for entry in board.topology().classes()]
    if not isinstance(board.bind.transport, str):
        for name in board.bind.transport:
            if name not in names:
                fault = unknown(spot, ("bind", "transport", name), "unknown-class", name, names)
                mark = spot.find_key(("bind", "transport", name))
                yield Fault(mark, fault.code, fault.message, fault.alternatives)
    if not isinstance(board.bind.cpu_driver, str):
        for name in board.bind.cpu_driver:
            if name not in board.kinds:
                fault = unknown(spot, ("bind", "cpu-driver", name), "unknown-kind", name, board.kinds)
                mark = spot.find_key(("bind", "cpu-driver", name))
                yield Fault(mark, fault.code, fault.message, fault.alternatives)
