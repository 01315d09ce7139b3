"""The extra that may be missing: what is said of it then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
sys.modules["clingo"] = None                        # import clingo fails
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "clingo" else real(name, *more)
from multikernel.cli import main
sys.argv = ["mkit", *sys.argv[1:]]
main()
"""


def mkit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where clingo is not installed."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_doctor_tells_and_nothing_is_broken() -> None:
    done = mkit("plugins", "doctor")
    assert done.returncode == 0, done.stderr
    assert "SKB backend clingo\n  unavailable: the package clingo is not installed" in done.stdout
    assert "pip install 'multikernel-kit[clingo]'" in done.stdout
    assert " 0 problems" in done.stdout


def test_a_board_that_names_it_is_told_the_fix(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text("extends: x86-qemu\nbind: {skb: clingo}\n")
    done = mkit("assemble", str(board), "-o", str(tmp_path / "kernel.json"))
    assert done.returncode == 5
    assert "board.yaml:2:13: clingo cannot be used: the package clingo is not installed; pip install" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "kernel.json").exists()


def test_other_boards_do_not_need_it(tmp_path: Path) -> None:
    done = mkit("assemble", "x86-qemu", "-o", str(tmp_path / "kernel.json"))
    assert done.returncode == 0, done.stderr
