"""Constants no source identifies are carried as intervals: what the page says of them is what comes out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from multikernel.blueprint import Blueprint
from tests.sim.intervals import (
    ORDER,
    at,
    controller_limit,
    corners,
    hop_limit,
    shootdown,
    spread,
    throughput,
    where_not,
)
from tests.sim.machines import amd_2x2, amd_8x4, intel_2x4
from tests.sim.shootdown import PROTOCOLS, curves
from tests.sim.table2 import PUBLISHED


def page() -> str:
    """What docs/model.md says of intervals."""
    return (Path(__file__).parents[2] / "docs" / "model.md").read_text().partition("## Intervals")[2]


@pytest.mark.slow
@pytest.mark.determinism
@pytest.mark.parametrize("outstanding", [2, 3, 8])
def test_the_page_has_the_curves_and_their_orders(outstanding: int) -> None:
    found = shootdown([32], outstanding)
    cells = ["{} to {}".format(*spread(found, protocol, 0)) for protocol in PROTOCOLS]
    assert f"| {outstanding} | 32 | " + " | ".join(cells) + " |" in page()
    assert not where_not(found, "numa", "unicast", 0)
    assert ("controller 90" in where_not(found, "multicast", "unicast", 0)) == (outstanding > 2)
    assert "2 of 36, all of time of a link 0; part of the fetch 0;" in where_not(found, "numa", "broadcast", 0)
    assert where_not(found, "multicast", "broadcast", 0).startswith("not at 20 of 36")
    assert where_not(found, "unicast", "broadcast", 0)
    assert "controller 0" in where_not(found, "numa", "multicast", 0)


@pytest.mark.slow
def test_the_page_says_how_long_a_controller_may_take() -> None:
    limits = {outstanding: controller_limit(outstanding) for outstanding in (2, 3, 8)}
    assert re.search(rf"up to\s+{limits[3]} ns with three or four", page())
    assert f"up to {limits[8]} ns with eight" in page()
    assert limits[2] == -1


@pytest.mark.parametrize("machine", [intel_2x4, amd_2x2])
@pytest.mark.parametrize("outstanding", [1, 8])
def test_the_page_has_the_throughputs(machine: Callable[[int], Blueprint], outstanding: int) -> None:
    for name, (low, high) in throughput(machine, outstanding).items():
        published = PUBLISHED[machine][name][1]
        row = next(line for line in page().splitlines() if f"| {published} |" in line)
        assert f" {low:.2f} to {high:.2f} " in row.split("|")[4 if outstanding == 1 else 5]


def test_a_link_takes_at_most_what_latencies_leave() -> None:
    assert hop_limit(amd_8x4) == 19
    assert hop_limit(intel_2x4) == 0


def test_each_constant_makes_a_difference() -> None:
    """Else an interval would be carried in name only."""
    base = next(corner for corner in corners((8,)) if (corner.hop_ns, corner.fetch_percent) == (15, 50))
    numa = [
        curves(at(type(base)(8, hop, fetch, controller, crossed)), 2000, [32])[ORDER[0]]
        for hop, fetch, controller, crossed in [
            (15, 50, 0, 0),
            (0, 50, 0, 0),
            (15, 0, 0, 0),
            (15, 50, 90, 0),
            (15, 50, 0, 1),
        ]
    ]
    assert len({tuple(cycles) for cycles in numa}) == len(numa)
