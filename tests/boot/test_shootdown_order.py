"""What unmapping costs by each protocol, through the whole kernel on the paper's machine.

The whole order of the literature (Baumann et al., SOSP 2009, 5.1) comes out over bare lines and is tested
there (`tests/sim/test_predictions.py`).  Through the kernel the interrupts that wake idle monitors are most of
the cost, and the two flat protocols, like the two trees, come out close to each other: which of two is ahead
depends on how many pages are averaged, so it is not asserted.  Nothing in the model is chosen for any of it."""

from __future__ import annotations

import pytest

from multikernel import Multikernel


def cycles(kernel: Multikernel, pages: int, cores: int) -> dict[str, int]:
    result = kernel.run("unmap", pages=pages, cores=cores)
    assert result.column("cores") == [cores] * 4
    return {str(name): int(value) for name, value in zip(*map(result.column, ("protocol", "cycles")), strict=True)}


@pytest.mark.kernel("paper-8x4-amd")
@pytest.mark.parametrize("pages", [2, 8])
def test_at_32_cores_either_tree_beats_either_flat_protocol(kernel: Multikernel, pages: int) -> None:
    cost = cycles(kernel, pages, 32)
    assert 3 * max(cost["numa"], cost["multicast"]) < 2 * min(cost["unicast"], cost["broadcast"])


@pytest.mark.kernel("paper-8x4-amd")
@pytest.mark.parametrize("cores", [2, 4])
def test_within_a_package_all_protocols_cost_alike(kernel: Multikernel, cores: int) -> None:
    """A few cores of one package are reached by the same messages or by one line: waking them is what costs."""
    cost = cycles(kernel, 32, cores)
    assert max(cost.values()) < 1.06 * min(cost.values())
    assert max(cost["multicast"], cost["numa"]) == pytest.approx(cost["unicast"], rel=0.01)
