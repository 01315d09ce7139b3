"""The simulator's deliveries, to the byte: the same on every machine, Python and hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.boot.golden import BOARDS, FILE, SEED, digest

ROOT = Path(__file__).parents[2]
SLOWER = """\
extends: x86-qemu
name: x86-qemu
latency:
  method: assumed
  classes:
    - {cls: "hops:0", mean: 600, sd: 0, status: assumed, source: "order of published x86 figures"}
    - {cls: remote, mean: 601, sd: 0, status: assumed, source: "one cycle more"}
"""


@pytest.mark.determinism
@pytest.mark.parametrize("board", BOARDS)
def test_the_committed_digest(board: str) -> None:
    assert digest(board) == json.loads(FILE.read_text())[board], "if that is meant: python -m tests.boot.golden"


@pytest.mark.determinism
def test_another_hash_seed_changes_nothing() -> None:
    code = f"from tests.boot.golden import digest; print(digest('x86-qemu', {SEED}))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("0", "1", "99")
    }  # fmt: skip
    assert seen == {json.loads(FILE.read_text())["x86-qemu"]}


def test_one_cycle_of_one_latency_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "slower.yaml").write_text(SLOWER)
    (tmp_path / "same.yaml").write_text(SLOWER.replace("601", "600"))
    same = digest(str(tmp_path / "same.yaml"))
    assert same == digest("x86-qemu")
    assert digest(str(tmp_path / "slower.yaml")) != same
