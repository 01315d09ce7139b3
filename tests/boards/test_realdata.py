"""Shipped boards against descriptions of the same machines that nobody here wrote.

They lie in the folder MULTIKERNEL_REALDATA names; CI sets it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from statistics import fmean

import pytest

from multikernel import load_board
from multikernel.board.topology import Topology

FOLDER = os.environ.get("MULTIKERNEL_REALDATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not FOLDER, reason="MULTIKERNEL_REALDATA names no folder"),
]


def dts(name: str) -> str:
    """A devicetree source from Linux 6.1."""
    return (Path(FOLDER) / "dts/linux-6.1/arch/arm64/boot/dts" / name).read_text()


def registers(source: str, label: str) -> list[tuple[int, int]]:
    """The (base, size) of a node's `reg`, of 64 bits each."""
    node = re.search(rf"{label} \{{.*?reg = (.*?);", source, re.S)
    assert node is not None
    cells = [int(cell, 16) for cell in re.findall(r"0x[0-9a-fA-F]+", node[1])]
    return [(cells[at] << 32 | cells[at + 1], cells[at + 2] << 32 | cells[at + 3]) for at in range(0, len(cells), 4)]


def test_zcu102_has_the_application_cores_of_its_devicetree() -> None:
    source = dts("xilinx/zynqmp.dtsi")
    topology = load_board("zcu102").topology()
    a53 = [core for core in topology.cores if topology.kind(core.kind).isa == "armv8-a"]
    assert [f"{core.hardware_id:x}" for core in a53] == re.findall(r"cpu\d: cpu@(\w+)", source)
    fastest = max(int(hz) for hz in re.findall(r"opp-hz = /bits/ 64 <(\d+)>", source))
    assert {topology.kind(core.kind).mhz for core in a53} == {round(fastest / 1_000_000)}


def test_zcu102_has_the_memory_of_its_devicetree() -> None:
    ranges = registers(dts("xilinx/zynqmp-zcu102-revA.dts"), "memory@0")
    topology = load_board("zcu102").topology()
    covered: list[tuple[int, int]] = []
    for region in sorted((r for r in topology.regions if r.kind == "dram"), key=lambda region: region.base):
        if covered and sum(covered[-1]) == region.base:
            covered[-1] = (covered[-1][0], covered[-1][1] + region.size)
        else:
            covered.append((region.base, region.size))
    assert covered == ranges


def test_rk3399_has_the_cores_and_clocks_of_its_devicetree() -> None:
    cores = re.findall(r"cpu_(\w)\d: cpu@(\w+) \{\s+device_type = \"cpu\";\s+compatible = \"arm,cortex-(\w+)\"",
                       dts("rockchip/rk3399.dtsi"))  # fmt: skip
    topology = load_board("rk3399-rockpro64").topology()
    assert [(core.kind, f"{core.hardware_id:x}") for core in topology.cores] == [(kind, at) for _, at, kind in cores]
    clusters = [group.cores for group in topology.groups]
    assert [[cores[core][0] for core in cluster] for cluster in clusters] == [["b"] * 2, ["l"] * 4]
    tables = re.split(r"opp-table-\d \{", dts("rockchip/rk3399-opp.dtsi"))[1:3]
    fastest = [max(int(hz) for hz in re.findall(r"opp-hz = /bits/ 64 <(\d+)>", table)) for table in tables]
    assert [topology.kind(kind).mhz * 1_000_000 for kind in ("a53", "a72")] == fastest


def test_tda4vm_has_the_cores_and_memory_of_its_devicetree() -> None:
    main, mcu = dts("ti/k3-j721e-main.dtsi"), dts("ti/k3-j721e-mcu-wakeup.dtsi")
    topology = load_board("tda4vm-sk").topology()
    kinds = [core.kind for core in topology.cores]
    assert kinds.count("a72") == len(re.findall(r"cpu\d: cpu@", dts("ti/k3-j721e.dtsi")))
    assert kinds.count("r5") == len(re.findall(r'compatible = "ti,j721e-r5f";', main + mcu))
    assert [kinds.count("c66x"), kinds.count("c71x")] == [
        len(re.findall(rf"{dsp}_\d: dsp@", main)) for dsp in ("c66", "c71")
    ]
    stated = {name: (region.base, region.size) for region in topology.regions for name in (region.id,)}
    assert [stated["ddr"], stated["ddr-high"]] == registers(dts("ti/k3-j721e-sk.dts"), "memory@80000000")
    assert [stated["msmc"]] == registers(main, "msmc_ram: sram@70000000")
    assert [stated["mcu-ram"]] == registers(mcu, "mcu_ram: sram@41c00000")
    clusters = [registers(main, f"mailbox0_cluster{n}: mailbox@31f8{n:x}000")[0] for n in range(12)]
    (window,) = (w for w in topology.spaces.windows("phys") if w.region == "mailboxes")
    assert window.address == clusters[0][0]
    assert window.address + window.size == clusters[-1][0] + 0x1000


Pairs = dict[tuple[int, int], float]


def measured(name: str, cores: int) -> Pairs:
    """Twice the nanoseconds of each pair a > b: a message is two of the transactions the tool measures."""
    rows = (Path(FOLDER) / "c2c" / name).read_text().splitlines()
    cells = [row.split(",") for row in rows]
    return {(a, b): 2 * float(cells[a][b]) for a in range(cores) for b in range(a)}


def explained(pairs: Pairs, predicted: Pairs) -> float:
    """R^2: the share of the variance over pairs that a prediction explains."""
    mean = fmean(pairs.values())
    left = sum((pairs[pair] - predicted[pair]) ** 2 for pair in pairs)
    return 1 - left / sum((ns - mean) ** 2 for ns in pairs.values())


def agrees(topology: Topology, name: str, home: str, values: list[float]) -> None:
    """The board's row is that of the values, in whole nanoseconds; p99 between the neighbours it lies between."""
    row = topology.latency(name, home)
    assert row is not None
    ordered, mean = sorted(values), fmean(values)
    sd = fmean([(value - mean) ** 2 for value in values]) ** 0.5
    assert (row.home, row.mean, row.sd, row.unit) == (home, round(mean), round(sd), "ns")
    assert (row.min, row.max, row.count) == (round(ordered[0]), round(ordered[-1]), len(values))
    at = 99 * (len(values) - 1) // 100
    assert round(ordered[at]) <= row.p99 <= round(ordered[min(at + 1, len(values) - 1)])


def test_epyc_states_what_was_measured_by_home() -> None:
    """The line's home was in the second package, which pairs between complexes of the first feel."""
    topology = load_board("epyc-7742-2s", sources=()).topology()
    pairs = measured("dual-amd-epyc-7742-64-core-processor-by-nviennot.csv", 128)
    rows: dict[tuple[str, str], Pairs] = {}
    for (a, b), ns in pairs.items():
        name = topology.pair_class(a, b)
        home = ("elsewhere" if a < 64 else "receiver") if name == "hops:0" else ""
        rows.setdefault((name, home), {})[a, b] = ns
    assert set(rows) == {(row.cls, row.home) for row in topology.latencies}
    for (name, home), members in rows.items():
        agrees(topology, name, home, list(members.values()))

    def by(key: int) -> float:
        means: dict[str, list[float]] = {}
        for row, members in rows.items():
            means.setdefault(row[0] + row[1] * key, []).extend(members.values())
        return explained(
            pairs, {pair: fmean(means[row[0] + row[1] * key]) for row, members in rows.items() for pair in members}
        )

    assert by(0) < 0.5
    assert by(1) > 0.97


def test_altra_states_what_was_measured_by_core() -> None:
    topology = load_board("altra-q80", sources=()).topology()
    pairs = measured("dual-ampere-altra-processor-q80-30-cpu-3.0ghz-by-zeroping.csv", 80)
    classes: dict[str, list[float]] = {}
    for (a, b), ns in pairs.items():
        classes.setdefault(topology.pair_class(a, b), []).append(ns)
    assert set(classes) == {row.cls for row in topology.latencies}
    for name, values in classes.items():
        agrees(topology, name, "", values)
    alone = {pair: fmean(classes[topology.pair_class(*pair)]) for pair in pairs}
    stated = {(a, b): (topology.pair_latency(a, b) or 0) / 1000 for a, b in pairs}
    assert explained(pairs, alone) < 0.25
    assert explained(pairs, stated) > 0.98
    assert abs(sum(topology.offset(core.id) for core in topology.cores)) < 80 * 500, "0 on the mean, but for rounding"


def test_xeon_accel_states_what_was_measured_of_its_host() -> None:
    topology = load_board("xeon-accel", sources=()).topology()
    pairs = measured("dual-intel-r-xeon-r-cpu-e5-2680-v4-2.40ghz-by-nviennot.csv", 14)
    assert {topology.pair_class(*pair) for pair in pairs} == {"shared:L3"}
    agrees(topology, "shared:L3", "", list(pairs.values()))
