"""What a board says of the time a message takes: by class and home, by core, by pair.

    Latency, LatencyMatrix      what is stated
    picoseconds(amount, unit, mhz)

May not know: pydantic, YAML, how pairs are classed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Latency:
    """One-way latency of a message over a pair class: `unit` is cycles (of the sender) or ns; `status` is
    measured, published, recalled, extrapolated or assumed.  `home` is where the node that homes the line lies:
    receiver, sender, elsewhere, or empty for any.  `min`, `max`, `p99` and `count` (pairs or samples) are -1
    where not stated."""

    cls: str
    home: str
    mean: int
    sd: int
    min: int
    max: int
    p99: int
    count: int
    unit: str
    status: str
    source: str


@dataclass(frozen=True)
class LatencyMatrix:
    """Measured latencies of pairs one by one, picoseconds: `ps[i][j]` from `ids[i]` to `ids[j]`.  `ids` ascend."""

    ids: tuple[int, ...]
    ps: tuple[tuple[int, ...], ...]
    status: str
    source: str

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {core: index for index, core in enumerate(self.ids)}

    def between(self, a: int, b: int) -> int | None:
        """From core a to core b; None where the matrix does not have both."""
        row, column = self._rows.get(a), self._rows.get(b)
        return None if row is None or column is None else self.ps[row][column]


def picoseconds(amount: int, unit: str, mhz: int) -> int:
    """A cycle at `mhz` lasts 10^6 / mhz picoseconds; rounded to the nearest."""
    return (amount * 2_000_000 + mhz) // (2 * mhz) if unit == "cycles" else amount * 1000
