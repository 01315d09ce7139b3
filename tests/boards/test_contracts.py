"""Contracts of both sides of a channel: the checker against a decoding of every byte, and what a board fixes against
what is assembled."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel import Multikernel, assemble, interfaces, load_board
from multikernel.board import Board
from multikernel.board.contracts import LINE, Contract, Side, breaches, needs
from multikernel.board.topology import Topology
from multikernel.errors import BindingError, PeerError
from multikernel.interfaces import BootOptions
from multikernel.registry import Registry
from multikernel.system import ring
from multikernel.system.layout import Layout
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import Programs

SIZE = 64
"""Bytes of each region of the made boards."""
PLACE = {"contract-address", "contract-window"}


def board(maps: dict[str, list[dict[str, int | str]]], overlay: bool) -> Topology:
    """Cores 0 and 1 look at three regions through the spaces `a` and `b`, over `phys` or over nothing."""
    spaces = {name: {"bits": 9, "maps": rows} for name, rows in maps.items()}
    if overlay:
        spaces["b"]["overlay"] = "phys"
    return Board.model_validate(
        {
            "schema": "board/1",
            "name": "made",
            "summary": "s",
            "kinds": {"k": {"isa": "x", "mhz": 1}},
            "cores": [{"ids": 0, "kind": "k", "space": "a"}, {"ids": 1, "kind": "k", "space": "b"}],
            "regions": [{"id": name, "size": SIZE, "base": None} for name in ("r0", "r1", "r2")],
            "spaces": spaces,
        }
    ).topology()


@st.composite
def placements(draw: st.DrawFn) -> tuple[Topology, Contract, dict[str, list[dict[str, int | str]]], bool]:
    """A board and a channel on it.  Pieces of a region often lie one behind the other, as they are at home."""
    maps: dict[str, list[dict[str, int | str]]] = {}
    for name in ("phys", "a", "b"):
        cuts = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=6, unique=True)))
        rows: list[dict[str, int | str]] = []
        for low, high in pairwise(cuts):
            to = draw(st.sampled_from(["r0", "r0", "r1"]))
            at = draw(st.sampled_from([0, low, low, low + 1]))
            rows.append({"base": 8 * low, "size": 8 * (high - low), "to": to, "at": 8 * at})
        maps[name] = rows
    overlay = draw(st.booleans())
    size = draw(st.sampled_from([8, 16, 40]))
    region, offset = draw(st.sampled_from(["r0", "r1"])), 8 * draw(st.integers(0, 8))

    def side(core: int, name: str) -> Side:
        good = [at for at in range(256) if naive(maps, overlay, name, at) == (region, offset)]
        return Side(core, draw(st.sampled_from([*good, *good, 8 * draw(st.integers(0, 31))])))

    stated = offset if draw(st.booleans()) else -1
    return board(maps, overlay), Contract(region, stated, size, 1, "auto", side(0, "a"), side(1, "b")), maps, overlay


def naive(
    maps: dict[str, list[dict[str, int | str]]], overlay: bool, name: str, address: int
) -> tuple[str, int] | None:
    """One address by the rows of the file."""
    for row in maps[name]:
        if int(row["base"]) <= address < int(row["base"]) + int(row["size"]):
            return str(row["to"]), address - int(row["base"]) + int(row["at"])
    return naive(maps, overlay, "phys", address) if name == "b" and overlay else None


@given(placements())
@settings(max_examples=400, deadline=None)
def test_it_accepts_what_both_sides_decode_byte_by_byte_to_the_same(
    made: tuple[Topology, Contract, dict[str, list[dict[str, int | str]]], bool],
) -> None:
    topology, contract, maps, overlay = made
    told = [breach for breach in breaches(topology, contract) if breach.code in PLACE]
    views = [
        [naive(maps, overlay, name, side.address + byte) for byte in range(contract.size)]
        for name, side in (("a", contract.a), ("b", contract.b))
    ]
    first = views[0][0][1] if contract.offset < 0 and views[0][0] else contract.offset
    wanted = [(contract.region, first + byte) for byte in range(contract.size)]
    assert (told == []) == (views == [wanted, wanted])
    assert {breach.path[0] for breach in told} <= {
        name for name, view in zip("ab", views, strict=True) if view != wanted
    }


def test_the_ring_needs_what_the_kit_s_ring_has() -> None:
    assert LINE == interfaces.LINE
    assert [needs(slots) for slots in (1, 16)] == [2 * ring.direction(slots) * LINE for slots in (1, 16)]


FIXED = """
extends: zcu102
name: fixed
channels:
  - region: ocm
    size: 8K
    slots: 30
    a: {core: 0, address: 0xfffc2000, line: 64, cached: true, endian: little, doorbell: true}
    b: {core: 4, address: 0xfffc2000, line: 32, cached: false, endian: little, doorbell: true}
  - region: ddr
    offset: 0x10000000
    size: 12K
    slots: 16
    a: {core: 5, address: 0x10100000}
    b: {core: 2, address: 0x10100000, cached: true}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "fixed.yaml"
    path.write_text(text)
    return str(path)


def test_a_fixed_channel_is_placed_there(tmp_path: Path) -> None:
    path = write(tmp_path, FIXED)
    channels = {(c.a, c.b): c for c in assemble(path).channels}
    first = channels[0, 4]
    assert (first.region, first.offset, first.slots) == ("ocm", 0x2000, 30)
    assert (first.address_a, first.address_b) == (0xFFFC2000, 0xFFFC2000)
    second = channels[5, 2]
    assert (second.region, second.offset, second.pair_class) == ("ddr", 0x10000000, "island:remote:r5->a53")
    assert (2, 5) not in channels
    assert len(load_board(path).channels) == 2


def test_nothing_else_is_placed_on_what_is_fixed(tmp_path: Path) -> None:
    fixed = 2047 << 20  # the end of ddr, where channels are placed first
    text = FIXED.replace("offset: 0x10000000", f"offset: {fixed - 0x4000:#x}")
    text = text.replace("0x10100000", f"{fixed - 0x4000 + 0x100000:#x}").replace("size: 12K", "size: 8K")
    spans = sorted((c.region, c.offset, 2 * (c.slots + 1) * 64) for c in assemble(write(tmp_path, text)).channels)
    assert ("ddr", fixed - 0x4000, 2 * 17 * 64) in spans
    assert all(one[0] != two[0] or one[1] + one[2] <= two[1] for one, two in pairwise(spans))
    high = [span for span in spans if span[0] == "ddr"][-1]
    assert high[1] == fixed - 0x1000, "the page above it is used"
    assert not [span for span in spans if span[0] == "ddr" and fixed - 0x4000 < span[1] < fixed - 0x2000]


LOW = """
extends: zcu102
name: low
channels:
  - region: ddr
    offset: 0x1000
    size: 8K
    slots: 30
    a: {core: 0, address: 0x101000, cached: true, doorbell: true}
    b: {core: 4, address: 0x101000, cached: false, doorbell: true}
"""


@pytest.mark.parametrize("text", [FIXED, LOW])
def test_kernels_talk_over_a_fixed_channel(tmp_path: Path, text: str) -> None:
    kernel = Multikernel(assemble(write(tmp_path, text)))
    with kernel.boot("sim"):
        assert {core.state for core in kernel.cores()} == {"joined"}


async def asks_both(dispatcher: Dispatcher) -> tuple[()]:
    """Cores 2 and 5 ask each other for a service that neither has, core `first` first."""
    listener = await dispatcher.export("asks")
    first = int(dispatcher.environment.parameter("first", "0"))
    for core in (first, 7 - first):
        await dispatcher.spawn_on(core, "asks", 7 - core)
        channel = await listener.accept()
        assert await channel.recv() == f"core {7 - core} has no service 'nothing'".encode()
    return ()


async def asks(dispatcher: Dispatcher) -> tuple[()]:
    channel = await dispatcher.connect(0, "asks")
    with pytest.raises(PeerError) as refusal:
        await dispatcher.connect(dispatcher.argument, "nothing")
    await channel.send(str(refusal.value).encode())
    return ()


@pytest.mark.parametrize("first", [2, 5])
def test_monitors_meet_where_the_board_fixes_it(tmp_path: Path, first: int) -> None:
    """Whoever asks first, side a is core 5: what is for core 2 comes in the first half."""
    blueprint, trace = assemble(write(tmp_path, FIXED), platform="sim"), tmp_path / "trace"
    programs = Registry.load(Programs({"main": asks_both, "asks": asks}))
    with Multikernel(blueprint, programs).boot("sim", BootOptions(trace=str(trace))) as kernel:
        kernel.run("main", first=first)
    ddr = next(memory.base for memory in blueprint.memory if memory.region == "ddr")
    begin, half = (ddr + 0x10000000) // LINE, ring.direction(16)
    got: dict[int, list[int]] = {2: [], 5: []}
    for row in map(json.loads, trace.read_text().splitlines()):
        if begin <= row["line"] < begin + 2 * half:
            got[row["core"]].append(row["line"] - begin)
    assert got[2]
    assert max(got[2]) < half, "what core 5 writes, and core 2 acknowledges elsewhere"
    assert got[5]
    assert min(got[5]) >= half


def test_no_memory_is_given_out_where_a_channel_is_fixed(tmp_path: Path) -> None:
    blueprint = assemble(write(tmp_path, LOW))
    layout = Layout(blueprint)
    ddr = next(memory.base for memory in blueprint.memory if memory.region == "ddr")
    spans = [(ddr + c.offset, 2 * (c.slots + 1) * LINE) for c in blueprint.channels if c.region == "ddr"]
    spans += [(arena.base, arena.size) for core in blueprint.cores for arena in layout.areas(core.id)]
    spans += [(pool.base, pool.size) for pool in layout.pools]
    assert len(layout.pools) == 1
    assert all(low + size <= high for (low, size), (high, _) in pairwise(sorted(spans)))
    assert min(arena.base for core in blueprint.cores for arena in layout.areas(core.id)) == ddr + 0x2000


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "slots: 30",
            "slots: 30\n    transport: ump",
            "is fixed to be ump, and class island:remote:a53->r5 is bound to",
        ),
        ("name: fixed", "name: fixed\nbind: {transport: {'island:remote:a53->r5': mailbox}}", "shares no memory"),
    ],
)
def test_a_transport_that_does_not_fit_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = write(tmp_path, FIXED.replace(old, new))
    with pytest.raises(BindingError, match=told) as caught:
        assemble(path)
    assert caught.value.slot == "channel:0->4"
    assert f"{path}:" in caught.value.message
