"""What a simulated message costs through the bare engine and through the whole kernel, against other simulators.

    python -m tests.benchmarks.stack [--rounds N] [--messages N] [--json]

    engine, heapq callbacks, SimPy    program `rpc` of engine.py: a message is a mailbox and a latency, no more
    kernel                            `ping` on paper-8x4-amd: a message is a line through caches and links, polled for
                                      by a dispatcher under a CPU driver; counted as `messages` of the outcome

Rounds are interleaved; figures are medians of processor time.  The SimPy program is printed beside its figure.
"""

from __future__ import annotations

import argparse
import inspect
import json
from statistics import median

from multikernel import Multikernel, assemble
from multikernel.blueprint import Blueprint
from tests.benchmarks.engine import ENGINES, MESSAGES, timed, with_simpy

BOARD, PROGRAM, TURN = "paper-8x4-amd", "ping", "rpc"
STACK = f"kernel, {PROGRAM}"


def engine_ns(name: str, messages: int) -> float:
    """Nanoseconds a message of program `rpc` in one of the engines."""
    turns = max(2, messages // MESSAGES[TURN])
    return timed(ENGINES[name][TURN], turns)[1] / (turns * MESSAGES[TURN])


def stack_ns(blueprint: Blueprint, before: int) -> float:
    """Nanoseconds a message of `ping` on a kernel whose boot takes `before` messages."""
    with Multikernel(blueprint).boot("sim") as kernel:
        _, ns = timed(lambda _: len(kernel.run(PROGRAM).rows), 1)
    return ns / (kernel.stop().messages - before)


def measure(rounds: int, messages: int) -> dict[str, float]:
    """Median nanoseconds a message."""
    blueprint = assemble(BOARD, platform="sim")
    with Multikernel(blueprint).boot("sim") as kernel:
        before = kernel.stop().messages
    samples: dict[str, list[float]] = {name: [] for name in (*ENGINES, STACK)}
    for _ in range(rounds):
        for name in ENGINES:
            samples[name].append(engine_ns(name, messages))
        samples[STACK].append(stack_ns(blueprint, before))
    return {name: median(values) for name, values in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.rounds, options.messages)
    if options.json:
        print(json.dumps({"ns_per_message": result}))
        return
    print(f"The SimPy programs ({result['SimPy']:.0f} ns a message for `{TURN}`):\n")
    print(inspect.getsource(with_simpy))
    print(f"{'':<18}{'ns a message':>14}{'messages/s':>13}{'x SimPy':>9}{'x heapq':>9}")
    for name, ns in result.items():
        print(
            f"{name:<18}{ns:>14.0f}{1e9 / ns:>13.0f}{result['SimPy'] / ns:>9.2f}{result['heapq callbacks'] / ns:>9.2f}"
        )


if __name__ == "__main__":
    main()
