"""The board made up: a mesh of any size."""

from __future__ import annotations

from itertools import pairwise

import pytest

import mk_boards
from multikernel import Multikernel, assemble
from multikernel.board import load_board
from multikernel.board.topology import Topology
from multikernel.errors import FileError
from multikernel.registry import Registry

SOURCES = Registry.of(mk_boards).board_dirs


def mesh(size: str) -> Topology:
    return load_board(f"mesh:{size}", sources=SOURCES).topology()


@pytest.mark.parametrize(
    ("size", "blocks"), [("1x1", 1), ("2x1", 1), ("8x8", 1), ("9x3", 2), ("16x8", 2), ("20x17", 9)]
)
def test_any_size(size: str, blocks: int) -> None:
    topology = mesh(size)
    width, height = map(int, size.split("x"))
    assert [core.id for core in topology.cores] == list(range(width * height))
    assert len(topology.nodes) == len(topology.regions) == blocks
    assert all(core.node >= 0 for core in topology.cores)
    assert {found.name for found in topology.classes()} == {row.cls for row in topology.latencies}


def test_blocks_are_joined_as_a_mesh() -> None:
    topology = mesh("24x16")  # three blocks wide, two high
    assert [(link.a, link.b) for link in topology.links] == [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]
    assert (topology.hops(0, 5), topology.pair_class(0, 63), topology.pair_class(0, 64)) == (
        3,
        "shared:block",
        "hops:1",
    )


def test_who_is_far_from_the_middle_takes_longer() -> None:
    topology = mesh("8x8")
    middle, corner = 3 * 8 + 3, 63
    assert topology.offset(middle) == 0
    assert topology.offset(corner) == 8 * topology.offset(middle + 1) == max(map(topology.offset, range(64)))
    near, far = topology.pair_latency(middle, middle + 1), topology.pair_latency(middle, corner)
    assert near is not None
    assert far is not None
    assert far - near == topology.offset(corner) - topology.offset(middle + 1)


def test_a_further_block_takes_longer_by_its_links() -> None:
    topology = mesh("64x8")
    stated = [topology.latency(name) for name in ("shared:block", *(f"hops:{n}" for n in range(1, 8)))]
    means = [row.mean for row in stated if row is not None]
    (time_of_a_link,) = {link.latency_ns for link in topology.links}
    assert {b - a for a, b in pairwise(means)} == {4 * time_of_a_link}
    assert len(means) == 8


@pytest.mark.parametrize(
    "size", ["", "x", "0x4", "4x0", "4", "4x", "-4x4", "4x4x4", "129x1", "9999x9999", "8X8", "٤x٤"]
)
def test_a_bad_size(size: str) -> None:
    with pytest.raises(
        FileError, match="after mesh: stand a width and a height, 1 to 128 each, as in mesh:16x8"
    ) as caught:
        load_board(f"mesh:{size}", sources=SOURCES)
    assert caught.value.code == "board-unknown"


def test_other_names_are_not_taken() -> None:
    with pytest.raises(FileError, match=r"no board 'mash:8x8'; did you mean mesh:8x8\?"):
        load_board("mash:8x8", sources=SOURCES)


def test_it_is_listed_in_the_readme() -> None:
    from multikernel.board.find import packaged_folder

    assert "`mesh:WxH`" in (packaged_folder() / "README.md").read_text()


def test_text_is_linear_in_cores() -> None:
    generate = SOURCES.get("mesh").generate
    assert generate is not None
    bytes_a_core = [len(generate(f"mesh:{side}x{side}") or "") / side**2 for side in (32, 64, 128)]
    assert max(bytes_a_core) < 1.1 * min(bytes_a_core)


@pytest.mark.parametrize(
    ("size", "cores", "classes"), [("20x9", 180, 4), pytest.param("64x64", 4096, 15, marks=pytest.mark.slow)]
)
def test_it_boots(size: str, cores: int, classes: int) -> None:
    """How long that takes: `tests/benchmarks/scale.py`."""
    blueprint = assemble(f"mesh:{size}")
    assert (len(blueprint.cores), len(blueprint.channels), len(blueprint.pair_classes)) == (cores, cores - 1, classes)
    with Multikernel(blueprint).boot("sim") as kernel:
        assert {core.state for core in kernel.cores()} == {"joined"}
        assert kernel.run("ping", rounds=1, messages=8).column("class") == [
            *(pair.name for pair in blueprint.pair_classes),
            "self",
        ]
