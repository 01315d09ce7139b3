"""What one section of a board says of another: every id must be defined, no two things in one place.

    reference_faults(board, spot) -> list[Fault]

May not know: YAML, what boot programs and plugins there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.placement import placement_faults
from multikernel.board.resolve import node_end
from multikernel.board.shape import Fault, Path, near
from multikernel.board.spaces import ROOT
from multikernel.board.units import id_ranges


def reference_faults(board: Board, spot: Spot) -> list[Fault]:
    """Every mistake, in the order of the file.  Classes are checked last, on a board that holds together."""
    checks = (
        _cores,
        _groups,
        _nodes,
        _islands,
        _regions_of_devices,
        _wires,
        _distances,
        placement_faults,
    )
    faults = [fault for check in checks for fault in check(board, spot)] or list(_classes(board, spot))
    return sorted(faults, key=lambda fault: fault.mark)


def _unknown(spot: Spot, path: Path, code: str, value: str, valid: Iterable[str]) -> Fault:
    """The one place that words a dangling reference."""
    names = sorted(valid)
    what = code.removeprefix("unknown-")
    alternatives = near(value, names)
    known = "" if alternatives else f"; the board has {', '.join(names[:12]) or 'none'}"
    return Fault(spot.find(path), code, f"no {what} {value!r}{known}", alternatives)


def _strangers(spot: Spot, path: Path, ids: Sequence[int], known: frozenset[int]) -> Iterator[Fault]:
    """Core ids that no row of `cores` defines, told once for each value."""
    missing = [core for core in ids if core not in known]
    if missing:
        listed = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        message = f"no core {listed}; the board has {id_ranges(sorted(known))}"
        yield Fault(spot.find(path), "unknown-core", message)


def _known(board: Board) -> frozenset[int]:
    return frozenset(core for row in board.cores for core in row.ids)


def _duplicates(spot: Spot, section: str, ids: Iterable[int | str]) -> Iterator[Fault]:
    seen: dict[int | str, int] = {}
    for index, name in enumerate(ids):
        if name in seen:
            first = spot.find((section, seen[name], "id"))
            message = f"{section} has two rows of id {str(name)!r}, the first on line {first.line}"
            yield Fault(spot.find((section, index, "id")), "duplicate-id", message)
        seen.setdefault(name, index)


def _once(spot: Spot, code: str, what: str, rows: Iterable[tuple[Path, Sequence[int]]]) -> Iterator[Fault]:
    """Each core in at most one of `rows`; one fault for each row that takes cores again."""
    seen: dict[int, Path] = {}
    for path, ids in rows:
        again = [core for core in ids if core in seen]
        if again:
            first = spot.find(seen[again[0]])
            listed = ", ".join(map(str, again[:8])) + (", ..." if len(again) > 8 else "")
            yield Fault(spot.find(path), code, f"core {listed} is in two {what}, the first on line {first.line}")
        for core in ids:
            seen.setdefault(core, path)


def _cores(board: Board, spot: Spot) -> Iterator[Fault]:
    spaces = {ROOT, *board.spaces}
    for index, row in enumerate(board.cores):
        if row.kind not in board.kinds:
            yield _unknown(spot, ("cores", index, "kind"), "unknown-kind", row.kind, board.kinds)
        if row.space not in spaces:
            yield _unknown(spot, ("cores", index, "space"), "unknown-space", row.space, spaces)
    yield from _once(
        spot, "core-twice", "rows of cores", ((("cores", i, "ids"), r.ids) for i, r in enumerate(board.cores))
    )
    starters = [(i, row) for i, row in enumerate(board.cores) if row.start == "boot"]
    for position, (index, row) in enumerate(starters):
        path = ("cores", index, "start")
        if position or len(row.ids) > 1:
            yield Fault(spot.find(path), "boot-core", "more than one core starts by boot; the others are started by it")
        elif row.fails is not None:
            yield Fault(spot.find(path), "boot-core", f"core {row.ids[0]} boots the board but fails: {row.fails}")


def _groups(board: Board, spot: Spot) -> Iterator[Fault]:
    known = _known(board)
    levels: dict[str, list[tuple[Path, Sequence[int]]]] = {}
    for index, row in enumerate(board.groups):
        for place, ids in enumerate(row.sets):
            path = ("groups", index, "sets", place)
            yield from _strangers(spot, path, ids, known)
            levels.setdefault(row.level, []).append((path, ids))
    for level, sets in levels.items():
        yield from _once(spot, "core-in-two-sets", f"sets of level {level}", sets)


def _nodes(board: Board, spot: Spot) -> Iterator[Fault]:
    known = _known(board)
    regions = {row.id: row for row in board.regions}
    yield from _duplicates(spot, "nodes", (row.id for row in board.nodes))
    yield from _once(
        spot, "core-in-two-nodes", "nodes", ((("nodes", i, "cores"), r.cores) for i, r in enumerate(board.nodes))
    )
    for index, row in enumerate(board.nodes):
        yield from _strangers(spot, ("nodes", index, "cores"), row.cores, known)
        for place, name in enumerate(row.regions):
            path = ("nodes", index, "regions", place)
            if name not in regions:
                yield _unknown(spot, path, "unknown-region", name, regions)
            elif regions[name].node not in (None, row.id):
                message = f"region {name!r} says it is of node {regions[name].node}"
                yield Fault(spot.find(path), "region-node", message)


def _islands(board: Board, spot: Spot) -> Iterator[Fault]:
    known = _known(board)
    regions = {row.id for row in board.regions}
    rows = [(("coherence", i, "cores"), row.cores) for i, row in enumerate(board.coherence)]
    yield from _once(spot, "core-in-two-islands", "islands", rows)
    for index, row in enumerate(board.coherence):
        yield from _strangers(spot, ("coherence", index, "cores"), row.cores, known)
        for place, name in enumerate(row.regions or ()):
            if name not in regions:
                yield _unknown(spot, ("coherence", index, "regions", place), "unknown-region", name, regions)


def _regions_of_devices(board: Board, spot: Spot) -> Iterator[Fault]:
    known = _known(board)
    nodes = {row.id for row in board.nodes}
    regions = {row.id for row in board.regions}
    yield from _duplicates(spot, "regions", (row.id for row in board.regions))
    yield from _duplicates(spot, "devices", (row.id for row in board.devices))
    homes = [(("regions", index, "node"), row.node) for index, row in enumerate(board.regions)]
    homes += [(("devices", index, "node"), row.node) for index, row in enumerate(board.devices)]
    for path, node in homes:
        if node is not None and node not in nodes:
            yield _unknown(spot, path, "unknown-node", str(node), map(str, nodes))
    for index, device in enumerate(board.devices):
        yield from _strangers(spot, ("devices", index, "cores"), device.cores, known)
        yield from _strangers(spot, ("devices", index, "near"), device.near, known)
        if device.dma_space is not None and device.dma_space not in {ROOT, *board.spaces}:
            path = ("devices", index, "dma_space")
            yield _unknown(spot, path, "unknown-space", device.dma_space, {ROOT, *board.spaces})
        for place, name in enumerate(device.regions):
            if name not in regions:
                yield _unknown(spot, ("devices", index, "regions", place), "unknown-region", name, regions)


def _wires(board: Board, spot: Spot) -> Iterator[Fault]:
    known = _known(board)
    nodes = {row.id for row in board.nodes}
    devices = {row.id for row in board.devices}
    for index, link in enumerate(board.links):
        for key, end in (("a", link.a), ("b", link.b)):
            if end not in devices and node_end(end) not in nodes:
                ends = {*devices, *(f"node{node}" for node in nodes)}
                yield _unknown(spot, ("links", index, key), "unknown-end", end, ends)
    for index, row in enumerate(board.notify):
        yield from _strangers(spot, ("notify", index, "src"), row.src, known)
        yield from _strangers(spot, ("notify", index, "dst"), row.dst, known)
        if row.device is not None and row.device not in devices:
            yield _unknown(spot, ("notify", index, "device"), "unknown-device", row.device, devices)


def _distances(board: Board, spot: Spot) -> Iterator[Fault]:
    nodes = {row.id for row in board.nodes}
    for index, row in enumerate(board.distances):
        for place, node in enumerate(row.ids):
            if node not in nodes:
                yield _unknown(spot, ("distances", index, "ids", place), "unknown-node", str(node), map(str, nodes))
        size = len(row.ids)
        if len(row.matrix) != size:
            message = f"{len(row.matrix)} rows for {size} ids"
            yield Fault(spot.find(("distances", index, "matrix")), "matrix-shape", message)
        for place, line in enumerate(row.matrix):
            if len(line) != size:
                message = f"row {place} has {len(line)} columns for {size} ids"
                yield Fault(spot.find(("distances", index, "matrix", place)), "matrix-shape", message)
            for column, value in enumerate(line):
                if value < 0:
                    path = ("distances", index, "matrix", place, column)
                    yield Fault(spot.find(path), "matrix-negative", f"distance {value} is negative")


def _classes(board: Board, spot: Spot) -> Iterator[Fault]:
    """Latencies and per-class transports name classes that some pair is in."""
    names = [entry.name for entry in board.topology().classes()]
    for index, row in enumerate(board.latency.classes if board.latency else ()):
        if row.cls not in names:
            yield _unknown(spot, ("latency", "classes", index, "cls"), "unknown-class", row.cls, names)
    if not isinstance(board.bind.transport, str):
        for name in board.bind.transport:
            if name not in names:
                fault = _unknown(spot, ("bind", "transport", name), "unknown-class", name, names)
                mark = spot.find_key(("bind", "transport", name))
                yield Fault(mark, fault.code, fault.message, fault.alternatives)
    if not isinstance(board.bind.cpu_driver, str):
        for name in board.bind.cpu_driver:
            if name not in board.kinds:
                fault = _unknown(spot, ("bind", "cpu-driver", name), "unknown-kind", name, board.kinds)
                mark = spot.find_key(("bind", "cpu-driver", name))
                yield Fault(mark, fault.code, fault.message, fault.alternatives)
