"""Where things are put, and the tables that say so; no tool needed."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from mk_qemu.layout import CORE_PAGES, IMAGE, PAGE, channel_bytes, place
from mk_qemu.tables import NOBODY, Program, core_tables, driver_script
from multikernel.blueprint import Blueprint, Memory
from multikernel.errors import PlatformError
from tests.metal.machines import MIB, SLOTS, channel, four_cores, with_broken_core

PROGRAMS = (Program("monitor", False), Program("ping", True))


def rows(text: str, table: str) -> list[list[str]]:
    """The rows of a generated table, split at commas, braces left out."""
    body = re.search(rf" {table}\[\] = {{\n(.*?)}};", text, re.DOTALL)
    assert body is not None
    return [re.sub(r"[{}\s]", "", line).rstrip(",").split(",") for line in body[1].splitlines()]


def tables(blueprint: Blueprint) -> str:
    return core_tables(blueprint, place(blueprint), PROGRAMS)


def test_every_core_has_a_row_with_its_apic_id_and_way_to_start() -> None:
    found = rows(tables(four_cores()), "mk_cores")
    assert [row[:4] for row in found] == [
        ["0", "0", "MK_START_BOOT", "0x0"],
        ["1", "1", "MK_START_SIPI", "0x0"],
        ["2", "2", "MK_START_SIPI", "0x1"],
        ["3", "3", "MK_START_SIPI", "0x1"],
    ]
    assert {tuple(row[-2:]) for row in found} == {('"x86-64"', '"x86-64"')}


def test_channels_stand_where_the_blueprint_says_for_each_side() -> None:
    base = four_cores()
    moved = replace(base.channels[1], address_a=0x123_4000, address_b=0x567_8040)
    blueprint = replace(base, channels=(base.channels[0], moved, base.channels[2]))
    found = rows(tables(blueprint), "mk_channels")
    assert [tuple(int(word, 0) for word in row) for row in found] == [
        (0, 0, 1, SLOTS, 0x100_0000, 0x100_0000),
        (1, 0, 2, SLOTS, 0x123_4000, 0x567_8040),
        (2, 0, 3, SLOTS, 0x100_2000, 0x100_2000),
    ]


def test_a_core_is_a_row_whatever_the_boards_numbers() -> None:
    base = four_cores()
    names = {0: 10, 1: 11, 2: 12, 3: 13}
    blueprint = replace(
        base,
        cores=tuple(replace(core, id=names[core.id]) for core in base.cores),
        channels=tuple(replace(c, a=names[c.a], b=names[c.b]) for c in base.channels),
        pair_classes=tuple(replace(c, src=names[c.src], dst=names[c.dst]) for c in base.pair_classes),
        boot_core=10,
    )
    text = tables(blueprint)
    assert [row[0] for row in rows(text, "mk_cores")] == ["10", "11", "12", "13"]
    assert [row[1:3] for row in rows(text, "mk_channels")] == [["0", "1"], ["0", "2"], ["0", "3"]]


def test_nothing_overlaps_and_all_lies_in_memory() -> None:
    blueprint = four_cores()
    layout = place(blueprint)
    taken = [(layout.image, layout.image + IMAGE), (layout.trampoline, layout.trampoline + PAGE)]
    taken += [(at, at + CORE_PAGES * PAGE) for at in layout.memory]
    taken += [(w.address_a, w.address_a + channel_bytes(w.slots)) for w in (*layout.wires, *layout.class_wires)]
    taken.sort()
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(taken))
    assert all(not (low < MIB and high > 0xA_0000) for low, high in taken)
    assert taken[-1][1] <= 128 * MIB


def test_each_core_lives_in_its_nodes_memory() -> None:
    layout = place(four_cores())
    assert [at // (64 * MIB) for at in layout.memory] == [0, 0, 1, 1]


@pytest.mark.parametrize(("home", "node"), [("receiver", 1), ("sender", 0), ("region:dram1", 1), ("region:dram0", 0)])
def test_a_programs_channel_lies_at_its_home_on_pages_of_its_own(home: str, node: int) -> None:
    base = four_cores()
    blueprint = replace(base, pair_classes=(replace(base.pair_classes[1], home=home),))
    (wire,) = place(blueprint).class_wires
    assert wire.address_a == wire.address_b
    assert (wire.address_a // (64 * MIB), wire.address_a % PAGE) == (node, 0)


def test_a_class_uses_the_blueprints_channel_if_that_has_its_pages_for_itself() -> None:
    base = four_cores()
    own = channel(3, 1, 2, "hops:1")
    far = replace(base.pair_classes[1], src=1, dst=2)
    blueprint = replace(base, pair_classes=(far,), channels=(*base.channels, own))
    assert place(blueprint).class_wires[0].address_a == own.address_a
    shared = replace(own, address_a=base.channels[2].address_a + 2048, address_b=base.channels[2].address_a + 2048)
    crowded = replace(blueprint, channels=(*base.channels, shared))
    assert place(crowded).class_wires[0].address_a != shared.address_a


def test_what_is_in_the_way_of_the_image_moves_it() -> None:
    base = four_cores()
    low = replace(base.channels[0], address_a=MIB, address_b=MIB)
    layout = place(replace(base, channels=(low, *base.channels[1:])))
    assert layout.image == MIB + PAGE
    assert f". = {layout.image:#x};" in driver_script(layout)


def test_a_core_that_fails_is_addressed_where_nobody_is() -> None:
    found = rows(tables(with_broken_core(four_cores(), 2)), "mk_cores")
    assert [row[1] for row in found] == ["0", "1", str(NOBODY), "3"]


def test_same_blueprint_same_bytes() -> None:
    assert tables(four_cores()) == tables(four_cores())


def test_empty_tables_are_still_c() -> None:
    text = tables(replace(four_cores(), pair_classes=(), boot=("shell",)))
    assert "const struct mk_class mk_classes[1] = {0};\nconst uint32_t mk_class_count = 0;" in text
    assert "const uint32_t mk_boot[1] = {0};\nconst uint32_t mk_boot_count = 0;" in text


BASE = four_cores()
BAD = [
    (
        replace(BASE, kinds=(replace(BASE.kinds[0], isa="armv8-a"),)),
        "core 0 is armv8-a; images are built for x86-64 alone, run this board with --platform sim",
    ),
    (
        replace(BASE, cores=(*BASE.cores[:3], replace(BASE.cores[3], start="psci"))),
        "core 3 starts by 'psci'; here it must be 'sipi'",
    ),
    (replace(BASE, channels=BASE.channels[:2]), "the blueprint has no channel between core 3 and the boot core"),
    (
        replace(BASE, channels=(replace(BASE.channels[0], address_b=0xF_0000), *BASE.channels[1:])),
        r"channel 0 \(0->1\) at 0xf0000 does not lie on lines of memory from 0x1000 to 0x6f000000, outside 0xa0000",
    ),
    (
        replace(BASE, channels=(replace(BASE.channels[0], address_a=0x800_0000), *BASE.channels[1:])),
        r"channel 0 \(0->1\) at 0x8000000 does not lie",
    ),
    (
        replace(BASE, channels=(replace(BASE.channels[0], transport="mailbox"), *BASE.channels[1:])),
        "channel 0 is by 'mailbox', which has no C facet; bind ump",
    ),
    (
        replace(BASE, memory=(Memory("low", "dram", 0, MIB, 0), Memory("dram0", "dram", 16 * MIB, 2 * MIB, 0))),
        r"no room for core 1's own memory .* give the board a larger region",
    ),
    (
        replace(BASE, cores=(replace(BASE.cores[0], hardware_id=4), *BASE.cores[1:])),
        "boot core 0 has APIC id 4; QEMU boots the one with id 0",
    ),
    (
        replace(BASE, cores=tuple(replace(BASE.cores[0], id=i, start="sipi" if i else "boot") for i in range(65))),
        "an image holds 64 cores, the board has 65",
    ),
]


@pytest.mark.parametrize(("blueprint", "message"), BAD, ids=[message[:32] for _, message in BAD])
def test_a_blueprint_this_platform_cannot_build_is_refused(blueprint: Blueprint, message: str) -> None:
    with pytest.raises(PlatformError, match=message):
        place(blueprint)
