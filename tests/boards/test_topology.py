"""The resolved view: classes against the pairs one by one, hops against a plain search, decoding both ways."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.board import Board, load_board
from multikernel.board.spaces import AddressSpaces, Map, Space
from multikernel.board.topology import Topology

LEVELS = ("L2", "L3", "package")


@st.composite
def boards(draw: st.DrawFn) -> Topology:
    """Small irregular machines: groups that nest or not, cores in no group, island or node."""
    count = draw(st.integers(1, 9))
    cores = list(range(count))

    def partition(parts: int) -> list[list[int]]:
        homes = draw(st.lists(st.integers(-1, parts - 1), min_size=count, max_size=count))
        return [[core for core in cores if homes[core] == part] for part in range(parts)]

    nodes = partition(3)
    links = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=3))
    stated = draw(st.booleans())
    kinds = draw(st.lists(st.sampled_from("ab"), min_size=count, max_size=count))
    data = {
        "schema": "board/1",
        "name": "drawn",
        "summary": "s",
        "kinds": {"a": {"isa": "x", "mhz": 1}, "b": {"isa": "y", "mhz": 1}},
        "cores": [{"ids": core, "kind": kinds[core]} for core in cores],
        "regions": [{"id": "m", "size": 1, "base": 0}],
        "groups": [{"level": level, "sets": [s for s in partition(3) if s]} for level in LEVELS],
        "nodes": [{"id": index, "cores": ids} for index, ids in enumerate(nodes)],
        "coherence": [{"cores": ids} for ids in partition(2)],
        "links": [{"a": f"node{a}", "b": f"node{b}", "kind": "x"} for a, b in links],
        "distances": [{"what": "slit", "ids": [0, 1, 2], "matrix": [[10, 20, 30], [20, 10, 20], [30, 20, 10]]}]
        if stated
        else [],
    }
    return Board.model_validate(data).topology()


@given(boards())
@settings(max_examples=120, deadline=None)
def test_classes_are_those_of_the_pairs_one_by_one(topology: Topology) -> None:
    pairs = [(a.id, b.id) for a in topology.cores for b in topology.cores if a.id != b.id]
    one_by_one = Counter(topology.pair_class(a, b) for a, b in pairs)
    least = {name: min(pair for pair in pairs if topology.pair_class(*pair) == name) for name in one_by_one}
    assert {c.name: c.pairs for c in topology.classes()} == one_by_one
    assert {c.name: (c.src, c.dst) for c in topology.classes()} == least
    assert [c.name for c in topology.classes()] == sorted(one_by_one)


@given(boards())
@settings(max_examples=100, deadline=None)
def test_a_class_says_what_the_board_says(topology: Topology) -> None:
    for a in topology.cores:
        for b in topology.cores:
            if a.id == b.id:
                assert topology.pair_class(a.id, b.id) == "self"
                continue
            name = topology.pair_class(a.id, b.id)
            assert name.startswith("island:") != topology.coherent(a.id, b.id)
            assert name.endswith(f":{a.kind}->{b.kind}") == (a.kind != b.kind)
            common = [group for group in topology.groups if a.id in group.cores and b.id in group.cores]
            assert ("shared:" in name) == bool(common)
            if common:
                least = min(len(group.cores) for group in common)
                smallest = {group.level for group in common if len(group.cores) == least}
                assert any(f"shared:{level}" in name for level in smallest)


@given(st.integers(1, 8), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
@settings(max_examples=100, deadline=None)
def test_hops_are_shortest_ways(count: int, wanted: list[tuple[int, int]]) -> None:
    links = [(a, b) for a, b in wanted if a < count and b < count]
    topology = Board.model_validate(
        {
            "schema": "board/1",
            "name": "drawn",
            "summary": "s",
            "kinds": {"a": {"isa": "x", "mhz": 1}},
            "cores": [{"ids": 0, "kind": "a"}],
            "regions": [{"id": "m", "size": 1, "base": 0}],
            "nodes": [{"id": index} for index in range(count)],
            "links": [{"a": f"node{a}", "b": f"node{b}", "kind": "x"} for a, b in links],
        }
    ).topology()
    far = count + 1
    table = {
        (a, b): 0 if a == b else 1 if (a, b) in links or (b, a) in links else far
        for a in range(count)
        for b in range(count)
    }
    for via in range(count):  # Floyd and Warshall
        table = {(a, b): min(d, table[a, via] + table[via, b]) for (a, b), d in table.items()}
    for (a, b), distance in table.items():
        assert topology.hops(a, b) == (None if distance >= far else distance)


def test_nothing_is_invented() -> None:
    topology = load_board("x86-qemu", sources=()).topology()
    assert topology.hops(0, 1) is None
    assert topology.distance(0, 1) is None
    assert topology.pair_class(0, 2) == "remote"
    assert topology.latency("shared:L3") is None
    assert topology.islands[0].protocol == ""
    assert topology.cores[0].package == topology.cores[0].cluster == -1


def test_the_ladder_of_the_paper() -> None:
    topology = load_board("paper-8x4-amd", sources=()).topology()
    counts = {c.name: c.pairs for c in topology.classes()}
    assert counts == {"shared:L3": 96, "hops:1": 320, "hops:2": 320, "hops:3": 192, "hops:4": 64}
    assert sum(counts.values()) == 32 * 31
    assert [topology.core(core).package for core in (0, 3, 4, 31)] == [0, 0, 1, 7]
    latency = topology.latency(topology.pair_class(0, 12))
    assert latency is not None
    assert (latency.mean, latency.sd, latency.unit, latency.status) == (618, 7, "cycles", "published")
    assert [e.status for name in ("hops:3", "hops:4") if (e := topology.latency(name))] == ["extrapolated"] * 2
    assert topology.notify(0, 31) == "ipi"


def test_views_of_memory_differ() -> None:
    topology = load_board("zcu102", sources=()).topology()
    assert topology.address("rpu0", "tcm0a", 0x10) == 0x10
    assert topology.address("apu", "tcm0a", 0x10) == 0xFFE00010
    assert topology.address("apu", "ddr-first", 0x1000) == 0x1000
    assert topology.address("rpu0", "ddr-first", 0x1000) is None, "where its tightly coupled memory lies"
    assert topology.address("rpu0", "ddr", 0) == topology.address("apu", "ddr", 0) == 0x100000
    assert topology.address("rpu0", "ddr-high", 0) is None
    assert topology.decode("rpu0", 0x10) == ("tcm0a", 0x10)
    assert topology.decode("rpu1", 0x10) == ("tcm1a", 0x10)
    assert topology.decode("rpu0", 0x50000) is None
    assert topology.cacheable("apu", "ddr")
    assert not topology.cacheable("rpu0", "ddr")
    assert not topology.cacheable("rpu0", "ddr-high"), "not seen, so not cacheable"
    assert topology.shared_regions(0, 4) == ("ddr", "ocm", "tcm0a", "tcm0b")
    assert not topology.coherent(0, 4)
    assert topology.notify(0, 4) == "mailbox"
    assert (topology.pair_class(4, 0), topology.pair_class(0, 4)) == ("island:remote:r5->a53", "island:remote:a53->r5")
    assert topology.core(5).hardware_id == 1
    assert topology.region("ddr-high").base == 0x800000000


ODD = """
schema: board/1
name: odd
summary: What the shipped boards have no example of.
kinds: {k: {isa: x, mhz: 1, costs: {trap: {cycles: 9, max_cycles: 90, source: t}}}}
cores:
  - {ids: 0-1, kind: k, start: sipi}
  - {ids: 2, kind: k, start: boot, space: view}
  - {ids: 3, kind: k, start: sipi, fails: burnt in 2019}
groups: [{level: L2, sets: [0-1, 2-3]}, {level: package, sets: [0-3]}]
nodes: [{id: 5, cores: 0-3, regions: [listed]}]
regions:
  - {id: named, size: 1K, base: 0}
  - {id: listed, size: 1K, base: 1K}
  - {id: says, size: 1K, base: 2K, node: 5}
  - {id: registers, kind: device, size: 1K, base: 3K}
  - {id: card, size: 1K}
spaces:
  half: {maps: [{base: 0, size: 1K, to: says, cacheable: false}, {base: 1K, size: 1K, to: named}]}
  view:
    maps:
      - {base: 0x10000, size: 2K, to: half}
      - {base: 0x20000, size: 1K, to: listed}
      - {base: 0x30000, size: 1K, to: listed, cacheable: false}
      - {base: 0x40000, size: 1K, to: half, at: 1K, cacheable: false}
      - {base: 0x50000, size: 1K, to: card}
coherence: [{cores: 0-1, regions: [named]}, {cores: 2}]
"""


def test_an_odd_board(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(ODD)
    topology = load_board(str(tmp_path / "odd.yaml"), sources=()).topology()
    assert topology.boot_core == 2
    assert [core.fails for core in topology.cores] == ["", "", "", "burnt in 2019"]
    assert [(core.package, core.cluster) for core in topology.cores] == [(0, 0), (0, 0), (0, 1), (0, 1)]
    assert [island.regions for island in topology.islands] == [("named",), ("listed", "says", "card")]
    assert {region.id: region.node for region in topology.regions} == {
        "named": -1, "listed": 5, "says": 5, "registers": -1, "card": -1
    }  # fmt: skip
    assert topology.nodes[0].regions == ("listed", "says")
    assert topology.region("card").base == -1
    flags = {name: topology.cacheable("view", name) for name in ("named", "listed", "says", "card")}
    assert flags == {"named": False, "listed": False, "says": False, "card": True}
    assert topology.cacheable("half", "named")
    assert topology.address("view", "named", 1) == 0x10401
    assert [(cost.name, cost.cycles) for cost in topology.kind("k").costs] == [("trap", 9)]
    assert topology.pair_class(0, 1) == "shared:L2"
    assert topology.pair_class(2, 3) == "island:shared:L2"


@st.composite
def nets(draw: st.DrawFn) -> AddressSpaces:
    """`phys` with three regions, `low` that covers parts of it, `view` that looks through a window of `low`."""

    def maps(limit: int, targets: list[str]) -> tuple[Map, ...]:
        cuts = sorted(draw(st.lists(st.integers(0, limit), min_size=2, max_size=6, unique=True)))
        spans = list(pairwise(cuts))[::2]
        return tuple(
            Map(a, min(b - a, 16), draw(st.sampled_from(targets)), draw(st.integers(0, 3)), draw(st.booleans()))
            for a, b in spans
        )

    phys = Space("phys", 8, "", maps(200, ["r0", "r1", "r2"]))
    low = Space("low", 6, "phys", maps(63, ["r0", "r1"]))
    view = Space("view", 8, draw(st.sampled_from(["", "phys"])), maps(200, ["low", "r2"]))
    return AddressSpaces((phys, low, view))


@given(nets(), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_decoding_agrees_with_following_the_maps(spaces: AddressSpaces, address: int) -> None:
    for name in spaces.names:
        assert spaces.decode(name, address) == follow(spaces, name, address)


@given(nets())
@settings(max_examples=40, deadline=None)
def test_an_address_leads_back_to_its_byte(spaces: AddressSpaces) -> None:
    for name in spaces.names:
        reached = [(spaces.decode(name, address), address) for address in range(256)]
        for region in ("r0", "r1", "r2"):
            for offset in range(20):
                seen = [address for end, address in reached if end == (region, offset)]
                assert spaces.address(name, region, offset) == min(seen, default=None)


def follow(spaces: AddressSpaces, name: str, address: int) -> tuple[str, int] | None:
    """One address, map by map: what the windows are made to agree with."""
    space = spaces.space(name)
    if address >= 1 << space.bits:
        return None
    for entry in space.maps:
        if entry.base <= address < entry.base + entry.size:
            offset = address - entry.base + entry.at
            return follow(spaces, entry.to, offset) if entry.to in spaces.names else (entry.to, offset)
    return follow(spaces, space.overlay, address) if space.overlay else None


def test_four_thousand_cores(capsys: pytest.CaptureFixture[str]) -> None:
    count = 4096
    data = {
        "schema": "board/1",
        "name": "large",
        "summary": "s",
        "kinds": {"a": {"isa": "x", "mhz": 1}},
        "cores": [{"ids": f"0-{count - 1}", "kind": "a"}],
        "regions": [{"id": "m", "size": 1, "base": 0}],
        "groups": [
            {"level": level, "sets": [f"{i}-{i + size - 1}" for i in range(0, count, size)]}
            for level, size in (("L2", 2), ("L3", 8), ("package", 64))
        ],
        "nodes": [{"id": i, "cores": f"{64 * i}-{64 * i + 63}"} for i in range(64)],
        "coherence": [{"cores": f"0-{count - 1}"}],
        "links": [{"a": f"node{i}", "b": f"node{i + 1}", "kind": "x"} for i in range(63)],
    }
    start = time.perf_counter()
    topology = Board.model_validate(data).topology()
    classes = topology.classes()
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{count} cores resolved into {len(classes)} classes in {seconds:.3f} s")
    assert len(classes) == 66
    assert sum(c.pairs for c in classes) == count * (count - 1)


LATENCIES = """
extends: paper-8x4-amd
name: measured
latency:
  classes:
    - {cls: "shared:L3", mean: 600, sd: 8, status: assumed, source: t}
    - {cls: "shared:L3", home: sender, mean: 100, sd: 8, unit: ns, status: assumed, source: t}
    - {cls: "hops:1", home: elsewhere, mean: 1000, sd: 8, min: 900, max: 1200, p99: 1100, count: 7,
       status: assumed, source: t}
  offsets:
    - {cores: 1, plus: -7, status: assumed, source: t}
    - {cores: 2-3, plus: 11, unit: cycles, status: assumed, source: t}
    - {cores: 4, plus: 0, status: assumed, source: t}
  matrix: {ids: [9, 8, 10], unit: cycles, status: measured, source: t, matrix: [[0, 21, 22], [23, 0, 24], [25, 26, 0]]}
"""


def test_latencies_by_home_by_core_and_by_pair(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(LATENCIES)
    topology = load_board(str(tmp_path / "b.yaml"), sources=()).topology()
    clock = 500  # picoseconds of a cycle at 2 GHz
    assert topology.pair_latency(0, 1) == 600 * clock - 7000
    assert topology.pair_latency(1, 2) == topology.pair_latency(2, 1) == 600 * clock - 7000 + 11 * clock
    assert topology.pair_latency(0, 1, "sender") == 100_000 - 7000
    assert topology.pair_latency(0, 1, "receiver") == topology.pair_latency(0, 1), "the row for any home"
    assert topology.pair_latency(0, 4) is None, "only told where homed elsewhere"
    assert topology.pair_latency(0, 4, "elsewhere") == 1000 * clock
    assert topology.pair_latency(0, 8) is None
    assert [topology.pair_latency(a, b) for a, b in ((8, 9), (9, 8), (10, 9), (8, 8))] == [
        23 * clock, 21 * clock, 25 * clock, 0
    ]  # fmt: skip
    assert topology.pair_latency(8, 11) == 600 * clock, "the matrix has not both"
    assert topology.offsets == {1: -7000, 2: 5500, 3: 5500}
    told = topology.latency("hops:1", "elsewhere")
    assert told is not None
    assert (told.min, told.max, told.p99, told.count) == (900, 1200, 1100, 7)


def test_devices_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        "extends: x86-qemu\ndevices: [{id: pci0, cls: pci-host, node: 1, apertures: [{base: 3G, size: 64M}]},\n"
        " {id: nic, cls: nic, bridge: pci0, irqs: 4, msi: true, bars: [{size: 1M, bits: 64}]}]\n"
    )
    topology = load_board(str(tmp_path / "b.yaml"), sources=()).topology()
    host, card = topology.devices
    assert (host.id, host.node, host.irqs, host.channels) == ("pci0", 1, 0, -1)
    assert [(at.base, at.size, at.prefetchable) for at in host.apertures] == [(3 << 30, 64 << 20, False)]
    assert topology.device("nic") == card
    assert (card.bridge, card.irqs, card.msi, card.node) == ("pci0", 4, True, -1)
    assert [(bar.size, bar.bits, bar.prefetchable) for bar in card.bars] == [(1 << 20, 64, False)]
