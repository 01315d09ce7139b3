"""Parts of regions: each handed out once, seen by both sides, from the top down."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel.binding.layout import PAGE, Layout
from multikernel.errors import BindingError
from tests.binding.boards import from_text

SIDE = "maps: [{base: 0x0, size: 256K, to: shared, cacheable: false}] => maps: [%s]"


def test_from_the_top_in_whole_pages(tmp_path: Path) -> None:
    layout = Layout(from_text(tmp_path).topology())
    size = 16 * 1024 * 1024
    first = layout.place("m0", 0, 1, PAGE + 1)
    assert first == (size - 2 * PAGE, 0x1000000 + size - 2 * PAGE, 0x1000000 + size - 2 * PAGE)
    assert layout.place("m0", 0, 1, 1).offset == size - 3 * PAGE


def test_a_part_of_the_region_seen_by_one_side_bounds_both(tmp_path: Path) -> None:
    topology = from_text(tmp_path, side=SIDE % "{base: 0x0, size: 64K, to: shared, at: 32K}").topology()
    layout = Layout(topology)
    placed = layout.place("shared", 0, 4, PAGE)
    assert placed == (96 * 1024 - PAGE, 0x8000000 + 96 * 1024 - PAGE, 64 * 1024 - PAGE)


def test_windows_that_overlap_never_give_a_page_twice(tmp_path: Path) -> None:
    topology = from_text(tmp_path, side=SIDE % "{base: 0x0, size: 64K, to: shared, at: 32K}").topology()
    layout = Layout(topology)
    narrow = [layout.place("shared", 0, 4, PAGE).offset for _ in range(8)]
    wide = [layout.place("shared", 0, 1, PAGE).offset for _ in range(64 - 24)]
    narrow += [layout.place("shared", 0, 4, PAGE).offset for _ in range(8)]
    wide += [layout.place("shared", 0, 1, PAGE).offset for _ in range(8)]
    assert len({*narrow, *wide}) == 64, "every page of the region, each once"
    for pair in ((0, 4), (0, 1)):
        with pytest.raises(BindingError, match="region shared has no room"):
            layout.place("shared", *pair, PAGE)


def test_a_window_of_two_pieces_is_used_piece_by_piece(tmp_path: Path) -> None:
    pieces = "{base: 0x0, size: 4K, to: shared}, {base: 0x100000, size: 8K, to: shared, at: 128K}"
    layout = Layout(from_text(tmp_path, side=SIDE % pieces).topology())
    assert [layout.place("shared", 4, 5, PAGE).address_a for _ in range(3)] == [0x101000, 0x100000, 0x0]
    with pytest.raises(BindingError, match="no room"):
        layout.place("shared", 4, 5, PAGE)
