"""Coherence: what a core sees and when, store buffers, lines one at a time, islands, watched lines."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from itertools import permutations
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk_sim.coherence import Coherence
from mk_sim.engine import Actor, Engine, EngineError
from mk_sim.parameters import derive
from multikernel.blueprint import Blueprint
from multikernel.errors import LocalMisuse
from tests.sim.machines import NODE_LINES, amd_8x4, intel_2x4, machine

LINE = 64
Program: TypeAlias = Callable[["World", Actor], Coroutine[object, object, None]]


def word(number: int) -> bytes:
    return number.to_bytes(8, "little") + bytes(56)


def value(line: bytes) -> int:
    return int.from_bytes(line[:8], "little")


class World:
    """An engine, its memory, and programs on some cores; cycles are those of the machine's one kind."""

    def __init__(self, blueprint: Blueprint, programs: Mapping[int, Program]) -> None:
        self.engine = Engine(1)
        self.memory = Coherence(self.engine, derive(blueprint))
        self.mhz = blueprint.kinds[0].mhz
        self.seen: list[int] = []
        for core, program in programs.items():
            self.engine.actor(core).start(program(self, self.engine.actor(core)))
        self.engine.run()
        assert self.engine.waiting() == ()

    def cycles(self, ps: int) -> int:
        return round(ps * self.mhz / 1_000_000)

    async def load(self, actor: Actor, line: int) -> int:
        return value(await self.memory.load(actor, actor.number, line))

    async def store(self, actor: Actor, line: int, number: int) -> None:
        await self.memory.store(actor, actor.number, line, word(number))

    async def until(self, actor: Actor, line: int, wanted: int) -> None:
        self.memory.watch(actor.number, line, actor, 1)
        while value(self.memory.peek(actor.number, line)) != wanted:
            await actor.wait(None)
        self.memory.unwatch(actor.number, line)


TWO_ISLANDS = partial(
    machine, nodes=1, per_node=2, mhz=1000, latencies={"shared:L3": 100, "island:hops:0": 300, "island:shared:L3": 300},
    protocol="directory", islands=2,
)  # fmt: skip


def test_a_message_costs_the_latency_of_its_class() -> None:
    async def sender(world: World, actor: Actor) -> None:
        await world.load(actor, 7)
        await actor.wait(10_000_000)
        world.seen.append(actor.clock)
        await world.store(actor, 7, 1)

    async def receiver(world: World, actor: Actor) -> None:
        await world.load(actor, 7)
        await world.until(actor, 7, 1)
        world.seen.append(actor.clock)

    for other, published in ((1, 180), (2, 570)):
        world = World(intel_2x4(), {0: sender, other: receiver})
        assert world.cycles(world.seen[1] - world.seen[0]) == published + 3  # and the store itself


def test_fixed_parts_and_links_add_up_to_the_stated_latencies() -> None:
    parameters = derive(amd_8x4())
    assert parameters.hop_ps == 15_000
    stated = {row.pair_class: row.ps for row in amd_8x4().interconnect.latencies}
    mean_legs = {"shared:L3": 14, "hops:1": 14, "hops:2": 14.4}  # of the ladder, counted by hand
    for name, fixed in parameters.fixed_ps:
        assert 2 * fixed + parameters.hop_ps * mean_legs[name] == pytest.approx(stated[name], abs=1)


def test_what_is_not_stated_is_named() -> None:
    blueprint = machine(nodes=2, per_node=1, mhz=1000, latencies={"hops:1": 100}, links=((0, 1),), bandwidth_mbs=-1,
                        hop_ns=-1, outstanding=-1, store_buffer=-1, protocol="")  # fmt: skip
    text = "\n".join(derive(blueprint).assumptions)
    for what in ("misses in flight", "store buffer", "protocol", "bandwidth", "links: latency", "latency of memory"):
        assert what in text


def test_a_core_sees_its_own_store_before_others_do() -> None:
    async def writer(world: World, actor: Actor) -> None:
        await world.store(actor, 9, 5)
        world.seen.append(await world.load(actor, 9))
        world.seen.append(value(world.memory.peek(3, 9)))
        await world.memory.fence(actor, 0)
        world.seen.append(value(world.memory.peek(3, 9)))

    assert World(intel_2x4(), {0: writer}).seen == [5, 0, 5]


def test_a_full_store_buffer_makes_the_core_wait() -> None:
    def program(count: int) -> Program:
        async def writer(world: World, actor: Actor) -> None:
            for line in range(count):
                await world.store(actor, line, 1)
            world.seen.append(world.cycles(actor.clock))

        return writer

    clocks = [World(intel_2x4(), {0: program(count)}).seen[0] for count in (5, 6, 7)]  # 44 stores: 5 lines
    assert clocks[0] == 5 * 3
    assert clocks[1] == pytest.approx(285 + 3, abs=3)
    assert clocks[2] == pytest.approx(2 * 285 + 3, abs=3)


def test_one_line_serves_one_core_after_another_and_many_lines_many() -> None:
    def reader(line: int) -> Program:
        async def program(world: World, actor: Actor) -> None:
            await actor.wait(1_000_000)
            await world.load(actor, line)
            world.seen.append(world.cycles(actor.clock - 1_000_000))

        return program

    one = World(intel_2x4(), {core: reader(3) for core in range(8)})
    many = World(intel_2x4(), {core: reader(core) for core in range(8)})
    assert many.seen == [285 + 3] * 8
    assert one.seen[0] == 285 + 3
    assert max(one.seen) > 4 * 285


def test_a_core_keeps_as_many_misses_in_flight_as_its_kind_can() -> None:
    async def writer(world: World, actor: Actor) -> None:
        for line in range(5):
            await world.store(actor, line, 1)
        await world.memory.fence(actor, 0)
        world.seen.append(world.cycles(actor.clock))

    assert World(intel_2x4(1), {0: writer}).seen[0] == pytest.approx(5 * 285, abs=20)
    assert World(intel_2x4(8), {0: writer}).seen[0] == pytest.approx(285, abs=20)


def test_transactions_wait_for_a_slow_link() -> None:
    async def reader(world: World, actor: Actor) -> None:
        for line in range(20):
            await world.load(actor, NODE_LINES * 7 + line + 100 * actor.number)
        world.seen.append(actor.clock)

    fast = World(amd_8x4(bandwidth_mbs=4000), dict.fromkeys(range(8), reader))
    slow = World(amd_8x4(bandwidth_mbs=400), dict.fromkeys(range(8), reader))
    assert max(slow.seen) > 1.5 * max(fast.seen)


@pytest.mark.parametrize(("clean", "invalidate", "expected"), [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 0)])
def test_only_clean_and_invalidate_together_carry_data_across_islands(
    clean: int, invalidate: int, expected: int
) -> None:
    async def writer(world: World, actor: Actor) -> None:
        await actor.wait(1_000_000)
        await world.store(actor, 5, 1)
        await world.memory.fence(actor, 0)
        if clean:
            await world.memory.clean(actor, 0, 5)

    async def reader(world: World, actor: Actor) -> None:
        await world.load(actor, 5)
        await actor.wait(9_000_000)
        if invalidate:
            await world.memory.invalidate(actor, 1, 5)
        world.seen.append(await world.load(actor, 5))

    assert World(TWO_ISLANDS(), {0: writer, 1: reader}).seen == [expected]


def test_uncached_accesses_meet_in_memory_and_look_into_no_cache() -> None:
    async def writer(world: World, actor: Actor) -> None:
        await world.store(actor, 6, 7)
        await world.memory.store_uncached(actor, 0, 5, word(1))
        await world.memory.store_uncached(actor, 0, 5, word(2))
        world.seen.append(value(await world.memory.load_uncached(actor, 0, 5)))
        world.seen.append(value(await world.memory.load_uncached(actor, 0, 6)))

    async def reader(world: World, actor: Actor) -> None:
        await world.load(actor, 5)
        await actor.wait(9_000_000)
        world.seen.append(value(await world.memory.load_uncached(actor, 1, 5)))
        world.seen.append(await world.load(actor, 5))

    assert World(TWO_ISLANDS(), {0: writer, 1: reader}).seen == [2, 0, 2, 0]


def test_a_watch_pokes_every_poller_once_and_only_for_other_data() -> None:
    async def writer(world: World, actor: Actor) -> None:
        for number in (1, 1, 2):
            await actor.wait(actor.clock + 20_000_000)
            await world.store(actor, 5, number)

    async def poller(world: World, actor: Actor) -> None:
        world.memory.watch(actor.number, 5, actor, 1)
        while (poked := await actor.wait(100_000_000)) or actor.clock < 100_000_000:
            if poked:
                world.seen.append(100 * actor.number + await world.load(actor, 5))
        world.memory.unwatch(actor.number, 5)

    world = World(intel_2x4(), {0: writer} | dict.fromkeys(range(1, 8), poller))
    assert sorted(world.seen) == [100 * core + number for core in range(1, 8) for number in (1, 2)]


def test_a_watch_across_islands_pokes_when_memory_changes() -> None:
    async def writer(world: World, actor: Actor) -> None:
        await actor.wait(1_000_000)
        await world.store(actor, 5, 3)
        await world.memory.clean(actor, 0, 5)

    async def reader(world: World, actor: Actor) -> None:
        await world.load(actor, 5)
        world.memory.watch(1, 5, actor, 1)
        await actor.wait(None)
        world.seen.append(await world.load(actor, 5))
        await world.memory.invalidate(actor, 1, 5)
        world.seen.append(await world.load(actor, 5))

    assert World(TWO_ISLANDS(), {0: writer, 1: reader}).seen == [0, 3]


def test_a_watch_sees_that_its_island_dropped_the_line() -> None:
    async def dropper(world: World, actor: Actor) -> None:
        await world.store(actor, 5, 3)
        await actor.wait(10_000_000)
        await world.memory.invalidate(actor, 0, 5)

    async def watcher(world: World, actor: Actor) -> None:
        for wanted in (3, 0):  # what memory has
            await world.until(actor, 5, wanted)
            world.seen.append(actor.clock // 10_000_000)

    assert World(intel_2x4(), {0: dropper, 1: watcher}).seen == [0, 1]


def test_misuse_is_refused() -> None:
    async def short(world: World, actor: Actor) -> None:
        await world.memory.store(actor, 0, 5, b"short")

    with pytest.raises(EngineError, match="a store writes a line of 64 bytes, not 5"):
        World(intel_2x4(), {0: short})
    with pytest.raises(LocalMisuse, match="no core 99"):
        World(intel_2x4(), {}).memory.peek(99, 0)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["load", "store", "fence", "spend", "spin"]), st.integers(0, 3), st.integers(0, 400)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(programs=st.lists(OPERATIONS, min_size=2, max_size=5), outstanding=st.sampled_from([1, 2, 8]))
def test_any_programs_end_and_see_stores_in_order(programs: list[list[tuple[str, int, int]]], outstanding: int) -> None:
    """Every core writes a growing number to lines of its own, and reads everybody's.  A core that has seen a
    writer's n-th store must see at least that much of the writer's other lines: stores become visible in
    order (total store order, AMD64 manual volume 2, 7.2).  In the end everybody sees the last."""
    last: dict[int, int] = {}

    def program(steps: list[tuple[str, int, int]]) -> Program:
        async def run(world: World, actor: Actor) -> None:
            mine, written, known = actor.number, 0, dict[int, int]()
            history: dict[int, list[int]] = {}
            for what, target, amount in steps:
                if what == "store":
                    written += 1
                    await world.store(actor, 16 * mine + target, written)
                    last[16 * mine + target] = written
                elif what == "load":
                    for writer in range(len(programs)):
                        seen = await world.load(actor, 16 * writer + target)
                        assert seen >= known.get(16 * writer + target, 0)
                        known[16 * writer + target] = seen
                        history.setdefault(writer, []).append(seen)
                elif what == "fence":
                    await world.memory.fence(actor, mine)
                elif what == "spend":
                    actor.spend(amount * 1000)
                else:
                    world.memory.watch(mine, 16 * amount % 64 + target, actor, 1)
                    await actor.wait(actor.clock + amount * 100)
                    world.memory.unwatch(mine, 16 * amount % 64 + target)
            await world.memory.fence(actor, mine)

        return run

    world = World(amd_8x4(outstanding), {5 * core: program(steps) for core, steps in enumerate(programs)})
    for line, number in last.items():
        assert {value(world.memory.peek(core, line)) for core in range(32)} == {number}


@pytest.mark.parametrize("outstanding", [1, 8])
def test_swaps_of_many_cores_lose_no_count(outstanding: int) -> None:
    async def adder(world: World, actor: Actor) -> None:
        for _ in range(10):
            swapped = False
            while not swapped:
                seen = await world.load(actor, 77)
                swapped = await world.memory.swap(actor, actor.number, 77, 0, seen, seen + 1)

    async def spinner(world: World, actor: Actor) -> None:
        await world.until(actor, 77, 80)
        world.seen.append(await world.load(actor, 77))

    programs = dict.fromkeys(range(0, 32, 4), adder) | {7: spinner}
    assert World(amd_8x4(outstanding), programs).seen == [80]


@pytest.mark.parametrize("outstanding", [1, 8])
def test_who_sees_the_flag_sees_the_data(outstanding: int) -> None:
    async def writer(world: World, actor: Actor) -> None:
        for turn in range(1, 20):
            actor.spend(actor.random.below(300_000))
            await world.store(actor, 1, turn)
            await world.store(actor, NODE_LINES * 5 + 2, turn)

    async def reader(world: World, actor: Actor) -> None:
        flag = 0
        while flag < 19:
            flag = await world.load(actor, NODE_LINES * 5 + 2)
            assert await world.load(actor, 1) >= flag
            actor.spend(actor.random.below(300_000))

    World(amd_8x4(outstanding), {0: writer, 9: reader, 22: reader, 31: reader})


def test_store_buffers_let_both_read_the_old_and_fences_do_not() -> None:
    def side(mine: int, other: int, fence: bool) -> Program:
        async def run(world: World, actor: Actor) -> None:
            await world.load(actor, other)
            await actor.wait(10_000_000)
            await world.store(actor, mine, 1)
            if fence:
                await world.memory.fence(actor, actor.number)
            world.seen.append(await world.load(actor, other))

        return run

    assert World(amd_8x4(), {0: side(1, 2, False), 9: side(2, 1, False)}).seen == [0, 0]
    assert 1 in World(amd_8x4(), {0: side(1, 2, True), 9: side(2, 1, True)}).seen


def test_a_fetch_that_ends_after_the_line_came_changes_nothing() -> None:
    """A core spins on a line that a swap of its own is about to bring it.  What it stores there later takes as long as
    if it had not, whoever has read the line since and wherever its home is."""
    row = machine(
        nodes=4, per_node=2, mhz=1000, latencies={"hops:1": 300}, links=((0, 1), (1, 2), (2, 3)), protocol="directory",
        outstanding=8, store_buffer=16, level="L2",
    )  # fmt: skip

    def store_takes(line: int, writer: int, reader: int, spins: bool) -> int:
        async def write(world: World, actor: Actor) -> None:
            if spins:
                world.engine.at(1000, lambda _: world.memory.watch(writer, line, actor, 1), None)
            await world.memory.swap(actor, writer, line, 0, 0, 1)
            actor.spend(10_000_000)
            await actor.sync()
            await world.store(actor, line, 2)
            await world.memory.fence(actor, writer)
            world.seen.append(actor.clock)

        async def read(world: World, actor: Actor) -> None:
            actor.spend(5_000_000)
            await actor.sync()
            await world.load(actor, line)

        (end,) = World(row, {writer: write, reader: read}).seen
        return end

    for writer, reader in permutations(range(8), 2):
        for home in range(4):
            without = store_takes(home * NODE_LINES, writer, reader, False)
            assert store_takes(home * NODE_LINES, writer, reader, True) == without
