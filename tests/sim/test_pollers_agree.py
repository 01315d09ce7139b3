"""Poll arrays in C against those of `poller.py`: random watches, noticed alike and at the same times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mk_sim.engine as chosen
from mk_sim.coherence import Coherence
from mk_sim.hand import Hand, HandPoller, hand_of
from mk_sim.parameters import LINE, derive
from mk_sim.poller import LineAlarms, SimPoller
from multikernel.interfaces import Watch
from multikernel.system.operations import WindowLines
from tests.sim.machines import NODE_LINES, amd_8x4

pytestmark = pytest.mark.skipif(chosen.FOUND.module is None, reason="there is only the one in Python here")
PARAMETERS = derive(amd_8x4(2))
READER, WRITER, COUNT, CHECK = 5, 0, 4, 700
Step: TypeAlias = tuple[str, int, int, int]
Log: TypeAlias = list[tuple[object, ...]]
Pollers: TypeAlias = tuple[SimPoller | HandPoller, ...]

KINDS = ("arm", "arm", "arm", "past", "disarm", "disarm", "take", "store", "store", "device", "look", "wait")
STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, COUNT - 1), st.integers(0, 2), st.integers(0, 1))


def hand(memory: Coherence, engine: chosen.Engine) -> Hand:
    found = hand_of(memory, READER, engine.actor(READER), {}, {}, {"poll": 1}, 2000, plain=True)
    assert isinstance(found, Hand)
    return found


def in_c(memory: Coherence, engine: chosen.Engine) -> Pollers:
    one = hand(memory, engine)
    return one.poller(), one.poller()


def in_python(memory: Coherence, engine: chosen.Engine) -> Pollers:
    alarms = LineAlarms(memory, READER, engine.actor(READER))
    return SimPoller(alarms, 1), SimPoller(alarms, 2)


async def write(engine: chosen.Engine, memory: Coherence, steps: list[Step]) -> None:
    """Stores of another core, each some time after the one before."""
    actor = engine.actor(WRITER)
    for _, place, word, _ in steps:
        actor.spend(90_000)
        await actor.sync()
        await memory.store(actor, WRITER, NODE_LINES + place, word.to_bytes(8, "little") + bytes(LINE - 8))


async def poll(engine: chosen.Engine, memory: Coherence, pollers: Pollers, steps: list[Step], log: Log) -> None:
    """The core that polls: arms, disarms, takes what it notices, and says what it sees."""
    actor, keys, begun = engine.actor(READER), [-1], 0
    cached = hand(memory, engine).window(NODE_LINES, COUNT, True)
    past = WindowLines(2 * NODE_LINES * LINE, COUNT, False, True)
    for kind, place, word, which in steps:
        poller = pollers[which]
        found: object = None
        if kind in ("arm", "past"):
            keys.append(poller.arm(Watch(past if kind == "past" else cached, place, word)))
        elif kind == "disarm":
            poller.disarm(keys[-1 - place % len(keys)])
        elif kind == "take":
            begun = actor.clock
            found = poller.noticed(begun, CHECK)
            if found is not None:
                poller.disarm(found[1])
        elif kind == "store":
            line = word.to_bytes(8, "little") + bytes(LINE - 8)
            await memory.store(actor, READER, NODE_LINES + place, line)
        elif kind == "device":
            memory.write_memory(2 * NODE_LINES + place, word.to_bytes(8, "little") + bytes(LINE - 8))
        elif kind == "wait":
            found = await actor.wait(actor.clock + 1 + word * 200_000)
        elif kind == "look":  # a loop begins, and is not over before the next
            begun = actor.clock
        seen = [(one.noticed(begun, CHECK), one.lost(), one.lap(CHECK), one.armed()) for one in pollers]
        log.append((engine.now, actor.clock, kind, keys[-1], found, *seen))
    log.append((await actor.wait(engine.now + 900_000), [one.noticed(actor.clock, CHECK) for one in pollers]))


def run(made: Callable[[Coherence, chosen.Engine], Pollers], steps: list[Step], stores: list[Step]) -> Log:
    log: Log = []
    engine = chosen.Engine(1)
    memory = Coherence(engine, PARAMETERS)
    engine.actor(READER).start(poll(engine, memory, made(memory, engine), steps, log))
    engine.actor(WRITER).start(write(engine, memory, stores))
    engine.run()
    log.append((engine.now, engine.events, memory.transactions))
    return log


@given(st.lists(STEP, max_size=60), st.lists(STEP, max_size=12))
@settings(max_examples=300, deadline=None)
def test_random_watches_go_the_same_way(steps: list[Step], stores: list[Step]) -> None:
    assert run(in_c, steps, stores) == run(in_python, steps, stores)


def test_places_are_used_again_lowest_first() -> None:
    engine = chosen.Engine(1)
    memory = Coherence(engine, PARAMETERS)
    one = hand(memory, engine)
    poller, window = one.poller(), one.window(NODE_LINES, 40, True)
    assert [poller.arm(Watch(window, index, 0)) for index in range(40)] == list(range(40))
    for key in (17, 3, 17, -1, 40, 29):
        poller.disarm(key)
    assert (poller.armed(), poller.lap(10)) == (37, 400)
    assert [poller.arm(Watch(window, index, 0)) for index in range(4)] == [3, 17, 29, 40]
