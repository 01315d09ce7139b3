"""How fast `mkit check` explores, on one core.

    python -m tests.benchmarks.check [--json]

Prints states, transitions, seconds of the processor and states a second of explorations that are whole, and what
reduction saves: the states of full exploration over those of the reduced one.  Over a tree and among equals.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

from multikernel.checking import Report, check, check_group
from multikernel.checking.machine import Machine
from multikernel.registry import Registry

TREES = (
    ("one-phase", "unicast", 5, 2, ()),
    ("one-phase", "multicast", 5, 3, ()),
    ("two-phase", "unicast", 3, 2, ()),
    ("two-phase", "unicast", 3, 2, ("stop",)),
    ("two-phase", "multicast", 4, 1, ("stop", "drop", "duplicate")),
)
"""Protocol, tree, cores, operations, faults."""
GROUPS = (
    ("ordered-broadcast", 4, (1, 2, 3), ("stop",), 0, 0),
    ("replicated-log", 3, (1, 2, 0), ("stop", "duplicate"), 0, 0),
    ("consensus", 3, (0, 1), (), 1, 2),
    ("consensus", 3, (0, 1), ("stop",), 1, 2),
    ("consensus", 3, (0, 1), ("restart",), 0, 2),
    ("eventual", 3, (0, 1), ("stop",), 0, 2),
)
"""Protocol, members, submitters, faults, timeouts, lulls."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="States a second of exploring consistency protocols.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    protocols = Registry.load().consistency_protocols
    for name, tree, cores, operations, faults in TREES:
        row = {"protocol": name, "tree": tree, "cores": cores, "operations": operations, "faults": _word(faults)}
        explore = partial(check, protocols.get(name), tree, cores, operations, faults, 300)
        _show({**row, **_measured(lambda reduced, explore=explore: explore(reduced=reduced))}, given.json)
    for name, cores, submitters, faults, timeouts, lulls in GROUPS:
        row = {"protocol": name, "members": cores, "submitters": ",".join(map(str, submitters))}
        row |= {"faults": _word(faults), "timeouts": timeouts, "lulls": lulls}
        spec = protocols.get(name)
        group = partial(check_group, spec, cores, submitters, faults, timeouts, lulls, budget_s=300)
        _show({**row, **_measured(lambda reduced, group=group: group(reduced=reduced))}, given.json)


def _measured(explore: Callable[[bool], Report[Machine]]) -> dict[str, float]:
    """An exploration, reduced and in full."""
    reports = []
    for reduced in (True, False):
        before = time.process_time()
        reports.append((explore(reduced), time.process_time() - before))
    (less, seconds), (full, full_seconds) = reports
    return {
        "states": less.states,
        "transitions": less.transitions,
        "whole": less.whole and full.whole,
        "seconds": round(seconds, 2),
        "states_per_second": int(less.states / seconds),
        "full_per_second": int(full.states / full_seconds),
        "full_over_reduced": round(full.states / less.states, 1),
    }


def _word(faults: tuple[str, ...]) -> str:
    return "+".join(faults) or "none"


def _show(row: dict[str, object], as_json: bool) -> None:
    print(json.dumps(row) if as_json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
