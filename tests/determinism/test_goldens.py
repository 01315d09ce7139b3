"""Same seed, same deliveries at the same times: on every machine, under every hash seed and Python.

CI runs what is marked here on Python 3.13 as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.determinism.runs import GOLDENS, RUNS, digest, name

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.determinism
RENEW = "if that is meant: python tests/determinism/regenerate.py, and say why"


def elsewhere(hash_seed: str, runs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Digests of runs, made by another process."""
    code = "import json, sys; from tests.determinism.runs import digest, name\n"
    code += "print(json.dumps({name(*run): digest(*run) for run in json.loads(sys.argv[1])}))"
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(runs)], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def committed(runs: Sequence[tuple[str, str]]) -> dict[str, str]:
    goldens: dict[str, str] = json.loads(GOLDENS.read_text())
    return {name(*run): goldens[name(*run)] for run in runs}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: name(*run))
def test_the_committed_digest(run: tuple[str, str]) -> None:
    assert {name(*run): digest(*run)} == committed([run]), RENEW


def test_every_committed_digest_is_of_a_run() -> None:
    assert sorted(json.loads(GOLDENS.read_text())) == sorted(name(*run) for run in RUNS), RENEW


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_hash_seeds_change_nothing(hash_seed: str) -> None:
    runs = [run for run in RUNS if run[0] != "paper-8x4-amd"]
    assert elsewhere(hash_seed, runs) == committed(runs)
