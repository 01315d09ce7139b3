"""Sets of cores as a board file writes them: `0-3,8`, not a list of ids.

    ranges_for_cores(data)      in place, in a dumped board

May not know: what the data is for.
"""

from __future__ import annotations

from multikernel.board.units import id_ranges
from multikernel.board.yamlread import Data

CORE_SETS = (
    ("cores", "ids"),
    ("groups", "sets"),
    ("nodes", "cores"),
    ("coherence", "cores"),
    ("notify", "src"),
    ("notify", "dst"),
    ("devices", "cores"),
    ("devices", "near"),
    ("latency", "offsets", "cores"),
)
"""Where a board has cores: sections and keys, through the rows of each list on the way."""


def ranges_for_cores(data: Data) -> None:
    """Every set of cores in a dumped board becomes text.  An empty one stays an empty list."""
    for path in CORE_SETS:
        _inside(data, path)


def _inside(data: Data, path: tuple[str, ...]) -> None:
    if isinstance(data, list):
        for row in data:
            _inside(row, path)
    elif isinstance(data, dict) and path[0] in data:
        if path[1:]:
            _inside(data[path[0]], path[1:])
        else:
            data[path[0]] = _as_ranges(data[path[0]])


def _as_ranges(value: Data) -> Data:
    if not isinstance(value, list) or not value:
        return value
    if isinstance(value[0], list):
        return [_as_ranges(inner) for inner in value]
    return id_ranges(core for core in value if isinstance(core, int))
