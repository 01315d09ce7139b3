"""What the model predicts: throughput of table 2, and the order of the shootdown's message patterns.

Nothing here is fitted; see docs/model.md for where each figure comes from and where the model falls short.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mk_sim.parameters import derive
from multikernel import Multikernel
from multikernel.blueprint import Blueprint
from tests.sim.machines import amd_2x2, amd_4x4, amd_8x4, intel_2x4
from tests.sim.shootdown import curves
from tests.sim.table2 import PUBLISHED, predict


@pytest.mark.parametrize("machine", PUBLISHED, ids=lambda machine: str(machine.__name__))
@pytest.mark.parametrize("outstanding", [1, 8])
def test_throughput_follows_from_latencies(machine: Callable[[int], Blueprint], outstanding: int) -> None:
    rows = predict(machine(outstanding), most=4)
    for name, (cycles, rate) in PUBLISHED[machine].items():
        assert rows[name][0] == pytest.approx(cycles, rel=0.15)
        assert rows[name][1] == pytest.approx(rate, rel=0.35)


@pytest.mark.parametrize("hop_ns", [0, 15, 19])
@pytest.mark.parametrize("outstanding", [3, 8, 10])
def test_the_patterns_come_out_in_the_order_of_the_literature(outstanding: int, hop_ns: int) -> None:
    sizes = [4, 8, 32]
    result = curves(derive(amd_8x4(outstanding, hop_ns=hop_ns)), 2000, sizes)
    assert result["numa"][-1] < result["multicast"][-1] < result["unicast"][-1] < result["broadcast"][-1]
    for few in (0, 1):
        assert result["unicast"][few] == min(cycles[few] for cycles in result.values())
    for protocol in ("broadcast", "unicast"):
        assert result[protocol] == sorted(result[protocol])


def test_a_core_with_one_miss_at_a_time_would_turn_unicast_and_broadcast_round() -> None:
    """Why the number of misses in flight needs a source: the order hangs on it."""
    result = curves(derive(amd_8x4(1)), 2000, [32])
    assert result["broadcast"][0] < result["unicast"][0]


PAGE = (Path(__file__).parents[2] / "docs" / "model.md").read_text()
PAPERS = {"paper-2x4-intel": intel_2x4, "paper-2x2-amd": amd_2x2, "paper-4x4-amd": amd_4x4, "paper-8x4-amd": amd_8x4}


@pytest.mark.kernel(*PAPERS)
def test_the_page_says_what_comes_out_through_the_kernel(kernel: Multikernel) -> None:
    """To 3 %, so that a cycle of software more or less need not change the page; and near what was published."""
    published = PUBLISHED[PAPERS[kernel.blueprint.board]]
    table = PAGE.partition("## Second check")[2].partition("\n## ")[0]
    mine = re.search(rf"\| `{kernel.blueprint.board}` \|[^`]*", table)
    assert mine is not None
    said = dict(re.findall(r"\| ([a-z]+:\w+) \| (.*) \|", mine[0]))
    assert set(said) == set(published)
    result = kernel.run("ping")
    figures = zip(result.column("cycles"), result.column("per_kcycle"), strict=True)
    rows = dict(zip(result.column("class"), ([float(cycles), float(rate)] for cycles, rate in figures), strict=True))
    for name, (cycles, rate) in published.items():
        told = [float(figure) for figure in said[name].split(" | ")]
        assert (told[0], told[2]) == (cycles, rate)
        assert rows[name] == pytest.approx([told[1], told[3]], rel=0.03)
        assert rows[name] == pytest.approx([cycles, rate], rel=0.25)


@pytest.mark.determinism
@pytest.mark.parametrize("outstanding", [1, 2, 4, 8])
def test_the_page_on_the_model_says_what_comes_out(outstanding: int) -> None:
    cycles = [row[0] for row in curves(derive(amd_8x4(outstanding)), 2000, [32]).values()]
    assert "| 32 | " + " | ".join(map(str, cycles)) + " |" in PAGE
