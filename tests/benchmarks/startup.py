"""Start-up of the command against bare Python: what typing `mkit --help` costs.

    python tests/benchmarks/startup.py [runs]

Prints the median and the least of each in milliseconds, and the ratio of the medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "bare python": [sys.executable, "-c", "pass"],
    "import typer": [sys.executable, "-c", "import typer"],
    "mkit --help": [sys.executable, "-m", "multikernel", "--help"],
    "mkit --version": [sys.executable, "-m", "multikernel", "--version"],
}


def measure(command: list[str]) -> float:
    """Seconds from the start of `command` to its end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):  # interleaved, so that a busy moment hits all alike
        for name, command in COMMANDS.items():
            taken[name].append(measure(command) * 1000)
    bare = statistics.median(taken["bare python"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:16} median {median:6.1f} ms   least {min(times):6.1f} ms   {median / bare:5.1f} x bare python")


if __name__ == "__main__":
    main()
