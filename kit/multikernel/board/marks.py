"""Where each value of a board file was written: a mirror of the data.

    Mark   file, line, column (from 1)
    Spot   the mark of a value, of its keys, and the spots of what it holds

May not know: YAML, models.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in a file; line and column count from 1, 0 means the whole file."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(slots=True)
class Spot:
    """`mark` of the value; `keys` marks of a mapping's keys; `items` spots by key or index."""

    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    items: dict[str | int, Spot] = field(default_factory=dict)

    def find(self, path: Iterable[str | int]) -> Mark:
        """The mark of the value at `path`; parts that are not there (union tags, missing keys) are
        passed over, so that the nearest holder answers."""
        spot = self
        for part in path:
            spot = spot.items.get(part, spot)
        return spot.mark

    def find_key(self, path: Iterable[str | int]) -> Mark:
        """The mark of the last key of `path`, where it is one; of its value otherwise."""
        spot, mark = self, self.mark
        for part in path:
            mark = spot.keys.get(part, mark) if isinstance(part, str) else mark
            if part in spot.items:
                mark = spot.keys[part] if isinstance(part, str) else spot.items[part].mark
                spot = spot.items[part]
        return mark
