"""The backends of the SKB side by side, as boards grow.

    python -m tests.benchmarks.skb [CORES...] [--pairs CORES] [--json]

For each size and backend, milliseconds of processor time to load the facts and rules of a generated board
(`scale.mesh`), to answer about one pair (the mean of ten), to find the trees, to decide every class of pairs, and
to assemble the board in all; memory of the process beyond one that has loaded the kit, KiB a core.  Up to `--pairs`
cores also the transport of every pair, which assembly never asks.  Then each as a multiple of the first backend's.
Last, joint placements of items that are partly apart on twice as many targets: cost over the best, and time.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from multikernel.assemble import assemble, know
from multikernel.knowledge.optimise import Model
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry
from tests.benchmarks.scale import CORES_A_NODE, mesh

SIZES = (32, 128, 512)
PAIRS = 128
PLACED = (10, 30, 100)
Row = dict[str, float | int]


def timed(action: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    started = time.process_time_ns()
    action()
    return (time.process_time_ns() - started) / 1_000_000


def measure(file: Path, pairs: bool) -> Row:
    """One board over the backend it names, in this process."""
    registry = Registry.load()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time_ns()
    known = know(str(file), registry)
    skb, topology = known.skb, known.board.topology()
    skb.query("boot_core(C)")
    row: Row = {"load": (time.process_time_ns() - started) / 1_000_000}
    last = len(topology.cores) - 1
    row["point"] = timed(lambda: [skb.query(f"transport_of({a}, {last - a}, T)") for a in range(10)]) / 10
    row["tree"] = timed(lambda: [skb.query(goal) for goal in ("multicast_order(K, P, C)", "numa_order(K, P, C)")])
    classes = [f"{count.src}, {count.dst}" for count in topology.classes()]
    row["classes"] = timed(
        lambda: [(skb.query(f"transport_of({pair}, T)"), skb.query(f"home({pair}, H, R)")) for pair in classes]
    )
    row["assemble"] = timed(lambda: assemble(str(file), registry))
    row["KiB a core"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / len(topology.cores)
    if pairs:
        row["all pairs"] = timed(lambda: skb.query("transport_of(A, B, T)", 10**12))
    return row


def apart(cores: int, backend: str, pairs: bool) -> Row:
    """As `measure`, in another process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mesh.yaml"
        text = mesh(max(1, cores // CORES_A_NODE), min(cores, CORES_A_NODE))
        file.write_text(f"{text}bind: {{skb: {backend}}}\n")
        command = [sys.executable, "-m", "tests.benchmarks.skb", "--board", str(file), *(["--all"] if pairs else [])]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row: Row = json.loads(told)
    return row


def placement(items: int) -> Model[int]:
    """Items by chance on twice as many targets, three of ten pairs apart."""
    chance = random.Random(items)
    names = tuple(f"item{number}" for number in range(items))
    targets = tuple(range(2 * items))
    costs = tuple((name, at, chance.randrange(1000)) for name in names for at in targets if chance.random() < 0.8)
    capacity = tuple((at, 1) for at in targets if chance.random() < 0.5)
    return Model(names, targets, costs, capacity, tuple(p for p in combinations(names, 2) if chance.random() < 0.3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cores", type=int, nargs="*", default=SIZES, help="powers of two")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="ask for every pair up to so many cores")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--board", type=Path, help="measure this board in this process and print the figures")
    parser.add_argument("--all", action="store_true", help="with --board: ask for every pair")
    options = parser.parse_args()
    if options.board is not None:
        print(json.dumps(measure(options.board, options.all)))
        return
    backends = [spec for spec in Registry.load().skb_backends if not spec.unavailable]
    backends.sort(key=lambda spec: spec.name != "pydatalog")
    made = {
        cores: {spec.name: apart(cores, spec.name, cores <= options.pairs) for spec in backends}
        for cores in options.cores
    }
    if options.json:
        print(json.dumps(made))
        return
    for cores, rows in made.items():
        first = next(iter(rows.values()))
        print(f"{cores} cores".ljust(20) + "".join(f"{name:>12}" for name in first))
        for backend, row in rows.items():
            print(f"  {backend}".ljust(20) + "".join(f"{value:>12.1f}" for value in row.values()))
        for backend, row in list(rows.items())[1:]:
            ratios = (f"{value / first[name]:>11.2f}x" if first[name] else f"{'-':>12}" for name, value in row.items())
            print(f"  {backend}, ratio".ljust(20) + "".join(ratios))
    for items in PLACED:
        model = placement(items)
        best = min(found.cost for spec in backends if (found := Skb(spec.factory()).optimise(model)) is not None)
        for spec in backends:
            skb = Skb(spec.factory())
            started = time.process_time_ns()
            found = skb.optimise(model)
            took = (time.process_time_ns() - started) / 1_000_000
            assert found is not None
            said = "proven" if found.optimal else "not proven"
            print(f"{items} items  {spec.name:<10} cost {found.cost / best:.3f} of the best, {took:.0f} ms, {said}")


if __name__ == "__main__":
    main()
