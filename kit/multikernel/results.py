"""What a run gives its caller: rows by column, cores by state.

    result.rows                  as the program returned them
    result.column("cycles")      one column
    result.stale_hits            the sum of a column of integers, for the common assertion

May not know: programs, platforms.
"""

from __future__ import annotations

from dataclasses import dataclass

from multikernel.events import Row


@dataclass(frozen=True, slots=True)
class CoreState:
    """A core of a booted kernel: `state` is joined, up, stopped, failed or off."""

    id: int
    isa: str
    driver: str
    state: str


class Result:
    """The rows a program returned."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows

    def column(self, name: str) -> list[int | str]:
        """The values of column `name`, a row each.  KeyError naming the columns there are."""
        found: list[int | str] = []
        for row in self.rows:
            if name not in row.columns:
                raise KeyError(f"no column {name!r}; columns: {', '.join(row.columns)}")
            found.append(row.values[row.columns.index(name)])
        return found

    def __getattr__(self, name: str) -> int:
        """The sum of column `name`.  AttributeError for a column that is not there or not of integers."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            values = self.column(name)
        except KeyError as problem:
            raise AttributeError(str(problem)) from None
        numbers = [value for value in values if isinstance(value, int)]
        if len(numbers) != len(values):
            raise AttributeError(f"column {name!r} is not of integers")
        return sum(numbers)
