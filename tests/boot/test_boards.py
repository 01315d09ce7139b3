"""Every shipped board boots, and what its cores are."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel import Multikernel
from multikernel.board.find import packaged_folder

BOARDS = sorted(path.stem for path in packaged_folder().glob("*.yaml"))


@pytest.mark.kernel(*BOARDS)
def test_every_core_joins(kernel: Multikernel) -> None:
    assert {core.state for core in kernel.cores()} == {"joined"}
    assert [core.id for core in kernel.cores()] == sorted(core.id for core in kernel.blueprint.cores)
    assert kernel.stop().channels >= len(kernel.cores()) - 1


def test_no_board_is_left_out() -> None:
    assert {"paper-8x4-amd", "x86-qemu", "zcu102"} <= set(BOARDS)
    assert Path("boards").is_dir()
