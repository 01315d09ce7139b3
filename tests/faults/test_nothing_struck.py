"""Machines that faults could strike, and none does: the committed digests, to the byte."""

from __future__ import annotations

import json

import pytest

import multikernel
from multikernel.faults import parse
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from tests.circuits.boards import HOPS
from tests.determinism.runs import GOLDENS, PROGRAMS, RUNS, SEED, name

NEVER = {"hops": ("cut:0>1@900000s", "stop:2@900000s", "skew:3@900000s=+1us")}
"""No link fault there but between the cores that share memory."""


@pytest.mark.parametrize(("board", "program"), RUNS)
def test_faults_that_do_not_happen_change_nothing(board: str, program: str) -> None:
    faults = NEVER.get(board, ("cut:1-2@900000s", "stop:2@900000s", "delay:0>3@900000s=1us", "skew:1@900000s=+1us"))
    options = BootOptions(seed=SEED, faults=tuple(map(parse, faults)), observe=True)
    blueprint = multikernel.assemble(HOPS if board == "hops" else board, platform="sim")
    with Multikernel(blueprint).boot("sim", options) as kernel:
        kernel.run(program, **PROGRAMS[program])
        outcome = kernel.stop()
    assert outcome.digest == json.loads(GOLDENS.read_text())[name(board, program)]
    assert bool(outcome.reached) == (program == "unmap"), "what agrees is observed, at no cost"
