"""The engine in C does what the one in Python does, event by event, whatever actors do and however it is run."""

from __future__ import annotations

import gc
import weakref
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk_sim import _engine, engine_python
from mk_sim.engine_errors import EngineError

ACTORS = 4
TIMES = st.sampled_from([0, 1, 50, 65_535, 65_536, 65_537, 200_000, 67_108_863, 67_108_864, 500_000_000])
"""About the edges of windows, and of what all windows together reach."""
STEPS = st.one_of(
    st.tuples(st.just("spend"), TIMES, st.just(0)),
    st.tuples(st.just("sync"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), TIMES, st.just(0)),
    st.tuples(st.just("wait-long"), st.just(0), st.just(0)),
    st.tuples(st.just("poke"), TIMES, st.integers(0, ACTORS - 1)),
    st.tuples(st.just("send"), TIMES, st.integers(0, ACTORS - 1)),
    st.tuples(st.just("recv"), st.just(0), st.just(0)),
    st.tuples(st.just("at"), TIMES, st.integers(0, 1)),
    st.tuples(st.just("raise"), st.just(0), st.just(0)),
)
PROGRAMS = st.lists(st.lists(STEPS, max_size=12), min_size=ACTORS, max_size=ACTORS)
RUNS = st.lists(st.one_of(st.none(), TIMES), max_size=6)


def history(module: ModuleType, programs: list[list[tuple[str, int, int]]], runs: list[int | None]) -> list[object]:
    """What happens, in order: every step with both clocks, how each run ends, the digest."""
    engine = module.Engine(7)
    seen: list[object] = []
    ports = [module.Port(engine.actor(number), 3 * number, 5 * number) for number in range(ACTORS)]

    async def play(number: int) -> None:
        actor, port = ports[number].actor, ports[number]
        for name, time, other in programs[number]:
            value: object = None
            if name == "spend":
                actor.spend(time)
            elif name == "sync":
                await actor.sync()
            elif name == "wait":
                value = await actor.wait(engine.now + time)
            elif name == "wait-long":
                value = await actor.wait(None)
            elif name == "poke":
                ports[other].actor.poke(1 + number, engine.now + time)
            elif name == "send":
                port.send(ports[other], b"%d %d" % (number, time), time)
            elif name == "recv":
                value = await port
            elif name == "at":
                engine.at(engine.now + time, note if other else halt, number)
            else:
                raise KeyError(number)
            seen.append((number, name, value, actor.clock, engine.now, actor.random.below(100)))

    def note(number: int) -> None:
        seen.append(("event", number, engine.now))

    def halt(number: int) -> None:
        seen.append(("halt", number, engine.now))
        engine.stop()

    for number in range(ACTORS):
        ports[number].actor.start(play(number))
    for until in (*runs, None, None, None, None, None):
        try:
            engine.run(None if until is None else engine.now + until)
        except EngineError as error:
            seen.append((str(error), error.core, error.at_ps, type(error.__cause__)))
        seen.append((engine.now, engine.events, engine.deliveries, engine.waiting()))
    seen.append(engine.digest)
    return seen


@settings(deadline=None, max_examples=300)
@given(programs=PROGRAMS, runs=RUNS)
def test_histories_are_equal(programs: list[list[tuple[str, int, int]]], runs: list[int | None]) -> None:
    assert history(_engine, programs, runs) == history(engine_python, programs, runs)


@pytest.mark.parametrize("module", [_engine, engine_python], ids=["c", "python"])
def test_what_is_left_of_a_run_is_collected(module: ModuleType) -> None:
    """Engine, actors, coroutines and queued events hold each other; nothing holds them."""

    class Thing:
        pass

    def fill() -> list[weakref.ref[Thing]]:
        engine, things = module.Engine(0), [Thing() for _ in range(5)]
        port = module.Port(engine.actor(0))

        async def play(thing: Thing) -> None:
            await port
            await port

        port.actor.start(play(things[0]))
        engine.at(10, lambda _: None, (engine, things[1]))
        engine.at(10**12, lambda _: None, (engine, things[2]))
        engine.at(100_000, lambda _: None, (engine, things[3]))
        engine.trace = lambda *_: things[4]
        engine.run(5)
        return [weakref.ref(thing) for thing in things]

    left = fill()
    gc.collect()
    assert [ref() for ref in left] == [None] * 5


@pytest.mark.parametrize("module", [_engine, engine_python], ids=["c", "python"])
def test_an_interrupt_passes_through(module: ModuleType) -> None:
    engine = module.Engine(0)

    async def interrupted() -> None:
        raise KeyboardInterrupt

    engine.actor(0).start(interrupted())
    with pytest.raises(KeyboardInterrupt):
        engine.run()


def test_lines_beyond_256_gigabytes_are_delivered() -> None:
    """Their numbers have more than 32 bits."""
    digests: list[str] = []
    for module in (_engine, engine_python):
        engine = module.Engine(0)
        engine.delivered((1 << 40) // 64 * 64 + 5, 3, bytes(64))
        digests.append(engine.digest)
    assert digests[0] == digests[1] != module.Engine(0).digest
