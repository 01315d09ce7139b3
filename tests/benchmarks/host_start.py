"""How long until N core processes are up, from the first fork to the last core's report.

    python tests/benchmarks/host_start.py [--cores 64 256] [--rounds 5]

Goal: 256 cores ready in 300 ms."""

from __future__ import annotations

import argparse
import statistics
import time

from mk_host.zygote import Cores, Report, places


def start(count: int) -> tuple[float, float]:
    """Milliseconds until all are up, and until all are gone again."""

    def body(core: int, report: object) -> None:
        assert callable(report)
        report(b"")
        time.sleep(60)

    begin = time.perf_counter()
    cores = Cores(places(range(count)), body)
    for _ in range(count):
        assert isinstance(cores.next(10_000_000_000), Report)
    up = time.perf_counter()
    cores.stop()
    return (up - begin) * 1e3, (time.perf_counter() - up) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for count in options.cores:
        runs = [start(count) for _ in range(options.rounds)]
        up, down = (statistics.median(times) for times in zip(*runs, strict=True))
        print(f"{count} cores: up in {up:.0f} ms (least {min(runs)[0]:.0f}), gone in {down:.0f} ms")


if __name__ == "__main__":
    main()
