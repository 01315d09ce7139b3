"""What a simulated message costs through bare engines, over the model of caches alone and through the whole kernel.

    python -m tests.benchmarks.stack [--rounds N] [--messages N] [--json]

    engine, heapq callbacks, SimPy    program `rpc` of engine.py: a message is a mailbox and a latency, no more
    rings over caches                 two cores of paper-8x4-amd in turn: a line through caches and links, no kernel
    kernel, ping; kernel, agree       on paper-8x4-amd: a line, polled for by a dispatcher under a CPU driver and a
                                      monitor; counted as `messages` of the outcome.  agree is `protocol=one-phase`

Rounds are interleaved; figures are medians of processor time.  The SimPy program is printed beside its figure.

The account is of one more run of each program with the ledger of the engine in C open: each layer says when it is
entered and left, and the time between is its own, less what reading the clock takes each time.  All are then scaled so
that they make up the median without the ledger.  Without the C half there is no account.
"""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

from mk_sim.engine import FOUND
from mk_sim.parameters import derive
from multikernel import Multikernel, assemble
from multikernel.blueprint import Blueprint
from tests.benchmarks.engine import ENGINES, MESSAGES, timed, with_simpy
from tests.sim import table2

BOARD, TURN, AIM = "paper-8x4-amd", "rpc", 15
PROGRAMS: Mapping[str, Mapping[str, str]] = {"ping": {}, "agree": {"protocol": "one-phase"}}
RINGS = "rings over caches"
LAYERS = {
    "engine": "queue, clocks, resuming a core",
    "caches": "lines, transactions, store buffers",
    "hand": "loads, stores, fences, clocks; stepping a dispatcher",
    "pollers": "poll loops: which watch, and when",
    "machine": "all other operations, in Python",
    "driver": "CPU driver: traps, interrupts, scheduling, upcalls, capabilities",
    "monitor": "the monitors' code, its dispatcher and its channels",
    "program": "programs and services, their dispatchers, channels, rings",
    "outside": "the command's side",
}


class Account(NamedTuple):
    """Of one layer: nanoseconds a message, and how often a message enters it."""

    ns: float
    entries: float


def engine_ns(name: str, messages: int) -> float:
    """Nanoseconds a message of program `rpc` in one of the engines."""
    turns = max(2, messages // MESSAGES[TURN])
    return timed(ENGINES[name][TURN], turns)[1] / (turns * MESSAGES[TURN])


def rings_ns(blueprint: Blueprint) -> float:
    """Nanoseconds a message between two cores in turn, over rings and the model of caches alone."""
    pair = table2.Pair(derive(blueprint), 0, 1)
    return timed(lambda _: pair.latency(), 1)[1] / (2 * table2.MESSAGES)


def stack_ns(blueprint: Blueprint, program: str, before: int) -> float:
    """Nanoseconds a message of `program` on a kernel whose boot takes `before` messages."""
    with Multikernel(blueprint).boot("sim") as kernel:
        _, ns = timed(lambda _: len(kernel.run(program, **PROGRAMS[program]).rows), 1)
    return ns / (kernel.stop().messages - before)


def account(blueprint: Blueprint, program: str, before: int, ns: float) -> dict[str, Account]:
    """Where a message's `ns` go, by layer; see the module."""
    if FOUND.module is None:
        return {}
    with Multikernel(blueprint).boot("sim") as kernel:
        FOUND.module.account(True)
        len(kernel.run(program, **PROGRAMS[program]).rows)
        ledger, clock_ps = FOUND.module.account(False)
    messages = kernel.stop().messages - before
    own = {name: max(0.0, spent - clock_ps * entries / 1000) for name, spent, entries in ledger}
    scale = ns / sum(own.values())
    return {name: Account(own[name] * scale, entries / messages) for name, _, entries in ledger}


def measure(rounds: int, messages: int) -> tuple[dict[str, float], dict[str, dict[str, Account]]]:
    """Median nanoseconds a message, and the account of each program."""
    blueprint = assemble(BOARD, platform="sim")
    with Multikernel(blueprint).boot("sim") as kernel:
        before = kernel.stop().messages
    kernels = {program: f"kernel, {program}" for program in PROGRAMS}
    samples: dict[str, list[float]] = {name: [] for name in (*ENGINES, RINGS, *kernels.values())}
    for _ in range(rounds):
        for name in ENGINES:
            samples[name].append(engine_ns(name, messages))
        samples[RINGS].append(rings_ns(blueprint))
        for program, name in kernels.items():
            samples[name].append(stack_ns(blueprint, program, before))
    result = {name: median(values) for name, values in samples.items()}
    return result, {program: account(blueprint, program, before, result[name]) for program, name in kernels.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result, accounts = measure(options.rounds, options.messages)
    if options.json:
        print(json.dumps({"ns_per_message": result, "account": accounts}))
        return
    print(f"The SimPy programs ({result['SimPy']:.0f} ns a message for `{TURN}`):\n")
    print(inspect.getsource(with_simpy))
    print(f"{'':<18}{'ns a message':>14}{'messages/s':>13}{'x SimPy':>9}{'x heapq':>9}{'engines':>9}")
    for name, ns in result.items():
        print(
            f"{name:<18}{ns:>14.0f}{1e9 / ns:>13.0f}{result['SimPy'] / ns:>9.2f}"
            f"{result['heapq callbacks'] / ns:>9.2f}{ns / result['engine']:>9.1f}"
        )
    print(f"\n`engines` is how many messages of the bare engine one costs; the aim for a kernel's is {AIM}.\n")
    for program, layers in accounts.items():
        print(f"{program + ', by layer':<18}{'ns a message':>14}{'entered':>9}")
        for name, one in layers.items():
            print(f"{name:<18}{one.ns:>14.0f}{one.entries:>9.2f}   {LAYERS[name]}")
        print()


if __name__ == "__main__":
    main()
