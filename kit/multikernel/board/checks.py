"""What the checks of references have in common: how a dangling id, a stranger or a second mention is told.

    unknown, strangers, duplicates, once, square -> faults
    cores_of(board)

May not know: what any section means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.shape import Fault, Path, near
from multikernel.board.units import id_ranges


def cores_of(board: Board) -> frozenset[int]:
    """The ids that rows of `cores` define."""
    return frozenset(core for row in board.cores for core in row.ids)


def unknown(spot: Spot, path: Path, code: str, value: str, valid: Iterable[str]) -> Fault:
    """The one place that words a dangling reference."""
    names = sorted(valid)
    what = code.removeprefix("unknown-")
    alternatives = near(value, names)
    known = "" if alternatives else f"; the board has {', '.join(names[:12]) or 'none'}"
    return Fault(spot.find(path), code, f"no {what} {value!r}{known}", alternatives)


def strangers(spot: Spot, path: Path, ids: Sequence[int], known: frozenset[int]) -> Iterator[Fault]:
    """Core ids that no row of `cores` defines, told once for each value."""
    missing = [core for core in ids if core not in known]
    if missing:
        message = f"no core {_listed(missing)}; the board has {id_ranges(sorted(known))}"
        yield Fault(spot.find(path), "unknown-core", message)


def duplicates(spot: Spot, section: str, ids: Iterable[int | str]) -> Iterator[Fault]:
    """Rows of one section that carry one id."""
    seen: dict[int | str, int] = {}
    for index, name in enumerate(ids):
        if name in seen:
            first = spot.find((section, seen[name], "id"))
            message = f"{section} has two rows of id {str(name)!r}, the first on line {first.line}"
            yield Fault(spot.find((section, index, "id")), "duplicate-id", message)
        seen.setdefault(name, index)


def once(spot: Spot, code: str, what: str, rows: Iterable[tuple[Path, Sequence[int]]]) -> Iterator[Fault]:
    """Each core in at most one of `rows`; one fault for each row that takes cores again."""
    seen: dict[int, Path] = {}
    for path, ids in rows:
        again = [core for core in ids if core in seen]
        if again:
            first = spot.find(seen[again[0]])
            yield Fault(
                spot.find(path), code, f"core {_listed(again)} is in two {what}, the first on line {first.line}"
            )
        for core in ids:
            seen.setdefault(core, path)


def square(spot: Spot, path: Path, ids: Sequence[int], matrix: Sequence[Sequence[int]], what: str) -> Iterator[Fault]:
    """A matrix has a row and a column for each id, and no figure below nothing."""
    size = len(ids)
    if len(matrix) != size:
        yield Fault(spot.find(path), "matrix-shape", f"{len(matrix)} rows for {size} ids")
    for place, line in enumerate(matrix):
        if len(line) != size:
            message = f"row {place} has {len(line)} columns for {size} ids"
            yield Fault(spot.find((*path, place)), "matrix-shape", message)
        for column, value in enumerate(line):
            if value < 0:
                yield Fault(spot.find((*path, place, column)), "matrix-negative", f"{what} {value} is negative")


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:8])) + (", ..." if len(ids) > 8 else "")
