"""The runs whose digests are committed, and how one is made.

    digest(board, program, parameters, seed)     of a boot and one run on the simulator
    GOLDENS                                      the file of committed digests, by `name(...)`
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import multikernel
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel

GOLDENS = Path(__file__).with_name("goldens.json")
BOARDS = ("paper-8x4-amd", "x86-qemu", "zcu102")
PROGRAMS = {
    "ping": {"rounds": 4, "messages": 40},
    "unmap": {"pages": 1, "protocol": "numa"},
}
"""Small parameters: a second for all of them."""
SEEDS = (1, 2)
RUNS = tuple(product(BOARDS, PROGRAMS, SEEDS))


def name(board: str, program: str, seed: int) -> str:
    """The key of a run in the file."""
    words = " ".join(f"{key}={value}" for key, value in PROGRAMS[program].items())
    return f"{board} {program} {words} seed={seed}"


def digest(board: str, program: str, seed: int, trace: str = "") -> str:
    """SHA-256 over every delivery, with its time."""
    kernel = Multikernel(multikernel.assemble(board, platform="sim"))
    with kernel.boot("sim", BootOptions(seed=seed, trace=trace)):
        kernel.run(program, **PROGRAMS[program])
        return kernel.stop().digest
