"""Blueprints: what is decided for the shipped boards, and what holds for any board."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import permutations, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from multikernel.assemble import assemble
from multikernel.blueprint import Blueprint, ChannelEntry
from multikernel.board import Board, load_board
from multikernel.interfaces import LINE
from tests.binding.boards import from_text, texts
from tests.binding.fakes import Plugins, registry, transport

BOARDS = ("paper-8x4-amd", "zcu102", "x86-qemu")


def bound(blueprint: Blueprint) -> dict[str, str]:
    return {entry.slot: entry.plugin for entry in blueprint.bindings}


def test_the_papers_machine_is_bound() -> None:
    blueprint = assemble("paper-8x4-amd", registry())
    assert bound(blueprint) == {
        "skb": "pydatalog",
        "cpu-driver:k10": "x86-64",
        "monitor": "user-mode",
        "transport:self": "lmp",
        **{f"transport:{name}": "ump" for name in ("hops:1", "hops:2", "hops:3", "hops:4", "shared:L3")},
        "consistency:shootdown": "one-phase",
    }
    assert {(entry.home, entry.slots, entry.notify) for entry in blueprint.pair_classes} == {("receiver", 16, "ipi")}
    assert sum(entry.pairs for entry in blueprint.pair_classes) == 32 * 31
    assert [(c.b, c.region) for c in blueprint.channels] == [(b, f"mem{b // 4}") for b in range(1, 32)]
    trees = {tree.name: tree for tree in blueprint.trees}
    assert trees["unicast"].nodes == trees["broadcast"].nodes
    assert trees["multicast"].nodes[0].children == (4, 8, 12, 16, 20, 24, 28, 1, 2, 3)
    assert trees["numa"].nodes[0].children == (28, 20, 24, 12, 16, 4, 8, 1, 2, 3), "four hops first, one hop last"
    assert trees["numa"].nodes[1].core == 28
    assert trees["numa"].nodes[1].children == (29, 30, 31)
    assert (trees["multicast"].home, trees["numa"].home) == ("root", "receiver")


def test_latencies_are_picoseconds_of_the_senders_clock() -> None:
    told = {entry.pair_class: entry for entry in assemble("paper-8x4-amd", registry()).interconnect.latencies}
    assert told["shared:L3"].ps == 538 * 500, "538 cycles of 2 GHz"


def test_islands_without_coherence_get_another_transport() -> None:
    blueprint = assemble("zcu102", registry())
    transports = {entry.name: entry.transport for entry in blueprint.pair_classes}
    assert transports == {
        "island:remote": "ncring",
        "island:remote:a53->r5": "ncring",
        "island:remote:r5->a53": "ncring",
        "shared:L2": "ump",
    }
    assert {kind.name: kind.driver for kind in blueprint.kinds} == {"a53": "armv8", "r5": "armv7r"}


@pytest.mark.parametrize("name", BOARDS)
def test_classes_by_the_blueprint_are_those_of_the_board(name: str) -> None:
    topology = load_board(name).topology()
    blueprint = assemble(name, registry())
    for a, b in product(blueprint.cores, repeat=2):
        assert blueprint.pair_class(a, b) == topology.pair_class(a.id, b.id)


def test_two_nodes_without_packages_make_a_tree_by_node() -> None:
    trees = {tree.name: tree for tree in assemble("x86-qemu", registry()).trees}
    assert [(node.core, node.children) for node in trees["multicast"].nodes] == [(0, (2, 1)), (2, (3,))]


def test_costs_of_the_board_go_before_those_of_the_driver(tmp_path: Path) -> None:
    blueprint = assemble(from_text(tmp_path), registry())
    costs = {kind.name: {cost.name: (cost.cycles, cost.source) for cost in kind.costs} for kind in blueprint.kinds}
    assert costs == {
        "big": {"ipi_trap": (800, "measured"), "upcall": (100, "driver")},
        "small": {"ipi_trap": (900, "driver"), "upcall": (100, "driver")},
    }


def test_each_side_gets_the_address_it_sees(tmp_path: Path) -> None:
    board = from_text(tmp_path)
    channels = {(c.a, c.b): c for c in assemble(board, registry()).channels}
    across = channels[0, 4]
    assert (across.region, across.transport) == ("shared", "ncring")
    assert across.address_a == 0x8000000 + across.offset
    assert across.address_b == across.offset
    assert channels[0, 2].region == "m1", "at the receiver's node"


def test_a_window_is_what_the_transport_says(tmp_path: Path) -> None:
    plugins = Plugins((transport("ump", "", 10, ('+ window("ump", 5)',)), transport("far", "shares_uncached(A, B)", 5)))
    classes = assemble(from_text(tmp_path), registry(plugins=plugins)).pair_classes
    assert {(entry.transport, entry.slots) for entry in classes} == {("ump", 5), ("far", 16)}


def test_cores_known_to_fail_lead_nothing(tmp_path: Path) -> None:
    some = from_text(
        tmp_path, a="ids: 0-3 => ids: [0, 1, 3]", add="", b="cores:\n => cores:\n  - {ids: 2, kind: big, fails: dead}\n"
    )
    trees = {tree.name: tree for tree in assemble(some, registry()).trees}
    assert [(node.core, node.children) for node in trees["numa"].nodes] == [(0, (3, 1, 4, 5)), (3, (2,))]
    both = from_text(
        tmp_path, a="ids: 0-3 => ids: 0-1", b="cores:\n => cores:\n  - {ids: 2-3, kind: big, fails: dead}\n"
    )
    trees = {tree.name: tree for tree in assemble(both, registry()).trees}
    assert [(node.core, node.children) for node in trees["numa"].nodes] == [(0, (1, 2, 3, 4, 5))]


def test_a_receivers_node_without_memory_homes_nothing(tmp_path: Path) -> None:
    board = from_text(tmp_path, a="cores: 2-3, regions: [m1] => cores: 2-3")
    homes = {(e.src, e.dst): e.home for e in assemble(board, registry()).pair_classes}
    assert homes[0, 2] == "region:m0"
    assert homes[0, 1] == "receiver"


def overlaps(a: ChannelEntry, b: ChannelEntry) -> bool:
    size = 2 * (16 + 1) * LINE
    return a.region == b.region and a.offset < b.offset + size and b.offset < a.offset + size


def check(board: Board, blueprint: Blueprint) -> None:
    """What holds of every blueprint, by looking at every pair."""
    topology = board.topology()
    by_name = {entry.name: entry for entry in blueprint.pair_classes}
    ids = [core.id for core in blueprint.cores]
    assert ids == sorted(core.id for core in topology.cores)
    for a, b in permutations(ids, 2):
        entry = by_name[topology.pair_class(a, b)]
        assert entry.transport == ("ump" if topology.coherent(a, b) else "ncring"), f"{a}->{b}"
    joined = {(c.a, c.b) for c in blueprint.channels}
    assert {(blueprint.boot_core, core) for core in ids if core != blueprint.boot_core} <= joined
    for entry in blueprint.pair_classes:
        assert (entry.src, entry.dst) in joined or (entry.dst, entry.src) in joined
    for channel in blueprint.channels:
        for core, address in ((channel.a, channel.address_a), (channel.b, channel.address_b)):
            space = topology.core(core).space
            last = channel.offset + 2 * (channel.slots + 1) * LINE - 1
            assert topology.decode(space, address) == (channel.region, channel.offset)
            assert topology.decode(space, address + last - channel.offset) == (channel.region, last)
    for one, other in permutations(blueprint.channels, 2):
        assert not overlaps(one, other)
    for tree in blueprint.trees:
        reached = [child for node in tree.nodes for child in node.children]
        assert sorted((*reached, blueprint.boot_core)) == ids, f"{tree.name} reaches every core once"
        assert tree.nodes[0].core == blueprint.boot_core


@pytest.mark.parametrize("name", BOARDS)
def test_what_holds_of_every_blueprint_holds_of_the_shipped_boards(name: str) -> None:
    board = load_board(name)
    check(board, assemble(board, registry()))


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=texts())
def test_what_holds_of_every_blueprint_holds_of_made_boards(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    board = from_text(tmp_path_factory.mktemp("made"), text)
    check(board, assemble(board, registry()))


def test_bindings_carry_the_hash_of_the_plugins_sources() -> None:
    plugins = registry()
    entry = assemble("x86-qemu", plugins).bound("skb")
    assert entry.hash == plugins.skb_backends.origin("pydatalog").source_hash
    assert len(entry.hash) == 64


SCRIPT = """
from multikernel.assemble import assemble
from tests.binding.fakes import registry
print([assemble(name, registry()).hash for name in %r])
"""


@pytest.mark.determinism
def test_the_same_inputs_give_the_same_bytes_under_any_hash_seed() -> None:
    here = str([assemble(name, registry()).hash for name in BOARDS])
    root = Path(__file__).parents[2]
    for seed in ("0", "1", "4294967295"):
        path = os.pathsep.join([str(root), *(entry for entry in sys.path if entry)])
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT % (BOARDS,)],
            env=environment, cwd=root, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stdout.strip() == here
