"""What `mkit board validate` takes from the shell on a board of 5,000 lines.

    python -m tests.benchmarks.validate [--runs N] [--json]

Prints the least of N runs, in milliseconds of the clock and of the processor: of the board, of the same board with a
boot list (whose programs are looked for among the plugins), and of a board of a few lines, the cost of starting.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAD = "schema: board/1\nname: large\nsummary: s\nkinds: {k: {isa: x86-64, mhz: 2000}}\n"


def large() -> str:
    """A row a line for 2,000 cores, three lines a region for 1,000 regions."""
    cores = "".join(f"  - {{ids: {index}, kind: k}}\n" for index in range(2000))
    regions = "".join(f"  - id: m{index}\n    size: 1M\n    base: {index << 20:#x}\n" for index in range(1000))
    return f"{HEAD}cores:\n{cores}regions:\n{regions}"


def least(text: str, runs: int) -> tuple[int, int]:
    """Milliseconds of the clock and of the processor of the quickest of `runs` runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "board.yaml"
        path.write_text(text)
        found = []
        for _ in range(runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter_ns()
            subprocess.run([sys.executable, "-m", "multikernel", "board", "validate", str(path)], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            took = time.perf_counter_ns() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found.append((took // 1_000_000, int(cpu * 1000)))
    return min(found)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Validation of a large board from the shell.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    small = f"{HEAD}cores: [{{ids: 0, kind: k}}]\nregions: [{{id: m, size: 1M, base: 0}}]\n"
    texts = {"small": small, "large": large(), "large, with a boot list": f"{large()}boot: [mem-server]\n"}
    rows = {name: least(text, options.runs) for name, text in texts.items()}
    if options.json:
        print(json.dumps({name: {"ms": ms, "cpu_ms": cpu} for name, (ms, cpu) in rows.items()}))
        return
    for name, (ms, cpu) in rows.items():
        print(f"{name:24} {texts[name].count(chr(10)):5} lines  {ms:5} ms  {cpu:5} ms of the processor")


if __name__ == "__main__":
    main()
