"""What a simulated message costs: this engine, its twin in Python, SimPy as its users write it, heapq with callbacks.

    python tests/benchmarks/engine.py [--rounds N] [--json]

Two programs, the same in each engine and checked to end at the same virtual time:

    shootdown   core 0 tells 63 cores, each works 20 ns and answers; again and again
    rpc         32 clients each call a server of their own, one call at a time

Rounds of the engines are interleaved, so that a busy machine troubles all alike; medians of processor time, and
ratios within a round.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import json
import time
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from statistics import median
from types import ModuleType
from typing import TypeAlias

import simpy

from mk_sim import _engine, engine_python

CORES = 64
LATENCY = 300_000
SEND, TAKE, WORK = 1_000, 1_000, 20_000
"""Picoseconds to send, to take a message, to work on one."""
Program: TypeAlias = Callable[[int], int]
"""Runs so many turns and returns the virtual time at the end, ps."""


def ours(module: ModuleType, digest: bool) -> dict[str, Program]:
    Engine, Port = module.Engine, module.Port

    def shootdown(turns: int) -> int:
        engine = Engine(1, digest)
        ports = [Port(engine.actor(number)) for number in range(CORES)]

        async def master(port: Port) -> None:
            actor = port.actor
            for _ in range(turns):
                for slave in ports[1:]:
                    actor.spend(SEND)
                    port.send(slave, b"unmap", LATENCY)
                for _ in ports[1:]:
                    await port.recv()
                    actor.spend(TAKE)

        async def slave(port: Port) -> None:
            actor = port.actor
            for _ in range(turns):
                await port.recv()
                actor.spend(WORK)
                port.send(ports[0], b"done", LATENCY)

        ports[0].actor.start(master(ports[0]))
        for port in ports[1:]:
            port.actor.start(slave(port))
        engine.run()
        return ports[0].actor.clock

    def rpc(turns: int) -> int:
        engine = Engine(1, digest)
        ports = [Port(engine.actor(number)) for number in range(CORES)]

        async def client(port: Port, server: Port) -> None:
            for _ in range(turns):
                port.send(server, b"call", LATENCY)
                await port.recv()
                port.actor.spend(WORK)

        async def serve(port: Port, client: Port) -> None:
            for _ in range(turns):
                await port.recv()
                port.actor.spend(WORK)
                port.send(client, b"reply", LATENCY)

        for a, b in zip(ports[::2], ports[1::2], strict=True):
            a.actor.start(client(a, b))
            b.actor.start(serve(b, a))
        engine.run()
        return ports[0].actor.clock

    return {"shootdown": shootdown, "rpc": rpc}


def with_simpy() -> dict[str, Program]:
    class Cable:
        """A mailbox behind a delay, as in SimPy's own example of an event with latency."""

        def __init__(self, env: simpy.Environment) -> None:
            self.env = env
            self.store = simpy.Store(env)

        def latency(self, message: bytes) -> Generator[simpy.Event, object, None]:
            yield self.env.timeout(LATENCY)
            self.store.put(message)

        def put(self, message: bytes) -> None:
            self.env.process(self.latency(message))

        def get(self) -> simpy.Event:
            return self.store.get()

    def shootdown(turns: int) -> int:
        env = simpy.Environment()
        to = [Cable(env) for _ in range(CORES)]

        def master() -> Generator[simpy.Event, object, None]:
            for _ in range(turns):
                for cable in to[1:]:
                    yield env.timeout(SEND)
                    cable.put(b"unmap")
                for _ in to[1:]:
                    yield to[0].get()
                    yield env.timeout(TAKE)

        def slave(cable: Cable) -> Generator[simpy.Event, object, None]:
            for _ in range(turns):
                yield cable.get()
                yield env.timeout(WORK)
                to[0].put(b"done")

        env.process(master())
        for cable in to[1:]:
            env.process(slave(cable))
        env.run()
        return int(env.now)

    def rpc(turns: int) -> int:
        env = simpy.Environment()

        def client(out: Cable, back: Cable) -> Generator[simpy.Event, object, None]:
            for _ in range(turns):
                out.put(b"call")
                yield back.get()
                yield env.timeout(WORK)

        def serve(out: Cable, back: Cable) -> Generator[simpy.Event, object, None]:
            for _ in range(turns):
                yield out.get()
                yield env.timeout(WORK)
                back.put(b"reply")

        for _ in range(CORES // 2):
            out, back = Cable(env), Cable(env)
            env.process(client(out, back))
            env.process(serve(out, back))
        env.run()
        return int(env.now)

    return {"shootdown": shootdown, "rpc": rpc}


def with_heapq() -> dict[str, Program]:
    def shootdown(turns: int) -> int:
        heap: list[tuple[int, int, Callable[[int], None], int]] = []
        clock = [0] * CORES
        sequence = now = done = acks = 0

        def begin() -> None:
            nonlocal sequence
            for core in range(1, CORES):
                clock[0] += SEND
                sequence += 1
                heappush(heap, (clock[0] + LATENCY, sequence, slave, core))

        def slave(core: int) -> None:
            nonlocal sequence
            clock[core] = max(clock[core], now) + WORK
            sequence += 1
            heappush(heap, (clock[core] + LATENCY, sequence, ack, 0))

        def ack(_: int) -> None:
            nonlocal acks, done
            clock[0] = max(clock[0], now) + TAKE
            acks += 1
            if acks == CORES - 1:
                acks = 0
                done += 1
                if done < turns:
                    begin()

        begin()
        while heap:
            now, _, call, argument = heappop(heap)
            call(argument)
        return clock[0]

    def rpc(turns: int) -> int:
        heap: list[tuple[int, int, Callable[[int], None], int]] = []
        clock = [0] * CORES
        left = [turns] * CORES
        sequence = now = 0

        def client(core: int) -> None:
            nonlocal sequence
            clock[core] = max(clock[core], now) + WORK
            left[core] -= 1
            if left[core]:
                sequence += 1
                heappush(heap, (clock[core] + LATENCY, sequence, serve, core + 1))

        def serve(core: int) -> None:
            nonlocal sequence
            clock[core] = max(clock[core], now) + WORK
            sequence += 1
            heappush(heap, (clock[core] + LATENCY, sequence, client, core - 1))

        for core in range(1, CORES, 2):
            sequence += 1
            heappush(heap, (LATENCY, sequence, serve, core))
        while heap:
            now, _, call, argument = heappop(heap)
            call(argument)
        return clock[0]

    return {"shootdown": shootdown, "rpc": rpc}


ENGINES = {
    "engine": ours(_engine, digest=False),
    "engine, digest": ours(_engine, digest=True),
    "engine in Python": ours(engine_python, digest=False),
    "heapq callbacks": with_heapq(),
    "SimPy": with_simpy(),
}
MESSAGES = {"shootdown": 2 * (CORES - 1), "rpc": CORES}
"""A turn's."""


def timed(program: Program, turns: int) -> tuple[int, int]:
    """The virtual time at the end of a program, and the processor time it took, ns."""
    gc.collect()
    start = time.process_time_ns()
    return program(turns), time.process_time_ns() - start


def measure(rounds: int, messages: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """ns a message by program and engine, and how many times the engine's speed each of the others' is: medians
    over interleaved rounds."""
    result: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {}
    for program, per_turn in MESSAGES.items():
        turns = max(2, messages // per_turn)
        samples: dict[str, list[float]] = {name: [] for name in ENGINES}
        ends = set()
        for _ in range(rounds):
            for name, programs in ENGINES.items():
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result, ratios = measure(options.rounds, options.messages)
    if options.json:
        print(json.dumps({"ns_per_message": result, "times_the_engine": ratios}))
        return
    print("The SimPy programs:\n")
    print(inspect.getsource(with_simpy))
    for title, table, digits in (("ns a message", result, 0), ("times the engine's time", ratios, 2)):
        print(f"{title:<26}" + "".join(f"{program:>12}" for program in table))
        for name in ENGINES:
            print(f"  {name:<24}" + "".join(f"{row[name]:>12.{digits}f}" for row in table.values()))


if __name__ == "__main__":
    main()
