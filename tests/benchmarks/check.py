"""How fast `mkit check` explores, on one core.

    python -m tests.benchmarks.check [--json]

Prints states, transitions, seconds of the processor and states a second of explorations that are whole, and what
reduction saves: the states of full exploration over those of the reduced one.
"""

from __future__ import annotations

import argparse
import json
import time

from multikernel.checking import check
from multikernel.registry import Registry

ROWS = (
    ("one-phase", "unicast", 5, 2, ()),
    ("one-phase", "multicast", 5, 3, ()),
    ("two-phase", "unicast", 3, 2, ()),
    ("two-phase", "unicast", 3, 2, ("stop",)),
    ("two-phase", "multicast", 4, 1, ("stop", "drop", "duplicate")),
)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="States a second of exploring consistency protocols.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    registry = Registry.load()
    for name, tree, cores, operations, faults in ROWS:
        spec = registry.consistency_protocols.get(name)
        reports = []
        for reduced in (True, False):
            before = time.process_time()
            reports.append((check(spec, tree, cores, operations, faults, 300, reduced), time.process_time() - before))
        (less, seconds), (full, full_seconds) = reports
        row = {
            "protocol": name,
            "tree": tree,
            "cores": cores,
            "operations": operations,
            "faults": "+".join(faults) or "none",
            "states": less.states,
            "transitions": less.transitions,
            "seconds": round(seconds, 2),
            "states_per_second": int(less.states / seconds),
            "full_per_second": int(full.states / full_seconds),
            "full_over_reduced": round(full.states / less.states, 1),
        }
        print(json.dumps(row) if given.json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
