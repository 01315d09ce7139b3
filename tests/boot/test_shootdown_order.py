"""What unmapping costs by each protocol, through the whole kernel on the paper's machine: the order at 32
cores is the literature's (Baumann et al., SOSP 2009, 5.1), and for a few cores of one package a message to
each is cheaper than a broadcast.  Nothing in the model is chosen for it; see docs/model.md."""

from __future__ import annotations

import pytest

from multikernel import Multikernel


@pytest.mark.kernel("paper-8x4-amd")
def test_at_32_cores_numa_then_multicast_then_unicast_then_broadcast(kernel: Multikernel) -> None:
    result = kernel.run("unmap", pages=8)
    assert result.column("cores") == [32] * 4
    cycles = dict(zip(result.column("protocol"), result.column("cycles"), strict=True))
    assert sorted(cycles, key=lambda protocol: cycles[protocol]) == ["numa", "multicast", "unicast", "broadcast"]


@pytest.mark.kernel("paper-8x4-amd")
@pytest.mark.parametrize("cores", [2, 4])
def test_for_few_cores_a_message_each_beats_a_broadcast(kernel: Multikernel, cores: int) -> None:
    result = kernel.run("unmap", pages=8, cores=cores)
    cycles = dict(zip(result.column("protocol"), map(int, result.column("cycles")), strict=True))
    assert cycles["unicast"] < cycles["broadcast"]
    # Within one package the trees are the same messages: what differs is only when they were sent.
    assert max(cycles["multicast"], cycles["numa"]) == pytest.approx(cycles["unicast"], rel=0.01)
