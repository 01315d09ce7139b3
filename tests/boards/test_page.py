"""docs/board.md holds: its board loads, its overlay and program do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from multikernel.board import Board, load_board
from multikernel.board.codes import CODES
from multikernel.board.cores import CoreRow, KindRow, Section
from multikernel.board.wires import (
    ApertureRow,
    BarRow,
    ChannelRow,
    DeviceRow,
    LatencyMatrixRow,
    LatencyRow,
    MapRow,
    NotifyRow,
    OffsetRow,
    SideRow,
)

PAGE = (Path(__file__).parents[2] / "docs/board.md").read_text()
WIDE = [
    KindRow, CoreRow, MapRow, NotifyRow, DeviceRow, BarRow, ApertureRow, ChannelRow, SideRow, LatencyRow, OffsetRow,
    LatencyMatrixRow,
]  # fmt: skip
BLOCKS = [dedent(block) for block in re.findall(r"(?:^(?:    .*)?\n)+", PAGE, re.MULTILINE) if block.strip()]


def block(start: str) -> str:
    return next(text.strip("\n") for text in BLOCKS if text.strip().startswith(start))


def test_the_first_board(tmp_path: Path) -> None:
    (tmp_path / "duo.yaml").write_text(block("schema:"))
    topology = load_board(str(tmp_path / "duo.yaml"), sources=()).topology()
    assert [(c.name, c.pairs) for c in topology.classes()] == [("hops:1", 8), ("shared:L2", 4)]


def test_the_overlay(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(block("extends:"))
    assert load_board(str(tmp_path / "mine.yaml"), sources=()).topology().kind("a53").mhz == 1500


@pytest.mark.parametrize(
    ("start", "parent"), [("channels:", "zcu102"), ("devices:", "x86-qemu"), ("latency:", "paper-8x4-amd")]
)
def test_the_sections_of_the_page_are_valid(tmp_path: Path, start: str, parent: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"extends: {parent}\nname: mine\n{block(start)}\n")
    board = load_board(str(tmp_path / "mine.yaml"), sources=())
    assert getattr(board, start[:-1]) != getattr(load_board(parent, sources=()), start[:-1])


def test_every_code_of_a_contract_is_on_the_page() -> None:
    codes = [code for code in CODES if code.startswith(("contract-", "channel-"))]
    assert [code for code in codes if f"`{code}`" not in PAGE] == []


def test_the_program() -> None:
    topology = load_board("zcu102", sources=()).topology()
    told = re.findall(r"^(topology\.\S+\(.*\)) +# ([^\s,]+)", block("from multikernel"), re.MULTILINE)
    assert [str(eval(call, {"topology": topology})) for call, _ in told] == [
        str(int(text, 0)) if text.startswith("0x") else text for _, text in told
    ]
    assert len(told) == 2


def test_every_section_is_on_the_page() -> None:
    sections = [field.alias or name for name, field in Board.model_fields.items()]
    table = PAGE.split("## Sections")[1].split("##")[0]
    assert [section for section in sections if f"`{section}`" not in table] == []


@pytest.mark.parametrize("model", WIDE)
def test_every_key_of_the_wide_rows_is_on_the_page(model: type[Section]) -> None:
    assert [key for key in model.model_fields if f"`{key}`" not in PAGE] == []
