"""The engine: order, clocks, waiting and waking, interruption, errors, determinism."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mk_sim import _engine, engine_python
from mk_sim.engine import Actor, Engine, EngineError, Port
from multikernel.errors import LocalMisuse


@pytest.fixture(autouse=True, params=[_engine, engine_python], ids=["c", "python"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The engine that the names of this file stand for."""
    for name in ("Actor", "Engine", "Port"):
        monkeypatch.setitem(globals(), name, getattr(request.param, name))
    module: ModuleType = request.param
    return module


def test_events_run_by_time_then_in_the_order_they_were_queued() -> None:
    engine, seen = Engine(0), list[tuple[int, str]]()

    def note(name: str) -> None:
        seen.append((engine.now, name))
        if name == "a":  # into the window being handled: behind its equals, before what is later
            engine.at(engine.now, note, "a-again")
            engine.at(6, note, "between")

    for time, name in ((100_000, "far"), (5, "a"), (5, "b"), (7, "c"), (3, "first"), (100_000, "far too")):
        engine.at(time, note, name)
    engine.run()
    assert seen == [
        (3, "first"), (5, "a"), (5, "b"), (5, "a-again"), (6, "between"), (7, "c"),
        (100_000, "far"), (100_000, "far too"),
    ]  # fmt: skip


def test_what_was_far_when_it_was_queued_comes_before_what_is_later() -> None:
    engine, seen = Engine(0), list[int]()

    def note(then: int) -> None:
        seen.append(engine.now)
        if then:
            engine.at(then, note, 0)

    engine.at(68_000_000, note, 0)  # beyond all windows
    engine.at(10_000_000, note, 72_000_000)  # from there within them
    engine.at(500_000_000, note, 0)
    engine.run()
    assert seen == [10_000_000, 68_000_000, 72_000_000, 500_000_000]


def test_an_event_in_the_past_is_refused() -> None:
    engine = Engine(0)
    engine.at(10, lambda _: engine.at(9, lambda _: None, 0), 0)
    with pytest.raises(LocalMisuse, match="before now, 10 ps"):
        engine.run()


def test_spend_runs_ahead_and_sync_waits_for_the_world() -> None:
    engine, seen = Engine(0), list[str]()

    async def quick(actor: Actor) -> None:
        actor.spend(50)
        seen.append(f"ahead {actor.clock} {engine.now}")
        await actor.sync()
        seen.append(f"synced {actor.clock} {engine.now}")
        await actor.sync()

    engine.actor(0).start(quick(engine.actor(0)))
    engine.at(20, lambda _: seen.append("other 20"), 0)
    engine.run()
    assert seen == ["ahead 50 0", "other 20", "synced 50 50"]
    assert engine.waiting() == ()


def wait_once(pokes: list[tuple[int, int]], clock: int, deadline: int | None) -> list[tuple[int, int, int]]:
    """What waits return when poked with (time, value): (value, clock, now), until two waits in a row gave 0."""
    engine, seen = Engine(0), list[tuple[int, int, int]]()
    actor = engine.actor(0)

    async def main() -> None:
        actor.spend(clock)
        for _ in range(2):
            value = await actor.wait(deadline)
            seen.append((value, actor.clock, engine.now))

    actor.start(main())
    for time, value in pokes:
        actor.poke(value, time)
    engine.run()
    return seen


def test_wait_returns_pokes_or_the_deadline() -> None:
    assert wait_once([(30, 4)], 0, 90) == [(4, 30, 30), (0, 90, 90)]
    assert wait_once([], 0, 90) == [(0, 90, 90), (0, 90, 90)]


def test_pokes_before_the_clock_are_seen_together_at_the_clock() -> None:
    assert wait_once([(10, 1), (20, 2), (60, 8)], 50, 90) == [(3, 50, 50), (8, 60, 60)]


def test_a_deadline_before_the_clock_ends_the_wait_at_the_clock() -> None:
    assert wait_once([(60, 1)], 50, 20) == [(0, 50, 50), (0, 50, 50)]


def test_a_poke_to_an_actor_that_does_not_wait_is_remembered() -> None:
    engine, seen = Engine(0), list[int]()
    actor = engine.actor(0)

    async def main() -> None:
        await actor.block()
        seen.append(await actor.wait(None))

    actor.start(main())
    actor.poke(1, 10)
    actor.poke(4, 11)
    engine.at(40, actor.resume, None)
    engine.run()
    assert seen == [5]
    assert actor.clock == 40


def test_an_alarm_of_a_wait_that_ended_does_not_end_a_later_one() -> None:
    engine, seen = Engine(0), list[tuple[int, int]]()
    actor = engine.actor(0)

    async def main() -> None:
        for deadline in (100, 300, 200, None):
            seen.append((await actor.wait(deadline), engine.now))

    actor.start(main())
    actor.poke(1, 50)
    actor.poke(2, 120)
    actor.poke(4, 999)
    engine.run()
    assert seen == [(1, 50), (2, 120), (0, 200), (4, 999)]


def test_waiting_names_who_waits_for_ever() -> None:
    engine = Engine(0)

    async def stuck(actor: Actor) -> None:
        await actor.wait(None)

    async def ends(actor: Actor) -> None:
        await actor.wait(10)

    for number in (3, 1):
        engine.actor(number).start(stuck(engine.actor(number)))
    engine.actor(2).start(ends(engine.actor(2)))
    engine.run()
    assert engine.waiting() == (1, 3)


def test_run_until_and_stop_leave_the_rest_for_later() -> None:
    engine, seen = Engine(0), list[int]()
    for time in (10, 20, 20, 30, 40, 90_000):
        engine.at(time, lambda _: seen.append(engine.now), 0)
    engine.run(until=20)
    assert (seen, engine.now) == ([10], 20)
    engine.at(30, lambda _: engine.stop(), 0)
    engine.run()
    assert seen == [10, 20, 20, 30]
    engine.run()
    assert seen == [10, 20, 20, 30, 40, 90_000]


def test_an_exception_carries_core_and_time_and_the_others_go_on() -> None:
    engine, seen = Engine(0), list[int]()

    async def bad(actor: Actor) -> None:
        actor.spend(7)
        raise ValueError("broken program")

    async def good(actor: Actor) -> None:
        await actor.wait(50)
        seen.append(engine.now)

    engine.actor(5).start(bad(engine.actor(5)))
    engine.actor(6).start(good(engine.actor(6)))
    with pytest.raises(EngineError, match="core 5 at 7 ps: ValueError: broken program") as caught:
        engine.run()
    assert (caught.value.core, caught.value.at_ps) == (5, 7)
    assert isinstance(caught.value.__cause__, ValueError)
    engine.run()
    assert seen == [50]


def test_a_second_program_on_a_busy_actor_is_refused() -> None:
    engine = Engine(0)

    async def main() -> None:
        await engine.actor(0).wait(None)

    engine.actor(0).start(main())
    second = main()
    with pytest.raises(LocalMisuse, match="already runs"):
        engine.actor(0).start(second)
    second.close()
    engine.run()
    assert engine.waiting() == (0,)


def test_streams_differ_by_core_and_repeat_by_seed() -> None:
    def draw(seed: int, number: int) -> tuple[int, ...]:
        stream = Engine(seed).actor(number).random
        return (stream.next(), stream.below(1000))

    assert draw(1, 0) == draw(1, 0)
    assert len({draw(seed, number) for seed in (1, 2) for number in range(4)}) == 8


def ring(seed: int, latency: int) -> Engine:
    """Sixteen actors pass messages to others they draw; half of them run ahead."""
    engine = Engine(seed)
    ports = [Port(engine.actor(number)) for number in range(16)]

    async def node(port: Port) -> None:
        actor = port.actor
        for turn in range(20):
            actor.spend(actor.random.below(5_000))
            port.send(ports[actor.random.below(16)], bytes([actor.number, turn]), latency)
            if turn % 2:
                await actor.sync()
        while True:
            await port

    for port in ports:
        port.actor.start(node(port))
    engine.run()
    assert engine.deliveries == 320
    return engine


GOLDEN = "eb7984584856630f2e9d21a86d64aa08a7bfd6e488553e26e5e0123284e2afc9"


@pytest.mark.determinism
def test_the_digest_is_that_of_the_seed_and_the_latencies() -> None:
    assert ring(1, 90_000).digest == GOLDEN
    assert ring(2, 90_000).digest != GOLDEN
    assert ring(1, 90_001).digest != GOLDEN


@pytest.mark.determinism
@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_the_digest_does_not_depend_on_hash_seeds(hash_seed: str) -> None:
    program = "from tests.sim.test_engine import ring; print(ring(1, 90_000).digest)"
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
    }
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == GOLDEN


def test_a_message_costs_who_sends_it_and_who_takes_it() -> None:
    """Whether it is waited for or has come before."""
    engine, clocks = Engine(0), list[int]()
    a, b = Port(engine.actor(0), send=7), Port(engine.actor(1), take=5)

    async def sender() -> None:
        for _ in range(2):
            a.send(b, b"", 100)
            clocks.append(a.actor.clock)

    async def receiver() -> None:
        await b
        clocks.append(b.actor.clock)
        b.actor.spend(1000)
        await b.actor.sync()
        await b
        clocks.append(b.actor.clock)

    a.actor.start(sender())
    b.actor.start(receiver())
    engine.run()
    assert clocks == [7, 14, 107 + 5, 107 + 5 + 1000 + 5]


def test_the_trace_sees_every_delivery_in_order() -> None:
    engine, seen = Engine(0), list[tuple[int, int, int, bytes]]()
    engine.trace = lambda *delivery: seen.append(delivery)
    a, b = Port(engine.actor(0)), Port(engine.actor(1))

    async def sender() -> None:
        a.send(b, b"one", 100)
        a.actor.spend(10)
        a.send(b, b"two", 100)

    async def receiver() -> None:
        assert [await b, await b] == [b"one", b"two"]

    a.actor.start(sender())
    b.actor.start(receiver())
    engine.run()
    assert seen == [(100, 0, 1, b"one"), (110, 0, 1, b"two")]
    assert engine.deliveries == 2
