"""What a simulated message costs: this engine against SimPy, heapq with callbacks, its twin in Python, and Numba.

    python -m tests.benchmarks.engine [--rounds N] [--messages N] [--json] [--source]

Three programs (engines.py), the same in each engine and checked to end at the same virtual time.  Rounds of the
engines are interleaved, so that a busy machine troubles all alike; figures are medians of processor time, ratios are
medians of ratios within a round.  Then, of this engine alone: how the cost of a message of `shootdown` grows from 8
cores to 4096, sizes interleaved too, and the bytes a core takes.  Each figure stands beside its bar, of BARS.

Numba is optional: without it the row says so (`pip install 'multikernel-kit[bench]'`).
"""

from __future__ import annotations

import argparse
import gc
import inspect
import json
import time
import tracemalloc
from dataclasses import asdict, dataclass
from statistics import median

from mk_sim import _engine, engine_python
from tests.benchmarks.engines import Program, messages, ours, tuned_simpy, with_heapq, with_simpy

BARS = {
    "SimPy": ("at least", 60.0),
    "SimPy, tuned by hand": ("at least", 12.0),
    "heapq callbacks": ("at least", 3.0),
    "Numba, jitted whole": ("at least", 0.2),
    "growth, 8 to 4096 cores": ("at most", 1.3),
    "bytes a core": ("at most", 1024.0),
}
"""What the engine is to reach: times its speed, growth of cost, memory."""
JITTED = "Numba, jitted whole"
SIZES = (8, 64, 512, 4096)
GROWTH_MESSAGES = 50_000
"""Of the shorter run of one size: six turns of 4096 cores."""
MESSAGES = messages()
"""A turn's."""
ENGINES: dict[str, dict[str, Program]] = {
    "engine": ours(_engine, digest=False),
    "engine, digest": ours(_engine, digest=True),
    "engine in Python": ours(engine_python, digest=False),
    "heapq callbacks": with_heapq(),
    "SimPy, tuned by hand": tuned_simpy(),
    "SimPy": with_simpy(),
}


@dataclass
class Result:
    """Nanoseconds a message and times the engine's time, by program and engine; by size what a message of
    `shootdown` costs beside the same round's at the least size; bytes."""

    ns: dict[str, dict[str, float]]
    times: dict[str, dict[str, float]]
    growth: dict[int, float]
    bytes_a_core: int
    bytes_with_coroutine: int


def timed(program: Program, turns: int) -> tuple[int, int]:
    """The virtual time at the end of a program, and the processor time it took, ns."""
    gc.collect()
    start = time.process_time_ns()
    return program(turns), time.process_time_ns() - start


def engines() -> dict[str, dict[str, Program]]:
    """Those above, and Numba's where it is installed."""
    try:
        from tests.benchmarks.jitted import programs
    except ImportError:
        return ENGINES
    return ENGINES | {JITTED: programs()}


def compare(rounds: int, wanted: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Medians over interleaved rounds of about `wanted` messages: `ns` and `times` of the result."""
    result: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {}
    every = engines()
    for program, per_turn in MESSAGES.items():
        turns = max(2, wanted // per_turn)
        samples: dict[str, list[float]] = {name: [] for name in every}
        ends = set()
        for _ in range(rounds):
            for name, programs in every.items():
                end, ns = timed(programs[program], turns)
                ends.add(end)
                samples[name].append(ns / (turns * per_turn))
        assert len(ends) == 1, f"{program}: the engines disagree: {sorted(ends)}"
        result[program] = {name: median(values) for name, values in samples.items()}
        ratios[program] = {
            name: median(other / own for other, own in zip(values, samples["engine"], strict=True))
            for name, values in samples.items()
        }
    return result, ratios


def growth(rounds: int) -> dict[int, float]:
    """By size, what a message of `shootdown` costs beside the same round's at the least size: what a run of three
    times the messages takes longer, so that making the cores does not count."""
    samples: dict[int, list[float]] = {size: [] for size in SIZES}
    programs = {size: ours(_engine, digest=False, cores=size)["shootdown"] for size in SIZES}
    for _ in range(rounds):
        for size, program in programs.items():
            per_turn = messages(size)["shootdown"]
            turns = GROWTH_MESSAGES // per_turn
            longer = timed(program, 3 * turns)[1] - timed(program, turns)[1]
            samples[size].append(longer / (2 * turns * per_turn))
    least = samples[SIZES[0]]
    return {size: median(ns / base for ns, base in zip(each, least, strict=True)) for size, each in samples.items()}


def memory(cores: int = SIZES[-1]) -> tuple[int, int]:
    """Bytes allocated for a core: its actor and its port after they have sent and received, the engine's queue
    shared out; and the same with the coroutine that the program runs on it."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    engine = _engine.Engine(1, False)
    ports = [_engine.Port(engine.actor(number)) for number in range(cores)]

    async def serve(port: _engine.Port) -> None:
        while await port != b"end":
            port.send(ports[0], b"done", 300_000)

    for port in ports[1:]:
        port.actor.start(serve(port))
        ports[0].send(port, b"call", 300_000)
    engine.run()
    with_coroutine = tracemalloc.get_traced_memory()[0] - before
    for port in ports[1:]:
        ports[0].send(port, b"end", 1_000_000)
    engine.run()
    assert not engine.waiting()
    alone = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return alone // cores, with_coroutine // cores


def measure(rounds: int, wanted: int) -> Result:
    ns, times = compare(rounds, wanted)
    return Result(ns, times, growth(rounds), *memory())


def verdict(what: str, figure: float) -> str:
    side, bar = BARS[what]
    met = figure >= bar if side == "at least" else figure <= bar
    return f"{side} {bar:g}: " + ("met" if met else f"missed, by {abs(figure - bar) / bar:.0%}")


def show(result: Result) -> None:
    for title, table, digits in (("ns a message", result.ns, 0), ("times the engine's time", result.times, 2)):
        print(f"{title:<26}" + "".join(f"{program:>11}" for program in table))
        for name in next(iter(table.values())):
            print(f"  {name:<24}" + "".join(f"{row[name]:>11.{digits}f}" for row in table.values()))
    print("\nbars")
    for name in BARS:
        for program, row in result.times.items():
            if name in row:
                print(f"  {name + ', ' + program:<34}{row[name]:>9.2f}  {verdict(name, row[name])}")
    if JITTED not in result.times["rpc"]:
        print(f"  {JITTED:<34}{'absent':>9}  Numba is not installed")
    for size, ratio in result.growth.items():
        print(f"  a message at {size:>4} cores, times{'':<6}{ratio:>9.2f}")
    most = result.growth[SIZES[-1]]
    print(f"  {'growth, 8 to 4096 cores':<34}{most:>9.2f}  {verdict('growth, 8 to 4096 cores', most)}")
    print(f"  {'bytes a core':<34}{result.bytes_a_core:>9}  {verdict('bytes a core', result.bytes_a_core)}")
    print(f"  {'and with its coroutine':<34}{result.bytes_with_coroutine:>9}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--messages", type=int, default=20_000, help="of each program and engine, a round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--source", action="store_true", help="print the SimPy programs too")
    options = parser.parse_args()
    result = measure(options.rounds, options.messages)
    if options.json:
        print(json.dumps(asdict(result)))
        return
    if options.source:
        print(inspect.getsource(with_simpy), inspect.getsource(tuned_simpy), sep="\n")
    show(result)


if __name__ == "__main__":
    main()
