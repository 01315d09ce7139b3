"""Where it pays that cores share a replica: program sharing over workload, data volume, consistency and group size.

    python -m tests.benchmarks.sharing [BOARD ...] [--reads N ...] [--words N ...] [--json]

For each board, consistency, number of reads before an update and number of words: cycles of an operation with a replica
a core, a replica for each group that the board's policy chose, groups of other sizes, and one for all; the least is
named at the end.  Simulated, so the same each time; every row is checked for torn
and stale reads and for replicas that differ.
"""

from __future__ import annotations

import argparse
import json

from multikernel import Multikernel, assemble
from multikernel.interfaces import BootOptions

BOARDS = ("paper-8x4-amd",)
READS = (1, 16, 128)
WORDS = (7, 448)
GROUPS = ("1", "2", "auto", "16", "all")
CONSISTENCIES = ("acknowledged", "eventual")
UPDATES = 2
"""A core: with 128 reads before each a core makes 258 operations."""
TIMEOUT_NS = 10_000_000_000
"""Virtual."""


def cycles(kernel: Multikernel, group: str, consistency: str, reads: int, words: int) -> int:
    """Cycles of an operation; a run that misled a reader is none."""
    rows = kernel.run("sharing", group=group, consistency=consistency, reads=reads, words=words, updates=UPDATES)
    assert (rows.torn, rows.stale, rows.differing) == (0, 0, 0)
    return rows.cycles_per_operation


def sweep(board: str, reads: list[int], words: list[int]) -> dict[tuple[str, int, int], dict[str, int]]:
    """By consistency, reads and words: cycles by group.  A kernel for each row, as a core has so many dispatchers."""
    blueprint = assemble(board, platform="sim")
    found: dict[tuple[str, int, int], dict[str, int]] = {}
    for consistency in CONSISTENCIES:
        for read in reads:
            for count in words:
                with Multikernel(blueprint).boot("sim", BootOptions(timeout_ns=TIMEOUT_NS)) as kernel:
                    row = {group: cycles(kernel, group, consistency, read, count) for group in GROUPS}
                found[consistency, read, count] = row
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("boards", nargs="*", default=BOARDS)
    parser.add_argument("--reads", type=int, nargs="+", default=READS)
    parser.add_argument("--words", type=int, nargs="+", default=WORDS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for board in options.boards:
        found = sweep(board, options.reads, options.words)
        if options.json:
            rows = [{"board": board, "row": list(key), "cycles": row} for key, row in found.items()]
            print(json.dumps(rows))
            continue
        print(f"{board}: cycles of an operation, by cores that share a replica")
        print(f"{'consistency':<14}{'reads':>6}{'words':>7}" + "".join(f"{group:>9}" for group in GROUPS) + "  least")
        for (consistency, read, count), row in found.items():
            least = min(row, key=row.__getitem__)
            cells = "".join(f"{row[group]:>9}" for group in GROUPS)
            print(f"{consistency:<14}{read:>6}{count:>7}{cells}  {least}")


if __name__ == "__main__":
    main()
