"""How fast `mkit check` explores, on one core.

    python -m tests.benchmarks.check [--json]

Prints states, transitions, seconds and states a second of explorations that are whole, and what reduction saves: the
states of full exploration over those of the reduced one.
"""

from __future__ import annotations

import argparse
import json

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
        less, full = (check(spec, tree, cores, operations, faults, 300, reduced) for reduced in (True, False))
        row = {
            "protocol": name,
            "tree": tree,
            "cores": cores,
            "operations": operations,
            "faults": "+".join(faults) or "none",
            "states": less.states,
            "transitions": less.transitions,
            "seconds": round(less.seconds, 2),
            "states_per_second": int(less.states / less.seconds),
            "full_per_second": int(full.states / full.seconds),
            "full_over_reduced": round(full.states / less.states, 1),
        }
        print(json.dumps(row) if given.json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
