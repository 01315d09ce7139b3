"""Writes the digests `test_golden.py` holds the simulator to: `python -m tests.boot.golden`.

A change of what is simulated changes them; say in the commit why.
"""

from __future__ import annotations

import json
from pathlib import Path

from multikernel import Multikernel, assemble
from multikernel.board import Board
from multikernel.interfaces import BootOptions

FILE = Path(__file__).with_name("golden.json")
BOARDS = ("paper-8x4-amd", "x86-qemu", "zcu102")
SEED = 7


def digest(board: str | Board, seed: int = SEED) -> str:
    """The digest of a boot and a short ping."""
    with Multikernel(assemble(board, platform="sim")).boot("sim", BootOptions(seed=seed)) as kernel:
        kernel.run("ping", rounds=4, messages=48)
    return kernel.stop().digest


def main() -> None:
    FILE.write_text(json.dumps({board: digest(board) for board in BOARDS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
