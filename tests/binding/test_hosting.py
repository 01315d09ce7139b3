"""Cores of kinds that host no CPU driver are of the machine and not of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel import Multikernel, assemble, load_board
from multikernel.assemble import know
from multikernel.board import Board

TEXT = """\
schema: board/1
name: others
summary: Cores of the kernel between cores that run something of their own.
kinds:
  host: {isa: x86-64, mhz: 2000}
  guest: {isa: xtensa, mhz: 400, word: 32, mmu: none, hosts: app-core}
  pipe: {isa: shader, mhz: 800, word: 32, mmu: none, hosts: offload}
cores: [{ids: 0-1, kind: guest}, {ids: 2-5, kind: host}, {ids: 6-9, kind: pipe, space: card}]
groups: [{level: L2, size: 1M, sets: [0-1, 2-3, 4-5, 6-9]}, {level: chip, sets: [0-9]}]
nodes: [{id: 0, cores: 0-3}, {id: 1, cores: 4-9, regions: [main]}]
regions: [{id: main, size: 64M, base: 0}]
spaces: {card: {bits: 32, maps: [{base: 0, size: 1M, to: main, at: 4M}]}}
coherence: [{cores: 0-9, regions: [main]}]
notify: [{src: 0-9, dst: 0-9, via: ipi}]
"""


@pytest.fixture
def board(tmp_path: Path) -> Board:
    path = tmp_path / "others.yaml"
    path.write_text(TEXT)
    return load_board(str(path))


def test_they_are_not_in_the_core_table(board: Board) -> None:
    blueprint = assemble(board)
    assert [core.id for core in blueprint.cores] == [2, 3, 4, 5]
    assert [kind.name for kind in blueprint.kinds] == ["host"]
    assert blueprint.boot_core == 2
    assert {channel.b for channel in blueprint.channels if channel.a == 2} == {3, 4, 5}
    assert {view.space for view in blueprint.views} == {"phys"}, "their spaces need not see what the kernel uses"
    assert sum(entry.pairs for entry in blueprint.pair_classes) == 4 * 3
    assert [binding.slot for binding in blueprint.bindings if binding.slot.startswith("cpu-driver")] == [
        "cpu-driver:host"
    ]


def test_the_board_still_says_what_they_are(board: Board) -> None:
    topology = board.topology()
    assert [core.id for core in topology.others] == [0, 1, 6, 7, 8, 9]
    assert topology.core(7).space == "card"
    assert [group.cores for group in topology.groups if group.level == "L2"] == [(), (2, 3), (4, 5), ()]
    known = know(board)
    try:
        rows = sorted(known.skb.query("other_core(C, K) & hosts(K, H)").rows)
    finally:
        known.skb.close()
    assert rows == [
        (0, "guest", "app-core"),
        (1, "guest", "app-core"),
        *((n, "pipe", "offload") for n in range(6, 10)),
    ]


def test_the_kernel_of_the_others_boots(board: Board) -> None:
    with Multikernel(assemble(board, platform="sim")).boot("sim") as kernel:
        assert {core.state for core in kernel.cores()} == {"joined"}
        assert {*kernel.run("conform", messages=20).column("transport")} == {"ump", "lmp"}
