"""The caches in C against those in Python: random programs end at the same times, with the same sights and pokes."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mk_sim.engine as chosen
import mk_sim.engine_python as oracle
from mk_sim.coherence import Coherence
from mk_sim.parameters import derive
from multikernel.blueprint import Blueprint
from tests.sim.machines import NODE_LINES, amd_8x4, machine

pytestmark = pytest.mark.skipif(chosen.FOUND.module is None, reason="there is only the one in Python here")
LINES = (0, 1, NODE_LINES, 3 * NODE_LINES + 1, 9 * NODE_LINES)
Step: TypeAlias = tuple[str, int, int]
Log: TypeAlias = list[tuple[object, ...]]

STEP = st.tuples(
    st.sampled_from(
        ("load", "load", "store", "store", "fence", "clean", "invalidate", "swap", "load_uncached", "store_uncached",
         "watch", "watch_memory", "unwatch", "unwatch_memory", "device", "spend")
    ),
    st.integers(0, len(LINES) - 1),
    st.integers(0, 3),
)  # fmt: skip
PROGRAMS = st.lists(st.lists(STEP, max_size=24), min_size=2, max_size=5)
MACHINES = st.sampled_from(
    (amd_8x4(1), amd_8x4(8), machine(nodes=4, per_node=2, mhz=1000, latencies={"hops:1": 300}, islands=2,
     links=((0, 1), (2, 3)), protocol="directory", outstanding=2, store_buffer=16, level="L2"))
)  # fmt: skip


async def perform(engine: oracle.Engine, memory: Coherence, number: int, steps: list[Step], log: Log) -> None:
    actor = engine.actor(number)
    for kind, place, value in steps:
        line, data = LINES[place], value.to_bytes(8, "little") + bytes(56)
        seen: object = None
        if kind in ("load", "load_uncached", "clean", "invalidate"):
            seen = await getattr(memory, kind)(actor, number, line)
        elif kind in ("store", "store_uncached"):
            await getattr(memory, kind)(actor, number, line, data)
        elif kind == "fence":
            await memory.fence(actor, number)
        elif kind == "swap":
            seen = await memory.swap(actor, number, line, 0, value, value + 1)
        elif kind in ("watch", "watch_memory"):
            getattr(memory, kind)(number, line, actor, 1 << place)
        elif kind in ("unwatch", "unwatch_memory"):
            getattr(memory, kind)(number, line)
        elif kind == "device":
            memory.write_memory(line, data)
        else:
            actor.spend(value * 40_000)
            await actor.sync()
        log.append((engine.now, number, kind, actor.clock, seen, memory.peek(number, line), memory.lost(number, LINES)))
    for _ in range(2):
        log.append((engine.now, number, await actor.wait(engine.now + 500_000)))


def run(engine: oracle.Engine, blueprint: Blueprint, programs: list[list[Step]]) -> Log:
    log: Log = []
    memory = Coherence(engine, derive(blueprint))
    for number, steps in enumerate(programs):
        engine.actor(number * 7 % len(blueprint.cores)).start(
            perform(engine, memory, number * 7 % len(blueprint.cores), steps, log)
        )
    engine.run()
    log.append((engine.now, engine.events, memory.transactions, *map(memory.peek_memory, LINES)))
    return log


@given(MACHINES, PROGRAMS)
@settings(max_examples=150, deadline=None)
def test_random_programs_go_the_same_way(blueprint: Blueprint, programs: list[list[Step]]) -> None:
    first = run(oracle.Engine(1), blueprint, programs)
    assert run(chosen.Engine(1), blueprint, programs) == first
