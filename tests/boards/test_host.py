"""The board made from this machine, and from machines laid out in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mk_boards
from mk_boards.host import describe
from multikernel.assemble import know
from multikernel.board import Board, load_board
from multikernel.board.yamlread import read_yaml
from multikernel.errors import FileError
from multikernel.registry import Registry

SOURCES = Registry.of(mk_boards).board_dirs


def machine(root: Path, cpus: int, nodes: int, distances: list[str], flags: str = "fpu") -> None:
    """A machine of two-thread cores, an L2 for each core and an L3 for each node."""

    def write(path: str, text: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")

    write("proc/cpuinfo", f"model name\t: It's a CPU\ncpu MHz\t\t: 2596.130\nflags\t\t: {flags}")
    share = cpus // nodes
    for cpu in range(cpus):
        home = f"sys/devices/system/cpu/cpu{cpu}"
        pair, node = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}", cpu // share
        write(f"{home}/topology/thread_siblings_list", pair)
        write(f"{home}/topology/package_cpus_list", f"0-{cpus - 1}")
        l3 = f"{node * share}-{node * share + share - 1}"
        for index, (level, size, sharers) in enumerate([(1, "32K", pair), (2, "512K", pair), (3, "16384K", l3)]):
            for name, text in (
                ("level", str(level)),
                ("size", size),
                ("shared_cpu_list", sharers),
                ("type", "Unified"),
            ):
                write(f"{home}/cache/index{index}/{name}", text)
        write(f"{home}/cache/index0/coherency_line_size", "128")
    for node in range(nodes):
        home = f"sys/devices/system/node/node{node}"
        write(f"{home}/cpulist", f"{node * share}-{node * share + share - 1}")
        write(f"{home}/meminfo", f"Node {node} MemTotal:        1024 kB")
        write(f"{home}/distance", distances[node])


def board(text: str) -> Board:
    return Board.model_validate(read_yaml(text, "host").data)


def test_this_machine() -> None:
    loaded = load_board("host", sources=SOURCES)
    topology = loaded.topology()
    assert [core.hardware_id for core in topology.cores] == sorted(os.sched_getaffinity(0))
    assert [core.id for core in topology.cores] == list(range(len(topology.cores)))
    assert topology.boot_core == 0
    assert loaded.where("kinds").startswith("<host>:")


@pytest.mark.parametrize("count", [1, 3, 64])
def test_any_number_of_cores(count: int) -> None:
    loaded = load_board(f"host:{count}", sources=SOURCES)
    topology = loaded.topology()
    usable = sorted(os.sched_getaffinity(0))
    assert [core.hardware_id for core in topology.cores] == [usable[i % len(usable)] for i in range(count)]
    assert ("several cores on each" in loaded.summary) == (count > len(usable))


@pytest.mark.parametrize("name", ["host:0", "host:-1", "host:many", "host:", "host:4097"])
def test_a_bad_number_of_cores(name: str) -> None:
    with pytest.raises(FileError, match="after host: stands a number of cores, 1 to 4096"):
        load_board(name, sources=SOURCES)


def test_other_names_are_not_taken() -> None:
    with pytest.raises(FileError, match=r"no board 'hast'; did you mean host\?"):
        load_board("hast", sources=SOURCES)


def test_a_machine_of_two_nodes(tmp_path: Path) -> None:
    machine(tmp_path, 8, 2, ["10 32", "32 10"])
    loaded = board(describe(tmp_path, range(8), 8))
    topology = loaded.topology()
    assert {(g.level, g.cores) for g in topology.groups if g.level in ("core", "L3")} == {
        *(("core", (i, i + 1)) for i in (0, 2, 4, 6)),
        ("L3", (0, 1, 2, 3)),
        ("L3", (4, 5, 6, 7)),
    }
    assert (topology.distance(0, 1), topology.islands[0].line, topology.kind("cpu").mhz) == (32, 128, 2596)
    assert [region.size for region in topology.regions] == [1 << 20] * 2
    assert [topology.pair_class(0, b) for b in (1, 2, 4)] == ["shared:core", "shared:L3", "shared:package"]
    assert not loaded.virtualized
    assert "It's a CPU" in loaded.summary


def test_a_default_distance_is_no_distance(tmp_path: Path) -> None:
    machine(tmp_path, 4, 2, ["10 20", "20 10"], flags="fpu hypervisor")
    loaded = board(describe(tmp_path, range(4), 4))
    assert loaded.topology().distance(0, 1) is None
    assert loaded.virtualized


def test_only_usable_cpus_and_their_numbers(tmp_path: Path) -> None:
    machine(tmp_path, 8, 2, ["10 32", "32 10"])
    topology = board(describe(tmp_path, [1, 4, 5], 3)).topology()
    assert [core.hardware_id for core in topology.cores] == [1, 4, 5]
    assert [core.node for core in topology.cores] == [0, 1, 1]
    assert topology.pair_class(1, 2) == "shared:core"


def test_more_cores_than_cpus(tmp_path: Path) -> None:
    machine(tmp_path, 2, 1, ["10"])
    loaded = board(describe(tmp_path, [0, 1], 5))
    topology = loaded.topology()
    assert topology.pair_class(0, 2) == "shared:cpu"
    assert topology.pair_class(0, 1) == "shared:core"
    assert "several cores on each of 2 CPUs" in (loaded.provenance[0].note or "")


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    loaded = board(describe(tmp_path, [0, 1], 2))
    topology = loaded.topology()
    assert (topology.groups, topology.nodes, topology.pair_class(0, 1)) == ((), (), "remote")
    assert "no clock is told" in (loaded.provenance[0].note or "")


def test_what_was_read_off_the_machine_is_known_as_discovered() -> None:
    known = know("host:2")
    fact = known.skb.fact("core", (1, known.board.topology().core(1).kind))
    assert fact is not None
    assert str(fact.source).startswith("discovered ")
    shipped = know("x86-qemu").skb.fact("boot_core", (0,))
    assert shipped is not None
    assert shipped.source.kind == "asserted"
