"""Drivers, interrupts, PCI windows, memory and sharing groups: what is decided for boards, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.assemble import assemble, know
from multikernel.binding.pci import NoRoom, Span, Window, pack
from multikernel.binding.reasons import explained
from multikernel.board import load_board
from multikernel.board.find import list_boards
from multikernel.errors import BindingError
from multikernel.registry import Registry
from tests.binding.boards import from_text
from tests.binding.fakes import registry

PCI = "{id: pci, cls: pci-host, node: 1, apertures: [%s]}"
SEE_ALL = "{bits: 32, maps: [{base: 0x0, size: 256K, to: shared, cacheable: false}]} => {overlay: phys}"
LOW, HIGH = "{base: 0xc0000000, size: 1M}", "{base: 0x800000000, size: 64M, prefetchable: true}"


def devices(*rows: str, bind: str = "") -> str:
    return f"devices: [{', '.join(rows)}]\n" + (f"bind: {bind}\n" if bind else "")


def placed(folder: Path, *rows: str, bind: str = "", **change: str) -> dict[str, int | str]:
    board = from_text(folder, add=devices(*rows, bind=bind), **change)
    return {entry.slot: entry.value for entry in assemble(board, registry()).placements}


def test_drivers_are_near_and_spread(tmp_path: Path) -> None:
    rows = ["{id: n0, cls: nic, node: 1}", "{id: n1, cls: nic, node: 1}", "{id: n2, cls: nic, node: 1}"]
    rows += ["{id: disk, cls: disk, near: 3}", "{id: clock, cls: timer}"]
    found = placed(tmp_path, *rows)
    assert found == {"driver:n0": 2, "driver:n1": 3, "driver:n2": 2, "driver:disk": 3, "driver:clock": 0}


def test_where_its_node_has_no_core_that_can_the_next_by_links_does(tmp_path: Path) -> None:
    change = "  - {ids: 0-3, kind: big} => - {ids: 0-1, kind: big}\n  - {ids: 2-3, kind: big, fails: broken}"
    found = placed(tmp_path, "{id: nic, cls: nic, node: 1}", ids=f"{change}".replace("=> -", "=>   -"))
    assert found == {"driver:nic": 0}


def test_a_board_names_the_core(tmp_path: Path) -> None:
    rows = ["{id: n0, cls: nic, node: 1}", "{id: n1, cls: nic, node: 1, irqs: 2}"]
    found = placed(tmp_path, *rows, bind="{driver: {n0: 0}, interrupt: {'n1:1': 3}}")
    assert found == {"driver:n0": 0, "driver:n1": 2, "interrupt:n1:0": 2, "interrupt:n1:1": 3}


def test_together_within_what_the_board_asks(tmp_path: Path) -> None:
    rows = [f"{{id: n{number}, cls: nic, node: 1}}" for number in range(3)]
    one_each = placed(tmp_path, *rows, bind="{placement: {capacity: 1}}")
    assert one_each == {"driver:n0": 0, "driver:n1": 2, "driver:n2": 3}, "of equal sums the earliest cores"
    apart = placed(tmp_path, *rows, bind="{placement: {apart: [[n0, n1], [n0, n2]]}}")
    assert apart == {"driver:n0": 2, "driver:n1": 3, "driver:n2": 3}


@pytest.mark.parametrize(
    ("bind", "told"),
    [
        ("{driver: {nick: 0}}", r"slot driver:nick: .*board.yaml:29:17: .* no device 'nick'; there are nic"),
        ("{driver: {nic: 9}}", r"slot driver:nic: .*board.yaml:29:22: no core 9; cores 0-5 would serve"),
        ("{interrupt: {'nic:5': 0}}", r"board.yaml:29:20: nic raises 2 interrupts, numbered from 0"),
        ("{placement: {apart: [[nic, nic]]}}", r"board.yaml:29:28: a device is not apart from itself"),
        ("{placement: {capacity: 1}}", r"no placement of 7 drivers on 6 cores: at most 1 a core"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, bind: str, told: str) -> None:
    rows = ["{id: nic, cls: nic, irqs: 2}", *(f"{{id: d{number}, cls: disk}}" for number in range(6))]
    with pytest.raises(BindingError, match=told):
        placed(tmp_path, *rows, bind=bind)


def test_vectors_go_in_turn_to_the_nearest_and_lines_to_the_driver(tmp_path: Path) -> None:
    found = placed(tmp_path, "{id: nic, cls: nic, node: 1, irqs: 3, msi: true}", "{id: d, cls: disk, node: 1, irqs: 2}")
    assert [found[f"interrupt:nic:{number}"] for number in range(3)] == [2, 3, 2]
    assert (found["driver:d"], found["interrupt:d:0"], found["interrupt:d:1"]) == (3, 3, 3)


def test_interrupts_reach_only_the_cores_that_the_board_states(tmp_path: Path) -> None:
    rows = ["{id: nic, cls: nic, node: 1, irqs: 2, msi: true}", "{id: d, cls: disk, node: 1, irqs: 1}"]
    wired = "via: mailbox} => via: mailbox}\n  - {src: 0, dst: 0-1, via: msi, device: nic}\n"
    wired += "  - {src: 0, dst: 1, via: irq, device: d}"
    found = placed(tmp_path, *rows, wired=wired)
    assert (found["interrupt:nic:0"], found["interrupt:nic:1"], found["interrupt:d:0"]) == (0, 1, 1)
    with pytest.raises(BindingError, match=r"slot interrupt:nic:0: .*: core 2 needs .*; cores 0-1 would serve"):
        placed(tmp_path, *rows, wired=wired, bind="{interrupt: {nic: 2}}")


def test_windows_lie_in_apertures_that_suit_them(tmp_path: Path) -> None:
    bars = "{size: 64K}, {size: 16M, bits: 64, prefetchable: true}, {size: 4K, prefetchable: true}"
    nic = f"{{id: nic, cls: nic, node: 1, bridge: pci, bars: [{bars}]}}"
    disk = "{id: disk, cls: disk, node: 1, bridge: pci, bars: [{size: 128K, bits: 64}]}"
    found = placed(tmp_path, PCI % f"{LOW}, {HIGH}", nic, disk)
    windows = {slot: value for slot, value in found.items() if slot.startswith("pci")}
    assert windows == {
        "pci:nic:0": 0xC0020000,
        "pci:nic:1": 0x800000000,
        "pci:nic:2": 0xC0030000,
        "pci:disk:0": 0xC0000000,
    }


def test_a_window_without_room_names_the_apertures(tmp_path: Path) -> None:
    nic = "{id: nic, cls: nic, node: 1, bridge: pci, bars: [{size: 512K}, {size: 1M}]}"
    with pytest.raises(BindingError) as refused:
        placed(tmp_path, PCI % f"{LOW}, {HIGH}", nic)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("slot pci:nic:0: ")
    assert lines[0].endswith("no aperture of pci has room for 0x80000 bytes (32 bits)")
    assert lines[1:] == [
        "  aperture 0 at 0xc0000000, 0x100000 bytes, not prefetchable: 1 other windows of 0x100000 bytes may lie there",
        "  aperture 1 at 0x800000000, 0x4000000 bytes, prefetchable: the window must not be prefetched",
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(4, 8), st.sets(st.integers(0, 2), min_size=1)), max_size=8),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 24)), min_size=3, max_size=3),
)
def test_windows_are_aligned_and_never_overlap(sizes: list[tuple[int, set[int]]], spans: list[tuple[int, int]]) -> None:
    apertures = [Span(index * 4096 + base * 16, size * 16) for index, (base, size) in enumerate(spans)]
    windows = [Window("d", n, 1 << bits, tuple(sorted(ways))) for n, (bits, ways) in enumerate(sizes)]
    try:
        found = pack(windows, apertures)
    except NoRoom as none:
        complete = none.complete
        found = ()
    else:
        complete = True
        assert [entry.window for entry in found] == windows
    assert complete
    if not found:
        assert not windows or not fits_somehow(windows, apertures), "there was a way"
    taken: set[int] = set()
    for entry in found:
        size, span = entry.window.size, apertures[entry.aperture]
        assert entry.base % size == 0
        assert span.base <= entry.base
        assert entry.base + size <= span.base + span.size
        assert entry.aperture in entry.window.apertures
        units = set(range(entry.base // 16, (entry.base + size) // 16))
        assert taken.isdisjoint(units)
        taken |= units


def fits_somehow(windows: list[Window], apertures: list[Span]) -> bool:
    """By trying every position of every window."""
    if not windows:
        return True
    first, rest = windows[0], windows[1:]
    starts = [
        (index, base)
        for index in first.apertures
        for base in range(apertures[index].base, apertures[index].base + apertures[index].size, 16)
        if base % first.size == 0 and base + first.size <= apertures[index].base + apertures[index].size
    ]
    for index, base in starts:
        span = apertures[index]
        parts = (Span(span.base, base - span.base), Span(base + first.size, span.base + span.size - base - first.size))
        for part in parts:
            others = [*apertures[:index], part, *apertures[index + 1 :], *(p for p in parts if p != part)]
            more = [
                Window(w.device, w.bar, w.size, (*w.apertures, *([len(others) - 1] if index in w.apertures else [])))
                for w in rest
            ]
            if fits_somehow(more, others):
                return True
            break
    return False


def test_memory_is_that_of_the_node_else_the_nearest(tmp_path: Path) -> None:
    cores = assemble(from_text(tmp_path), registry()).cores
    assert {core.id: core.memory for core in cores} == dict.fromkeys(range(6), "shared"), "all that all cores see"
    kept = "regions: []} => regions: [shared]}"
    assert [core.memory for core in assemble(from_text(tmp_path, see=SEE_ALL, kept=kept), registry()).cores] == [
        "m0", "m0", "m1", "m1", "m0", "m0",
    ]  # fmt: skip
    away = "nodes:\n  - {id: 0, cores: 0-1, regions: [m0]} => nodes:\n  - {id: 0, cores: 0-1, regions: []}"
    moved = [core.memory for core in assemble(from_text(tmp_path, see=SEE_ALL, kept=kept, away=away), registry()).cores]
    assert moved[:4] == ["m1", "m1", "m1", "m1"], "one link is nearer than a region of no node"


@pytest.mark.parametrize("name", ["paper-8x4-amd", "zcu102", "x86-qemu"])
def test_memory_of_the_first_boards_is_the_largest_of_the_node_that_all_see(name: str) -> None:
    board = load_board(name, sources=())
    topology = board.topology()
    spaces = {core.space for core in topology.cores}
    common = [
        region
        for region in sorted(topology.regions, key=lambda region: region.id)
        if region.kind != "device"
        and all(
            window.offset == 0 and window.size == region.size
            for space in spaces
            for window in topology.spaces.windows(space)
            if window.region == region.id
        )
        and all(topology.spaces.sees(space, region.id) for space in spaces)
    ]
    for core in assemble(board, Registry.load()).cores:
        own = [region for region in common if region.node == core.node and core.node >= 0]
        assert core.memory == max(own or common, key=lambda region: region.size).id


def test_cores_share_over_the_largest_cache_of_one_island(tmp_path: Path) -> None:
    groups = "sets: [0-1, 2-3]} => sets: [0-1, 2-3], size: 2M}\n  - {level: L2, sets: [0-1], size: 1M}\n"
    groups += "  - {level: L1, sets: [4-5], size: 32K}"
    assert placed(tmp_path, groups=groups) == {"sharing:0": "0-1", "sharing:2": "2-3"}
    split = "- {cores: 0-3, regions: [m0, m1]} => - {cores: 0-2, regions: [m0, m1]}\n  - {cores: 3, regions: []}"
    assert placed(tmp_path, groups=groups, split=split) == {"sharing:0": "0-1"}, "no replica across islands"


@pytest.mark.parametrize("name", [board.name for board in list_boards((), ())])
def test_placements_are_the_same_from_two_runs(name: str) -> None:
    board = load_board(name, sources=())
    one, two = assemble(board, Registry.load()), assemble(board, Registry.load())
    assert one.placements == two.placements
    assert [entry.slot for entry in one.placements if entry.slot.startswith("driver")] == [
        f"driver:{device.id}" for device in board.topology().devices
    ]


@pytest.mark.parametrize(
    ("slot", "chosen", "rule"),
    [
        ("driver:nic", "2", "placement.dl"),
        ("interrupt:nic:1", "3", "interrupts.dl"),
        ("pci:nic:0", "0xc0000000", "pci.dl"),
        ("memory:2", "m1", "memory.dl"),
        ("sharing:3", "2-3", "sharing.dl"),
    ],
)
def test_every_slot_has_a_reason(tmp_path: Path, slot: str, chosen: str, rule: str) -> None:
    nic = "{id: nic, cls: nic, near: 2-3, irqs: 2, msi: true, bridge: pci, bars: [{size: 4K}]}"
    board = from_text(
        tmp_path,
        add=devices(nic, PCI % LOW),
        see=SEE_ALL,
        groups="sets: [0-1, 2-3]} => sets: [0-1, 2-3], size: 2M}",
    )
    found = explained(know(board, registry()), slot)
    assert found.chosen == chosen
    assert [proof.rule.where.file for proof in found.proofs if proof.rule] == [f"multikernel/knowledge/policies/{rule}"]
    assert str(board.where("name")).rsplit(":", 2)[0] in {
        fact.source.where.rsplit(":", 2)[0] for proof in found.proofs for fact in proof.facts()
    }
