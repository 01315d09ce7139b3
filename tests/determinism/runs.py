"""The runs whose digests are committed, and how one is made.

Each is a boot and one program on the simulator.  Neither draws anything, so one seed says all; what a seed
changes is in `test_digest.py`.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import multikernel
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from tests.circuits.boards import HOPS

GOLDENS = Path(__file__).with_name("goldens.json")
"""The committed digests, by `name`."""
BOARDS = ("paper-8x4-amd", "x86-qemu", "zcu102", "xeon-accel", "hops")
"""Shipped ones, and one of the tests whose cores are joined by memory, a mailbox and a DMA engine, and relay."""
PROGRAMS = {
    "ping": {"rounds": 4, "messages": 40},
    "unmap": {"pages": 1, "protocol": "numa"},
}
"""Small parameters: a second for all of them."""
SEED = 1
RUNS = tuple(product(BOARDS, PROGRAMS))


def name(board: str, program: str) -> str:
    """The key of a run in the file: all that decides its digest."""
    words = " ".join(f"{key}={value}" for key, value in PROGRAMS[program].items())
    return f"{board} {program} {words} seed={SEED}"


def digest(board: str, program: str) -> str:
    """SHA-256 over every delivery, with its time."""
    kernel = Multikernel(multikernel.assemble(HOPS if board == "hops" else board, platform="sim"))
    with kernel.boot("sim", BootOptions(seed=SEED)):
        kernel.run(program, **PROGRAMS[program])
        return kernel.stop().digest
