"""How many messages an update costs under each protocol among equals, counted on their step functions.

    python -m tests.benchmarks.protocols [--json]

A cluster without faults (`tests/protocols/cluster.py`), after one update to begin with.  `alone`: the last member
submits one update, and the next when nothing is under way any more.  `client`: a core that is no member does, where
there may be one.  `burst`: every member submits 50 at once.  All are messages an update, and come out the same always.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.group import GroupProtocol
from tests.protocols.cluster import Cluster
from tests.protocols.mergeable import MergeableCluster

MEMBERS = (3, 5, 16)
ALONE, BURST = 20, 50
SETTLE_US = 10_000_000


def cluster(spec: ConsistencyProtocolSpec, members: int) -> Cluster:
    """One that has met its first update, with a core more than there are members."""
    protocol = spec.factory()
    assert isinstance(protocol, GroupProtocol)
    made = MergeableCluster if spec.order == "eventual" else Cluster
    found = made(protocol, range(members), members + (spec.order == "linear"))
    found.submit(0, 1)
    found.settle(SETTLE_US)
    return found


def alone(spec: ConsistencyProtocolSpec, members: int, core: int) -> float:
    """Messages an update, one after another."""
    found = cluster(spec, members)
    before = found.sent
    for number in range(ALONE):
        found.submit(core, number)
        found.settle(SETTLE_US)
    return (found.sent - before) / ALONE


def burst(spec: ConsistencyProtocolSpec, members: int) -> float:
    """Messages an update, many at once."""
    found = cluster(spec, members)
    before = found.sent
    for number in range(BURST):
        for core in range(members):
            found.submit(core, number)
    found.settle(SETTLE_US)
    return (found.sent - before) / (BURST * members)


def measured() -> Sequence[dict[str, str | int | float | None]]:
    """A row for each protocol and number of members."""
    specs = [spec for spec in Registry.load().consistency_protocols if isinstance(spec.factory(), GroupProtocol)]
    return [
        {
            "protocol": spec.name,
            "members": members,
            "alone": round(alone(spec, members, members - 1), 1),
            "client": round(alone(spec, members, members), 1) if spec.order == "linear" else None,
            "burst": round(burst(spec, members), 2),
        }
        for spec in specs
        for members in MEMBERS
    ]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Messages an update of protocols among equals.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for row in measured():
        print(json.dumps(row) if given.json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
