"""No pair of cores is bound otherwise than its own facts say: checked pair by pair, on small boards, against the
decision for the class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multikernel import Multikernel
from multikernel.assemble import Knowledge, assemble, know
from multikernel.binding import partition as partitions
from multikernel.binding.partition import Partition
from multikernel.binding.reads import reads
from multikernel.board import Board, load_board
from multikernel.board.find import list_boards
from multikernel.errors import BindingError
from multikernel.hookspecs import hookimpl
from multikernel.registry import Registry
from multikernel.spec import TransportSpec
from tests.binding.boards import from_text, texts
from tests.binding.fakes import TRANSPORTS, Plugins, registry, transport

WOKEN = transport("woken", 'coherent(A, B) & notify(A, B, "mailbox")', 1)
ANY = transport("any", "", 99)
PICKY = (*TRANSPORTS, WOKEN, ANY)
ALL = "{src: 0-5, dst: 0-5, via: mailbox}"
ONLY = f"{ALL} => {{src: 0-5, dst: 0-2, via: mailbox}}\n  - {{src: 0-5, dst: 0-5, via: slow}}"
ONE_WAY = f"{ALL} => {{src: 3, dst: 0, via: mailbox}}\n  - {{src: 0-5, dst: 0-5, via: slow}}"
SEEN = 'coherent(A, B) & shares_memory(A, B, R) & region(R, "dram", B2) & (B2 > 700000)'


class Offering:
    """A plugin of one transport."""

    multikernel_api = 1

    def __init__(self, spec: TransportSpec) -> None:
        self._spec = spec

    @hookimpl
    def transports(self) -> Iterator[TransportSpec]:
        yield self._spec


def own_decision(known: Knowledge, a: int, b: int) -> tuple[str, str]:
    """Transport and home of one pair, from its own facts."""
    ((transport_name,),) = known.skb.query(f"transport_of({a}, {b}, T)").rows
    home, region = known.skb.query(f"home({a}, {b}, H, R)").rows[0]
    return str(transport_name), f"region:{region}" if home == "region" else str(home)


def check_pairs(board: Board, plugins: Registry, cores: Sequence[int] = ()) -> Partition:
    """The partition of a board, of which every pair of these cores (none: of all) was looked at."""
    known = know(board, plugins)
    parts = known.slots.partition()
    classes = {count.name: own_decision(known, count.src, count.dst) for count in parts.classes}
    topology = board.topology()
    looked_at = cores or [core.id for core in topology.cores]
    counted = dict.fromkeys(classes, 0)
    for a in looked_at:
        for b in looked_at:
            if a != b:
                name = parts.name(topology.pair_class(a, b), a, b)
                counted[name] += 1
                assert own_decision(known, a, b) == classes[name], f"{a}->{b} of {name}"
    if not cores:
        assert counted == {count.name: count.pairs for count in parts.classes}
    return parts


@st.composite
def woken_texts(draw: st.DrawFn) -> str:
    """A board on which all cores can wake some."""
    text = draw(texts())
    count = 1 + max(int(number) for number in re.findall(r"[0-9]+", text.partition("groups")[0].partition("cores")[2]))
    woken = draw(st.lists(st.integers(0, count - 1), unique=True, min_size=1))
    return text + f"notify: [{{src: 0-{count - 1}, dst: {woken}, via: mailbox}}]\n"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(woken_texts())
def test_no_pair_differs_from_its_own_decision(text: str) -> None:
    told = transport("told", 'notify(A, B, "mailbox")', 2)
    with TemporaryDirectory() as folder:
        check_pairs(from_text(Path(folder), text), registry(plugins=Plugins((*PICKY, told))))


@pytest.mark.parametrize("name", [board.name for board in list_boards((), ())])
def test_nor_on_the_shipped_boards(name: str) -> None:
    board = load_board(name, sources=())
    plugins = registry(plugins=Plugins((*PICKY, transport("large", SEEN, 2))))
    cores = [core.id for core in board.topology().cores]
    check_pairs(board, plugins, cores[:2] + cores[len(cores) // 2 :: len(cores) // 2][:1] + cores[-2:])


def test_a_class_is_split_where_only_some_cores_can_be_woken(tmp_path: Path) -> None:
    board = from_text(tmp_path, only=ONLY)
    plugins = registry(plugins=Plugins(PICKY))
    parts = check_pairs(board, plugins)
    blueprint = assemble(board, plugins)
    told = {entry.name: (entry.pairs, entry.src, entry.dst, entry.transport) for entry in blueprint.pair_classes}
    assert (told["hops:1"], told["hops:1~1"]) == ((4, 0, 2, "woken"), (4, 0, 3, "ump"))
    assert (told["shared:package"], told["shared:package~1"]) == ((2, 0, 1, "woken"), (2, 2, 3, "ump"))
    assert "transport:hops:1~1" in [entry.slot for entry in blueprint.bindings]
    channels = {(channel.a, channel.b): channel.transport for channel in blueprint.channels}
    assert (channels[0, 2], channels[0, 3]) == ("woken", "ump")
    for a in blueprint.cores:
        for b in blueprint.cores:
            own = parts.name(blueprint.pair_class(a, b), a.id, b.id)
            assert blueprint.bound_class(a, b) == own, "at run time as at assembly"


def test_what_serves_one_way_serves_no_channel(tmp_path: Path) -> None:
    """Core 3 can wake core 0, and is not woken by it."""
    board = from_text(tmp_path, only=ONE_WAY)
    blueprint = assemble(board, registry(plugins=Plugins(PICKY)))
    assert "woken" not in {entry.transport for entry in blueprint.pair_classes}


def test_a_name_for_a_class_is_for_all_its_parts(tmp_path: Path) -> None:
    plugins = registry(plugins=Plugins(PICKY))
    named = from_text(tmp_path, only=ONLY, add="bind: {transport: {'hops:1': ump}}\n")
    classes = {entry.name: entry.transport for entry in assemble(named, plugins).pair_classes}
    assert classes["hops:1"] == "ump"
    assert "hops:1~1" not in classes, "all alike again"
    told = r'transport:hops:1~1: .*board.yaml:29:30: woken needs notify\(0, 3, "mailbox"\)'
    with pytest.raises(BindingError, match=told):
        assemble(from_text(tmp_path, only=ONLY, add="bind: {transport: {'hops:1': woken}}\n"), plugins)


def test_a_split_class_boots(tmp_path: Path) -> None:
    """Through the kernel: cores of one class speak by two transports."""
    text = (tmp_path / "split.yaml").resolve()
    wakes = "[{src: 0-3, dst: 0-2, via: ipi}, {src: 0-3, dst: 0-3, via: slow}]"
    text.write_text(f"extends: x86-qemu\nname: split\nnotify: {wakes}\n")
    ump = Registry.load().transports.get("ump")
    again = replace(ump, name="ump-woken", requires='coherent(A, B) & notify(A, B, "ipi")', rank=1)
    plugins = Registry.load(Offering(again))
    blueprint = assemble(str(text), plugins, "sim")
    assert {entry.transport for entry in blueprint.pair_classes} == {"ump", "ump-woken"}
    with Multikernel(blueprint, plugins).boot("sim") as kernel:
        assert {core.state for core in kernel.cores()} == {"joined"}
        kernel.run("ping")


def test_a_requirement_that_compares_cores_is_found_out(tmp_path: Path) -> None:
    third = transport("third", "coherent(A, B) & (A != 1) & (B != 1)", 1)
    parts = check_pairs(from_text(tmp_path), registry(plugins=Plugins((*PICKY, third))))
    told = {count.name: (count.pairs, count.src, count.dst) for count in parts.classes}
    assert (told["hops:1"], told["hops:1~1"]) == ((4, 0, 2), (4, 1, 2))


def test_too_many_kinds_of_pairs_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "LIMIT", 10)
    third = transport("third", "coherent(A, B) & (A != 1) & (B != 1)", 1)
    with pytest.raises(BindingError, match="the rules tell apart more than 10 kinds of pairs, that of cores"):
        assemble(from_text(tmp_path), registry(plugins=Plugins((*PICKY, third))))


def test_what_is_read_of_a_core_are_the_facts_its_rules_ask(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry())
    goals = (("transport_candidate", ("a", "b", "", "")),)
    found = reads(known.skb.program, known.skb.schema, goals)
    assert {predicate for predicate, _ in found.a} >= {"core", "island", "space"}
    assert not found.a_itself
    assert reads(known.skb.program, known.skb.schema, (("home", ("a", "b", "", "")),)).b != found.b
