"""What differs between two boards once resolved, value by value.

    differences(a, b) -> tuple[Difference, ...]     by path; rows that have an id go by it

May not know: what a difference changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from multikernel.board.model import Board
from multikernel.board.ranges import ranges_for_cores
from multikernel.board.yamlread import Data

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The value called `path` is `a` in the one and `b` in the other, as JSON with sets of cores as ranges; None where
    it is not there.  `in_a` and `in_b` say where it stands, by keys and indices."""

    path: str
    a: str | None
    b: str | None
    in_a: Path | None
    in_b: Path | None


def differences(a: Board, b: Board) -> tuple[Difference, ...]:
    """Every value that differs, by path."""
    before, after = dict(_leaves(a)), dict(_leaves(b))
    found = []
    for path in sorted({**before, **after}):
        old, old_at = before.get(path, (None, None))
        new, new_at = after.get(path, (None, None))
        if old != new:
            found.append(Difference(path, old, new, old_at, new_at))
    return tuple(found)


def _leaves(board: Board) -> Iterator[tuple[str, tuple[str, Path]]]:
    data: Data = board.model_dump(mode="json", by_alias=True, exclude_none=True)
    ranges_for_cores(data)
    yield from _walk(data, "", ())


def _name(row: Data) -> str:
    """What a row goes by: its id, level or class (and home), or the cores it joins."""
    if not isinstance(row, dict):
        return ""
    home = f"@{row['home']}" if "home" in row else ""
    ends = [side["core"] for side in (row.get("a"), row.get("b")) if isinstance(side, dict)]
    names = [*(f"{row[key]}{home}" for key in ("id", "level", "cls") if key in row), "-".join(map(str, ends))]
    return names[0]


def _walk(value: Data, path: str, place: Path) -> Iterator[tuple[str, tuple[str, Path]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}" if path else key, (*place, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        seen: dict[str, int] = {}
        for index, item in enumerate(value):
            name = _name(item) or str(index)
            seen[name] = seen.get(name, 0) + 1
            again = f"#{seen[name]}" if seen[name] > 1 else ""
            yield from _walk(item, f"{path}[{name}{again}]", (*place, index))
    else:
        yield path, (json.dumps(value), place)
