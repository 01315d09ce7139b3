"""A skip nobody expected fails the session in CI; a listed one does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SUITE = """
import pytest

def test_runs(): pass

@pytest.mark.skip(reason="no such machine")
def test_skipped(): pass

@pytest.mark.xfail(reason="known fault")
def test_fails(): assert False
"""


def outcome(folder: Path, listed: str, ci: str, *options: str) -> tuple[int, str]:
    shutil.copy(TESTS / "conftest.py", folder)
    (folder / "expected_skips.txt").write_text(f"# a comment\n\n{listed}")
    (folder / "test_it.py").write_text(SUITE)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        *options,
        str(folder),
    ]
    environment = {**os.environ, "CI": ci, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


def test_without_ci_a_skip_is_a_skip(tmp_path: Path) -> None:
    assert outcome(tmp_path, "", "")[0] == 0


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_a_skip_nobody_expected_fails_the_session(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, text = outcome(tmp_path, "", "true", *options)
    assert code == 1
    assert "test_it.py::test_skipped: no such machine" in text
    assert "test_it.py::test_fails: known fault" in text


def test_listed_skips_pass(tmp_path: Path) -> None:
    listed = "*::test_skipped | no such * | there is none\n*::test_fails | known fault | reported\n"
    assert outcome(tmp_path, listed, "true")[0] == 0


def test_a_skip_listed_with_another_reason_fails(tmp_path: Path) -> None:
    listed = "*::test_skipped | too lazy | there is none\n*::test_fails | * | reported\n"
    code, text = outcome(tmp_path, listed, "true")
    assert code == 1
    assert "test_it.py::test_skipped: no such machine" in text
    assert "test_fails:" not in text


def test_a_module_that_skips_itself_is_seen(tmp_path: Path) -> None:
    (tmp_path / "test_whole.py").write_text("import pytest\npytest.skip('all of it', allow_module_level=True)")
    code, text = outcome(tmp_path, "*::test_* | * | fine\n", "true")
    assert code == 1
    assert "test_whole.py: all of it" in text
