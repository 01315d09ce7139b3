"""The boards of this repository: each validates, and each figure has its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel import assemble
from multikernel.board import load_board
from multikernel.board.find import list_boards, packaged_folder

FILES = sorted(packaged_folder().glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_board_holds_together(path: Path) -> None:
    board = load_board(str(path), sources=())
    topology = board.topology()
    assert board.name == path.stem
    assert topology.core(topology.boot_core).start == "boot"
    assert {core.start for core in topology.cores} - {"boot"} - {"unstated"}, "says how the others start"
    assert all(topology.notify(a.id, b.id) for a in topology.cores for b in topology.cores)
    assert all(topology.shared_regions(0, core.id) for core in topology.cores), "one kernel needs memory in common"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_figures_have_sources(path: Path) -> None:
    board = load_board(str(path), sources=())
    assert board.provenance
    lines = path.read_text().split("\n")
    for index, link in enumerate(board.links):
        above = "".join(lines[: int(board.where("links", index).split(":")[-2])])
        assert link.source or "MB/s" in above.rpartition("coherence:")[2]
    for name in board.kinds:
        line = lines[int(board.where("kinds", name, "mhz").split(":")[-2]) - 1]
        assert "#" in line, f"the clock of {name} says where it comes from"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_class_has_a_latency(path: Path) -> None:
    topology = load_board(str(path), sources=()).topology()
    assert {found.name for found in topology.classes()} == {row.cls for row in topology.latencies}


def test_every_board_is_listed_in_the_readme() -> None:
    readme = (packaged_folder() / "README.md").read_text()
    assert len(FILES) > 3
    assert all(f"`{path.stem}`" in readme for path in FILES)
    assert {board.name for board in list_boards(search=(), sources=())} == {path.stem for path in FILES}


# Baumann et al., SOSP 2009: table 1 (LRPC, cycles) and table 2 (cycles one way, standard deviation, by class).
PAPER: dict[str, tuple[int, dict[str, tuple[int, int]]]] = {
    "paper-2x4-intel": (845, {"shared:L2": (180, 34), "shared:package": (570, 50), "hops:0": (570, 50)}),
    "paper-2x2-amd": (757, {"shared:die": (450, 25), "hops:1": (532, 26)}),
    "paper-4x4-amd": (1463, {"shared:L3": (448, 12), "hops:1": (545, 11), "hops:2": (558, 11)}),
    "paper-8x4-amd": (1549, {"shared:L3": (538, 8), "hops:1": (613, 6), "hops:2": (618, 7)}),
}


@pytest.mark.parametrize("name", PAPER)
def test_calibration_figures_are_the_papers(name: str) -> None:
    topology = load_board(name, sources=()).topology()
    lrpc, classes = PAPER[name]
    costs = {cost.name: cost.cycles for cost in topology.kinds[0].costs}
    assert costs == {"lrpc": lrpc, "tlb_invalidate": 95, "ipi_trap": 800, "block_and_wake": 6000}
    assert {row.cls: (row.mean, row.sd) for row in topology.latencies if row.status != "extrapolated"} == classes
    assert {link.bandwidth_mbs for link in topology.links} <= {4000}


def test_the_host_sees_the_card_where_the_kit_places_its_windows() -> None:
    """Of `xeon-accel`: the map is written, the windows are decided; they must be the same addresses."""
    placed = {row.slot: row.value for row in assemble("xeon-accel").placements}
    windows = load_board("xeon-accel", sources=()).topology().spaces.windows("host")
    seen = {window.region: window.address for window in windows}
    assert (placed["pci:dsp:1"], placed["pci:dsp:2"]) == (seen["edma"], seen["ddr3"])


def test_a_card_and_its_host_share_no_memory_but_a_window() -> None:
    blueprint = assemble("xeon-accel")
    memory = {kind: {core.memory for core in blueprint.cores if core.kind == kind} for kind in ("xeon", "c66x")}
    assert memory == {"xeon": {"mem"}, "c66x": {"ddr3"}}
    bound = {row.name: row.transport for row in blueprint.pair_classes}
    assert bound == {
        "shared:L3": "ump",
        "island:shared:card": "ncring",
        "island:hops:1:xeon->c66x": "dma",
        "island:hops:1:c66x->xeon": "dma",
    }
