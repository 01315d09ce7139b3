"""What cannot be bound: the slot, what each candidate lacks, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel.assemble import assemble, know
from multikernel.errors import BindingError, PluginError
from multikernel.registry import Registry
from tests.binding.boards import from_text
from tests.binding.fakes import DRIVERS, TRANSPORTS, Plugins, driver, registry, transport

BOTH = (("one-phase", "shootdown"), ("two-phase", "shootdown"))


def bind(word: str) -> str:
    return f"bind: {word}\n"


@pytest.mark.parametrize(
    ("add", "plugins", "slot", "told"),
    [
        (
            "",
            Plugins(transports=()),
            "transport:hops:1",
            "slot transport:hops:1 (cores 0, 2): no installed plugin serves it\n"
            "  none of this kind is installed; mkit plugins list shows what is\n"
            "  known, not installed: lmp of multikernel-kit, ump of multikernel-kit, dma of multikernel-kit, ncring of "
            "multikernel-kit, mailbox of multikernel-kit, multi-hop of multikernel-kit",
        ),
        (
            "",
            Plugins(transports=TRANSPORTS[:2]),
            "transport:island:remote:big->small",
            "slot transport:island:remote:big->small (cores 0, 4): no installed plugin serves it\n"
            "  lmp needs same_core(0, 4), which is not of the form same_core(A, A)\n"
            '    core(0, "big"): asserted {file}:8:5\n'
            "  ump needs coherent(0, 4), where island(4, 0) does not hold\n"
            "    island(0, 0): asserted {file}:22:5\n"
            "    island(4, 1): asserted {file}:23:5\n"
            '    core(0, "big"): asserted {file}:8:5\n'
            "  known, not installed: dma of multikernel-kit, ncring of multikernel-kit, mailbox of multikernel-kit, "
            "multi-hop of multikernel-kit",
        ),
        (
            "",
            Plugins(drivers=(DRIVERS[0],)),
            "cpu-driver:small",
            "slot cpu-driver:small: no installed plugin serves it\n"
            '  x86-64 needs kind("small", "x86-64")\n'
            '    cpu_driver("x86-64", "x86-64"): asserted Plugins:0\n'
            '    kind("small", "armv7-r"): asserted {file}:6:16\n'
            "  known, not installed: armv7-r of multikernel-kit",
        ),
        (
            "",
            Plugins(drivers=(*DRIVERS, driver("other", "x86-64"))),
            "cpu-driver:big",
            "slot cpu-driver:big: other, x86-64 all serve it and nothing ranks them; name one under bind: in "
            "{file}:1:1, e.g. bind: {cpu-driver: {big: other}}",
        ),
        (
            "",
            Plugins(monitors=("in-kernel", "user-mode")),
            "monitor",
            "slot monitor: in-kernel, user-mode all serve it and nothing ranks them; name one under bind: in "
            "{file}:1:1, e.g. bind: {monitor: in-kernel}",
        ),
        (
            "",
            Plugins(protocols=BOTH),
            "consistency:shootdown",
            "slot consistency:shootdown: one-phase, two-phase all serve it and nothing ranks them; name one under "
            "bind: in {file}:1:1, e.g. bind: {consistency: {shootdown: one-phase}}",
        ),
        (
            bind("{monitor: usermode}"),
            Plugins(),
            "monitor",
            "slot monitor: {file}:28:17: usermode is not installed (did you mean user-mode?); user-mode would serve",
        ),
        (
            bind("{transport: {'shared:package': ncring}}"),
            Plugins(),
            "transport:shared:package",
            "slot transport:shared:package: {file}:28:38: ncring needs shares_uncached(0, 1), where ~coherent(0, 1) "
            "does not hold; ump would serve",
        ),
        (
            bind("{consistency: {capabilities: auto}}"),
            Plugins(),
            "consistency:capabilities",
            "slot consistency:capabilities: no installed plugin serves it\n"
            '  one-phase needs replicates("one-phase", "capabilities")\n'
            '    replicates("one-phase", "shootdown"): asserted Plugins:0',
        ),
        (
            bind("{skb: sqlite}"),
            Plugins(),
            "skb",
            "slot skb: {file}:28:13: sqlite is not installed; installed: pydatalog",
        ),
    ],
)
def test_a_slot_that_cannot_be_filled(tmp_path: Path, add: str, plugins: Plugins, slot: str, told: str) -> None:
    board = from_text(tmp_path, add=add)
    with pytest.raises(BindingError) as refused:
        assemble(board, registry(plugins=plugins))
    assert str(refused.value) == told.replace("{file}", board.where("name").rsplit(":", 2)[0])
    assert refused.value.slot == slot
    assert refused.value.exit_code == 5


def test_what_the_board_names_is_taken_where_it_serves(tmp_path: Path) -> None:
    slow = transport("slow", "coherent(A, B)", 90)
    plugins = Plugins((*TRANSPORTS, slow), monitors=("in-kernel", "user-mode"), protocols=BOTH)
    words = "{monitor: in-kernel, transport: {'hops:1': slow}, consistency: {shootdown: two-phase}}"
    board = from_text(tmp_path, add=bind(words))
    chosen = {entry.slot: entry.plugin for entry in assemble(board, registry(plugins=plugins)).bindings}
    assert chosen["monitor"] == "in-kernel"
    assert chosen["consistency:shootdown"] == "two-phase"
    assert (chosen["transport:hops:1"], chosen["transport:shared:package"]) == ("slow", "ump")


def test_one_name_for_all_transports_must_serve_all_pairs(tmp_path: Path) -> None:
    with pytest.raises(BindingError, match=r"board.yaml:28:19: ump needs coherent\(0, 4\).*; ncring would serve"):
        assemble(from_text(tmp_path, add=bind("{transport: ump}")), registry())


def test_a_facet_is_a_requirement_once_a_platform_is_named(tmp_path: Path) -> None:
    with pytest.raises(BindingError) as refused:
        assemble(from_text(tmp_path), registry(), "qemu")
    assert str(refused.value).splitlines()[-2:] == [
        "  x86-64 needs a facet for platform qemu",
        '    platform("qemu"): asserted --platform',
    ]


def test_an_object_only_protocols_speak_of_may_stay_unbound(tmp_path: Path) -> None:
    slots = [entry.slot for entry in assemble(from_text(tmp_path), registry(plugins=Plugins(protocols=()))).bindings]
    assert not [slot for slot in slots if slot.startswith("consistency")]


def test_no_backend_at_all(tmp_path: Path) -> None:
    with pytest.raises(BindingError, match="slot skb: none is installed; installed: none"):
        know(from_text(tmp_path), Registry.of(Plugins()))


@pytest.mark.parametrize(
    ("requires", "told"),
    [
        ("coherent(A, B", "Plugins:0:9: syntax: '(' was never closed"),
        ("coherant(A, B)", "no predicate 'coherant' is declared or derived (did you mean coherent?)"),
        ("coherent(A)", "arity: coherent has 2 columns, here 1"),
        ('node(A, "0")', "type: node(A, \"0\"): '0' is not int"),
    ],
)
def test_a_requirement_that_cannot_be_read_names_its_plugin(tmp_path: Path, requires: str, told: str) -> None:
    plugins = Plugins((*TRANSPORTS, transport("bad", requires, 1)))
    with pytest.raises(PluginError) as refused:
        assemble(from_text(tmp_path), registry(plugins=plugins))
    assert str(refused.value).startswith("in-memory: plugin 'bad': ")
    assert told in str(refused.value)


def test_memory_must_hold_the_channels(tmp_path: Path) -> None:
    board = from_text(tmp_path, small="size: 256K, to: shared => size: 4K, to: shared")
    with pytest.raises(BindingError, match="region shared has no room for a channel between cores 0 and 5"):
        assemble(board, registry())


def test_cores_without_common_memory_have_no_channel(tmp_path: Path) -> None:
    away = "  - {id: shared, kind: sram, size: 256K, base: 0x8000000}\n => "
    board = from_text(tmp_path, away=f"{away}  - {{id: shared, kind: sram, size: 256K}}\n")
    anything = Plugins((transport("any", "", 1),))
    with pytest.raises(BindingError, match="no memory is addressable from both core 0 and core 4"):
        assemble(board, registry(plugins=anything))
