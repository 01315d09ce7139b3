"""Shipped boards against descriptions of the same machines that nobody here wrote.

They lie in the folder MULTIKERNEL_REALDATA names; CI sets it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from multikernel import load_board

FOLDER = os.environ.get("MULTIKERNEL_REALDATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not FOLDER, reason="MULTIKERNEL_REALDATA names no folder"),
]


def dts(name: str) -> str:
    """A devicetree source of Xilinx's, from Linux 6.1."""
    return (Path(FOLDER) / "dts/linux-6.1/arch/arm64/boot/dts/xilinx" / name).read_text()


def test_zcu102_has_the_application_cores_of_its_devicetree() -> None:
    source = dts("zynqmp.dtsi")
    topology = load_board("zcu102").topology()
    a53 = [core for core in topology.cores if topology.kind(core.kind).isa == "armv8-a"]
    assert [f"{core.hardware_id:x}" for core in a53] == re.findall(r"cpu\d: cpu@(\w+)", source)
    fastest = max(int(hz) for hz in re.findall(r"opp-hz = /bits/ 64 <(\d+)>", source))
    assert {topology.kind(core.kind).mhz for core in a53} == {round(fastest / 1_000_000)}


def test_zcu102_has_the_memory_of_its_devicetree() -> None:
    node = re.search(r"memory@0 \{.*?reg = (.*?);", dts("zynqmp-zcu102-revA.dts"), re.S)
    assert node is not None
    cells = [int(cell, 16) for cell in re.findall(r"0x[0-9a-fA-F]+", node[1])]
    ranges = [(cells[at] << 32 | cells[at + 1], cells[at + 2] << 32 | cells[at + 3]) for at in range(0, len(cells), 4)]
    topology = load_board("zcu102").topology()
    covered: list[tuple[int, int]] = []
    for region in sorted((r for r in topology.regions if r.kind == "dram"), key=lambda region: region.base):
        if covered and sum(covered[-1]) == region.base:
            covered[-1] = (covered[-1][0], covered[-1][1] + region.size)
        else:
            covered.append((region.base, region.size))
    assert covered == ranges
