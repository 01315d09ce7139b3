"""The tree of gateways: who is reached through whom, what nobody reaches, and that a blueprint says so."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from multikernel import assemble
from multikernel.errors import BindingError
from multikernel.registry import Registry
from multikernel.system.layout import Layout
from multikernel.system.routes import Routes
from tests.circuits.boards import CARDS, CHAIN
from tests.promises.kernels import blueprint, boot


@pytest.mark.parametrize(
    ("board", "tree"),
    [
        (CHAIN, {0: 0, 1: 0, 2: 1, 3: 2}),
        (CARDS, dict.fromkeys(range(6), 0)),
        ("paper-8x4-amd", dict.fromkeys(range(32), 0)),
        ("zcu102", dict.fromkeys(range(6), 0)),
    ],
)
def test_a_core_is_reached_through_the_nearest_that_serves_it(board: str, tree: dict[int, int]) -> None:
    bound = blueprint(board)
    assert {core.id: core.gateway for core in bound.cores} == tree
    assert [(channel.a, channel.b) for channel in bound.channels if channel.a == tree[channel.b]][: len(tree) - 1] == [
        (through, core) for core, through in tree.items() if core
    ]


def edited(tmp_path: Path, change: Callable[[str], str]) -> str:
    """The chain with its text changed."""
    path = tmp_path / "chain.yaml"
    path.write_text(change(Path(CHAIN).read_text()))
    return str(path)


def ring(text: str) -> str:
    """Core 3 shares memory with core 0 too."""
    window = "{base: 0x43000000, size: 16M, to: w30}"
    last = "{base: 0x42000000, size: 16M, to: w23}"
    for old, new in (
        ("  - {id: w23,", "  - {id: w30, kind: sram, size: 16M}\n  - {id: w23,"),
        (f"{last}\n  s0", f"{last}\n      - {window}\n  s0"),
        (
            "own0}, {base: 0x40000000, size: 16M, to: w01}]",
            f"own0}}, {{base: 0x40000000, size: 16M, to: w01}}, {window}]",
        ),
        (f"own3}}, {last}]", f"own3}}, {last}, {window}]"),
        ("{a: node2, b: node3, kind: pcie}]", "{a: node2, b: node3, kind: pcie}, {a: node3, b: node0, kind: pcie}]"),
        ('    - {cls: "island:hops:3", mean: 1500, sd: 0, status: assumed, source: made}\n', ""),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def test_of_two_ways_of_a_length_the_one_over_the_least_core_is_taken(tmp_path: Path) -> None:
    bound = assemble(edited(tmp_path, ring), platform="sim")
    assert {core.id: core.gateway for core in bound.cores} == {0: 0, 1: 0, 2: 1, 3: 0}


def test_a_core_known_to_fail_is_no_gateway_if_another_is(tmp_path: Path) -> None:
    def change(text: str) -> str:
        return ring(text).replace("space: s1, start: fork}", "space: s1, start: fork, fails: broken}")

    bound = assemble(edited(tmp_path, change), platform="sim")
    assert {core.id: core.gateway for core in bound.cores} == {0: 0, 1: 0, 2: 3, 3: 0}


def test_pairs_that_nothing_serves_directly_are_circuits() -> None:
    bound = blueprint(CHAIN)
    routes = Routes(bound)
    for a in bound.cores:
        for b in bound.cores:
            pair = routes.transport(a.id, b.id)
            wanted = ("lmp", "ncring", "multi-hop", "multi-hop")[abs(a.id - b.id)]
            assert (pair.transport, pair.scope) == (wanted, "circuit" if wanted == "multi-hop" else "channel")


def test_without_a_transport_that_relays_the_board_is_refused() -> None:
    import mk_armv7r
    import mk_armv8
    import mk_lmp
    import mk_monitor
    import mk_ncring
    import mk_pydatalog
    import mk_shootdown
    import mk_ump
    import mk_x86_64

    installed = (mk_armv7r, mk_armv8, mk_lmp, mk_monitor, mk_ncring, mk_pydatalog, mk_shootdown, mk_ump, mk_x86_64)
    with pytest.raises(BindingError, match=r"island:hops:2 \(cores 0, 2\): no installed plugin serves it"):
        assemble(CHAIN, Registry.of(*installed), "sim")


def test_a_core_that_nothing_serves_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    def change(text: str) -> str:
        return text.replace(", {base: 0x42000000, size: 16M, to: w23}]\ncoherence", "]\ncoherence")

    with pytest.raises(BindingError) as refused:
        assemble(edited(tmp_path, change), platform="sim")
    told = str(refused.value)
    assert told.startswith("core 3 has no way to boot core 0: no transport serves it")
    assert "multi-hop needs routed(0, 3)" in told
    assert "ncring needs shares_uncached(0, 3)" in told


def test_the_next_hop_is_down_if_the_target_is_below_and_up_otherwise() -> None:
    routes = Routes(blueprint(CHAIN))
    assert [routes.next_hop(here, target) for here, target in ((0, 3), (1, 3), (2, 3), (3, 0), (2, 0), (1, 2))] == [
        1, 2, 3, 2, 1, 2,
    ]  # fmt: skip
    assert [list(routes.children(core)) for core in range(4)] == [[1], [2], [3], []]
    cards = Routes(blueprint(CARDS))
    assert [cards.next_hop(2, 5), cards.next_hop(0, 5), cards.next_hop(5, 2)] == [0, 5, 0]


@pytest.mark.parametrize("board", [CHAIN, CARDS])
def test_what_two_cores_share_lies_where_both_see_it(board: str) -> None:
    bound = blueprint(board)
    layout, routes = Layout(bound), Routes(bound)
    areas = [area for core in bound.cores for area in layout.areas(core.id)]
    ends = sorted((area.base, area.base + area.size) for area in areas)
    assert all(first[1] <= second[0] for first, second in pairwise(ends))
    for a in bound.cores:
        assert layout.sees(a.id, layout.arena(a.id).base, layout.arena(a.id).size)
        for b in bound.cores:
            if a.id != b.id and routes.transport(a.id, b.id).scope == "channel":
                area = layout.areas(a.id)[layout.between(a.id, b.id)]
                assert layout.sees(a.id, *area)
                assert layout.sees(b.id, *area)
                assert area.base < layout.bell(a.id, 1, b.id) < area.base + area.size


def test_a_board_may_have_a_class_relayed_that_could_be_served(tmp_path: Path) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text('extends: paper-8x4-amd\nname: asked\nbind: {transport: {"hops:2": multi-hop}}\n')
    bound = assemble(str(path), platform="sim")
    assert {core.id: core.gateway for core in bound.cores if core.gateway} == dict.fromkeys(range(12, 20), 4)
    with boot(bound, {}) as kernel:
        rows = kernel.run("conform", messages=40)
        assert dict(zip(rows.column("class"), rows.column("transport"), strict=True))["hops:2"] == "multi-hop"
        assert kernel.run("unmap", pages=1).stale_hits == 0


def test_a_board_that_has_every_way_relayed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text("extends: x86-qemu\nname: asked\nbind: {transport: multi-hop}\n")
    with pytest.raises(BindingError, match="core 1 has no way to boot core 0"):
        assemble(str(path), platform="sim")
