"""What typing a command costs, against bare Python: `mkit --help`, and 32 cores booted on the simulator.

    python tests/benchmarks/boot.py [runs]

Prints the median and the least of each in milliseconds, the ratio of the medians to bare Python's, and the aim where
there is one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import NamedTuple

MKIT = (sys.executable, "-m", "multikernel")


class Command(NamedTuple):
    """A command line; `aim_ms` is what it should take at most, 0 where nothing was promised."""

    line: tuple[str, ...]
    aim_ms: int = 0


COMMANDS = {
    "bare python": Command((sys.executable, "-c", "pass")),
    "import typer": Command((sys.executable, "-c", "import typer")),
    "mkit --version": Command((*MKIT, "--version")),
    "mkit --help": Command((*MKIT, "--help"), aim_ms=200),
    "mkit boot, 32 cores": Command((*MKIT, "boot", "paper-8x4-amd"), aim_ms=2000),
    "the same and ping": Command((*MKIT, "boot", "paper-8x4-amd", "--run", "ping")),
}


def measure(line: tuple[str, ...]) -> float:
    """Milliseconds from the start of a command to its end."""
    started = time.perf_counter()
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):  # interleaved, so that a busy moment hits all alike
        for name, command in COMMANDS.items():
            taken[name].append(measure(command.line))
    bare = statistics.median(taken["bare python"])
    print(f"{'':20}{'median ms':>10}{'least ms':>10}{'x python':>10}{'aim ms':>8}")
    for name, times in taken.items():
        median, aim = statistics.median(times), COMMANDS[name].aim_ms
        print(f"{name:20}{median:>10.0f}{min(times):>10.0f}{median / bare:>10.1f}{aim or '':>8}")


if __name__ == "__main__":
    main()
