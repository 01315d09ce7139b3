"""The section `latency`: classes that exist, spreads in order, offsets and matrix of cores that exist.

    timing_faults(board, spot) -> Iterator[Fault]      what needs no classes
    class_faults(board, spot) -> Iterator[Fault]       on a board that holds together

May not know: YAML, who uses a figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multikernel.board.checks import cores_of, once, square, strangers, unknown
from multikernel.board.latencies import picoseconds
from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.shape import Fault, Path
from multikernel.board.wires import LatencyMatrixRow


def timing_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Every mistake that can be told without the classes of pairs."""
    section = board.latency
    if section is None:
        return
    known = cores_of(board)
    told: dict[tuple[str, str], int] = {}
    for index, row in enumerate(section.classes):
        path: Path = ("latency", "classes", index)
        first = told.setdefault((row.cls, row.home or ""), index)
        if first != index:
            home = f" homed at {row.home}" if row.home else ""
            line = spot.find(("latency", "classes", first)).line
            message = f"class {row.cls!r}{home} has a row already, on line {line}"
            yield Fault(spot.find((*path, "cls")), "latency-twice", message)
        for name, value in (("mean", row.mean), ("p99", row.p99)):
            if value is not None and row.min is not None and value < row.min:
                yield Fault(spot.find((*path, "min")), "latency-order", f"{name} {value} is below min {row.min}")
            if value is not None and row.max is not None and value > row.max:
                yield Fault(spot.find((*path, "max")), "latency-order", f"{name} {value} is above max {row.max}")
    rows: list[tuple[Path, Sequence[int]]] = [
        (("latency", "offsets", index, "cores"), row.cores) for index, row in enumerate(section.offsets)
    ]
    for place, cores in rows:
        yield from strangers(spot, place, cores, known)
    yield from once(spot, "core-twice", "rows of offsets", rows)
    if section.matrix is not None:
        yield from _matrix(section.matrix, spot, known)


def _matrix(row: LatencyMatrixRow, spot: Spot, known: frozenset[int]) -> Iterator[Fault]:
    columns: list[tuple[Path, Sequence[int]]] = [
        (("latency", "matrix", "ids", place), (core,)) for place, core in enumerate(row.ids)
    ]
    for column, cores in columns:
        yield from strangers(spot, column, cores, known)
    yield from once(spot, "core-twice", "columns of the matrix", columns)
    path: Path = ("latency", "matrix", "matrix")
    yield from square(spot, path, row.ids, row.matrix, "latency")
    for index, (core, line) in enumerate(zip(row.ids, row.matrix, strict=False)):
        if index < len(line) and line[index]:
            message = f"from core {core} to itself it is 0, not {line[index]}"
            yield Fault(spot.find((*path, index, index)), "matrix-diagonal", message)


def class_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Classes that no pair is in, and offsets that would leave a class less than nothing."""
    section = board.latency
    if section is None:
        return
    topology = board.topology()
    senders = {entry.name: topology.kind(topology.core(entry.src).kind).mhz for entry in topology.classes()}
    least = 0
    for index, row in enumerate(section.classes):
        if row.cls not in senders:
            yield unknown(spot, ("latency", "classes", index, "cls"), "unknown-class", row.cls, senders)
            continue
        mean = picoseconds(row.mean, row.unit, senders[row.cls])
        least = min(least or mean, mean)
    for index, entry in enumerate(section.offsets):
        worst = min((topology.offset(core) for core in entry.cores), default=0)
        if least and worst < 0 and least + 2 * worst <= 0:
            message = f"twice {entry.plus} {entry.unit} leaves nothing of the least latency, {least} ps"
            yield Fault(spot.find(("latency", "offsets", index, "plus")), "offset-large", message)
