"""A run is the product of its seed and its faults: the same digest under another hash seed and by the other engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WORDS = [
    "boot", "x86-qemu", "--json", "--seed", "3", "--jitter", "700", "--run", "ping", "--set", "ping.rounds=4",
    "--fault", "restart:3@run+100us+50us", "--fault", "stall:2@run+message:20+30us", "--fault", "skew:1@0=+300ppm",
    "--fault", "cut:0>1@run+200us+60us", "--fault", "delay:0-2@run+message:30+300us=5us",
]  # fmt: skip


def digest(**environment: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "multikernel", *WORDS],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {event["kind"] for event in document["faults"]} == {"restart", "stall", "skew", "cut", "delay"}
    return document["digest"], document["virtual_ns"]


@pytest.mark.determinism
def test_the_same_faults_are_the_same_run_everywhere() -> None:
    first = digest(PYTHONHASHSEED="0")
    assert digest(PYTHONHASHSEED="4242") == first
    assert digest(MKIT_NO_C="1", MKIT_REQUIRE_C="") == first
