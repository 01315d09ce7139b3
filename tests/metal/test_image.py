"""What building does with its inputs and its cache; no tool needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mk_qemu.image import cache_folder, programs, read_sources, work_folder
from multikernel.errors import PlatformError
from tests.metal.machines import sources


def test_the_programs_of_the_sources_are_named() -> None:
    assert programs(sources("spin.c", "fails.c")) == ("fails", "ping", "spin")


def test_a_program_of_pairs_says_so() -> None:
    assert {s.program: s.pairs for s in read_sources(sources("spin.c")) if s.program in ("ping", "spin")} == {
        "ping": True,
        "spin": False,
    }


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"gone\.c: No such file or directory; a plugin's `metal` names it"):
        programs([tmp_path / "gone.c"])


def test_what_a_killed_build_left_goes_and_what_a_live_one_has_stays(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f"build-{dead.pid}-x").mkdir()
    (tmp_path / f"build-{os.getpid()}-x").mkdir()
    with work_folder(tmp_path) as work:
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"build-{os.getpid()}-x", Path(work).name])
    assert [path.name for path in tmp_path.iterdir()] == [f"build-{os.getpid()}-x"]


def test_a_cache_that_cannot_be_written_is_told_with_the_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(PlatformError, match="Not a directory; set XDG_CACHE_HOME to a folder that can be written"):
        cache_folder()
