"""Three programs of messages between simulated cores, each written for this engine, for SimPy and for heapq.

    shootdown   core 0 tells all others, each works and answers; again and again
    commit      two-phase commit, 16 under way: core 0 asks all others, tells them when all have answered, and begins
                the next when all have answered that
    rpc         half of the cores are clients: each calls a server drawn at random, works, and calls again

What a program does, in virtual time, is said once, by the constants and tables here: every engine must end at the
same picosecond.  What a core spends on each message, this engine's programs say of its port, as LogP does; the others
wait for it, or count it.  `ours`, `with_simpy`, `tuned_simpy`, `with_heapq` give programs by name; a program takes a
number of turns and returns the virtual time at its end.  `jitted.py` has them for Numba.

Knows nothing of measuring.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import cache
from heapq import heappop, heappush
from random import Random
from types import ModuleType
from typing import TypeAlias

import simpy

CORES = 64
LATENCY = 300_000
SEND, TAKE, WORK = 1_000, 1_000, 20_000
"""Picoseconds to send, to take a message, to work on one."""
UNEVEN = 37
"""Picoseconds more that each core works on a commit than the core before it, so that no two answers come at once."""
DEPTH = 16
"""Commits under way."""
DRAWS = 61
"""Calls that a client of `rpc` draws."""
Program: TypeAlias = Callable[[int], int]
"""Runs so many turns and returns the virtual time at the end, ps."""


@cache
def calls(turns: int, cores: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each client of `rpc` and each turn which server it calls, from 0, and how long it works then, ps: DRAWS of
    them, over and over, so that what is measured is the engine and not the fetching of a long table."""
    drawn = Random(1)
    half = cores // 2
    each = [[(drawn.randrange(half), drawn.randrange(WORK, 3 * WORK)) for _ in range(DRAWS)] for _ in range(half)]
    return tuple(tuple((draws * -(-turns // DRAWS))[:turns]) for draws in each)


def messages(cores: int = CORES) -> dict[str, int]:
    """How many messages a turn of each program sends."""
    return {"shootdown": 2 * (cores - 1), "commit": 4 * (cores - 1), "rpc": cores // 2 * 2}


def ours(module: ModuleType, digest: bool, cores: int = CORES) -> dict[str, Program]:
    Engine, Port = module.Engine, module.Port

    def shootdown(turns: int) -> int:
        engine = Engine(1, digest)
        ports = [Port(engine.actor(0), SEND, TAKE), *(Port(engine.actor(n), take=WORK) for n in range(1, cores))]

        async def master(port: Port) -> None:
            for _ in range(turns):
                for slave in ports[1:]:
                    port.send(slave, b"unmap", LATENCY)
                for _ in ports[1:]:
                    await port

        async def slave(port: Port) -> None:
            for _ in range(turns):
                await port
                port.send(ports[0], b"done", LATENCY)

        ports[0].actor.start(master(ports[0]))
        for port in ports[1:]:
            port.actor.start(slave(port))
        engine.run()
        return ports[0].actor.clock

    def commit(turns: int) -> int:
        engine = Engine(1, digest)
        slaves = (Port(engine.actor(number), take=WORK + UNEVEN * number) for number in range(1, cores))
        ports = [Port(engine.actor(0), SEND, TAKE), *slaves]

        async def master(port: Port) -> None:
            slaves = ports[1:]
            missing, voting = [0] * DEPTH, [False] * DEPTH

            def tell(slot: int, vote: bool) -> None:
                message = bytes([slot])
                missing[slot], voting[slot] = cores - 1, vote
                for slave in slaves:
                    port.send(slave, message, LATENCY)

            begun = min(DEPTH, turns)
            for slot in range(begun):
                tell(slot, True)
            for _ in range(2 * turns * (cores - 1)):
                slot = (await port)[0]
                missing[slot] -= 1
                if missing[slot]:
                    continue
                if voting[slot]:
                    tell(slot, False)
                elif begun < turns:
                    begun += 1
                    tell(slot, True)

        async def slave(port: Port) -> None:
            for _ in range(2 * turns):
                message = await port
                port.send(ports[0], message, LATENCY)

        ports[0].actor.start(master(ports[0]))
        for port in ports[1:]:
            port.actor.start(slave(port))
        engine.run()
        return ports[0].actor.clock

    def rpc(turns: int) -> int:
        engine = Engine(1, digest)
        half = cores // 2
        clients = [Port(engine.actor(number)) for number in range(half)]
        servers = [Port(engine.actor(number), take=WORK) for number in range(half, cores)]

        async def client(port: Port, turns: tuple[tuple[int, int], ...]) -> None:
            actor = port.actor
            name = bytes([actor.number])
            for server, work in turns:
                port.send(servers[server], name, LATENCY)
                await port
                actor.spend(work)

        async def serve(port: Port) -> None:
            while True:
                name = await port
                port.send(clients[name[0]], b"reply", LATENCY)

        for port, table in zip(clients, calls(turns, cores), strict=True):
            port.actor.start(client(port, table))
        for port in servers:
            port.actor.start(serve(port))
        engine.run()
        return max(port.actor.clock for port in clients)

    return {"shootdown": shootdown, "commit": commit, "rpc": rpc}


def with_simpy() -> dict[str, Program]:
    class Cable:
        """A mailbox behind a delay, as in SimPy's own example of an event with latency."""

        def __init__(self, env: simpy.Environment) -> None:
            self.env = env
            self.store = simpy.Store(env)

        def latency(self, message: object) -> Generator[simpy.Event, object, None]:
            yield self.env.timeout(LATENCY)
            self.store.put(message)

        def put(self, message: object) -> None:
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

    def commit(turns: int) -> int:
        env = simpy.Environment()
        to = [Cable(env) for _ in range(CORES)]
        missing, voting = [0] * DEPTH, [False] * DEPTH

        def tell(slot: int, vote: bool) -> Generator[simpy.Event, object, None]:
            missing[slot], voting[slot] = CORES - 1, vote
            for cable in to[1:]:
                yield env.timeout(SEND)
                cable.put(slot)

        def master() -> Generator[simpy.Event, int, None]:
            begun = min(DEPTH, turns)
            for slot in range(begun):
                yield from tell(slot, True)
            for _ in range(2 * turns * (CORES - 1)):
                slot = yield to[0].get()
                yield env.timeout(TAKE)
                missing[slot] -= 1
                if missing[slot]:
                    continue
                if voting[slot]:
                    yield from tell(slot, False)
                elif begun < turns:
                    begun += 1
                    yield from tell(slot, True)

        def slave(core: int) -> Generator[simpy.Event, int, None]:
            for _ in range(2 * turns):
                slot = yield to[core].get()
                yield env.timeout(WORK + UNEVEN * core)
                to[0].put(slot)

        env.process(master())
        for core in range(1, CORES):
            env.process(slave(core))
        env.run()
        return int(env.now)

    def rpc(turns: int) -> int:
        env = simpy.Environment()
        clients = [Cable(env) for _ in range(CORES // 2)]
        servers = [Cable(env) for _ in range(CORES // 2)]

        def client(back: Cable, table: tuple[tuple[int, int], ...]) -> Generator[simpy.Event, object, None]:
            for server, work in table:
                servers[server].put(back)
                yield back.get()
                yield env.timeout(work)

        def serve(calls: Cable) -> Generator[simpy.Event, Cable, None]:
            while True:
                back = yield calls.get()
                yield env.timeout(WORK)
                back.put(b"reply")

        for cable, table in zip(clients, calls(turns, CORES), strict=True):
            env.process(client(cable, table))
        for cable in servers:
            env.process(serve(cable))
        env.run()
        return int(env.now)

    return {"shootdown": shootdown, "commit": commit, "rpc": rpc}


def tuned_simpy() -> dict[str, Program]:
    """SimPy by who knows how it works inside: a core counts its own time and does not wait for it, a message is one
    event, and what arrives continues the process that waits at once, without another event."""

    class Mailbox:
        __slots__ = ("arrived", "clock", "env", "waiting")

        def __init__(self, env: simpy.Environment) -> None:
            self.env = env
            self.clock = 0
            self.arrived: deque[tuple[int, object]] = deque()
            self.waiting: simpy.Event | None = None

        def send(self, other: Mailbox, message: object) -> None:
            event = simpy.Timeout(self.env, self.clock + LATENCY - self.env.now, message)
            event.callbacks.append(other.arrive)

        def arrive(self, event: simpy.Event) -> None:
            waiting = self.waiting
            if waiting is None:
                self.arrived.append((self.env.now, event._value))
                return
            self.waiting = None
            if self.clock < self.env.now:
                self.clock = self.env.now
            waiting._ok, waiting._value = True, event._value
            callbacks, waiting.callbacks = waiting.callbacks, None
            callbacks[0](waiting)

        def get(self) -> simpy.Event:
            """What to yield where nothing has arrived."""
            self.waiting = event = simpy.Event(self.env)
            return event

        def take(self) -> object:
            now, message = self.arrived.popleft()
            if self.clock < now:
                self.clock = now
            return message

    def shootdown(turns: int) -> int:
        env = simpy.Environment()
        boxes = [Mailbox(env) for _ in range(CORES)]

        def master(box: Mailbox) -> Generator[simpy.Event, object, None]:
            for _ in range(turns):
                for other in boxes[1:]:
                    box.clock += SEND
                    box.send(other, b"unmap")
                for _ in boxes[1:]:
                    if box.arrived:
                        box.take()
                    else:
                        yield box.get()
                    box.clock += TAKE

        def slave(box: Mailbox) -> Generator[simpy.Event, object, None]:
            for _ in range(turns):
                if box.arrived:
                    box.take()
                else:
                    yield box.get()
                box.clock += WORK
                box.send(boxes[0], b"done")

        env.process(master(boxes[0]))
        for box in boxes[1:]:
            env.process(slave(box))
        env.run()
        return boxes[0].clock

    def commit(turns: int) -> int:
        env = simpy.Environment()
        boxes = [Mailbox(env) for _ in range(CORES)]
        missing, voting = [0] * DEPTH, [False] * DEPTH

        def master(box: Mailbox) -> Generator[simpy.Event, int, None]:
            def tell(slot: int, vote: bool) -> None:
                missing[slot], voting[slot] = CORES - 1, vote
                for other in boxes[1:]:
                    box.clock += SEND
                    box.send(other, slot)

            begun = min(DEPTH, turns)
            for slot in range(begun):
                tell(slot, True)
            for _ in range(2 * turns * (CORES - 1)):
                slot = box.take() if box.arrived else (yield box.get())
                box.clock += TAKE
                missing[slot] -= 1
                if missing[slot]:
                    continue
                if voting[slot]:
                    tell(slot, False)
                elif begun < turns:
                    begun += 1
                    tell(slot, True)

        def slave(box: Mailbox, work: int) -> Generator[simpy.Event, int, None]:
            for _ in range(2 * turns):
                slot = box.take() if box.arrived else (yield box.get())
                box.clock += work
                box.send(boxes[0], slot)

        env.process(master(boxes[0]))
        for core in range(1, CORES):
            env.process(slave(boxes[core], WORK + UNEVEN * core))
        env.run()
        return boxes[0].clock

    def rpc(turns: int) -> int:
        env = simpy.Environment()
        clients = [Mailbox(env) for _ in range(CORES // 2)]
        servers = [Mailbox(env) for _ in range(CORES // 2)]

        def client(box: Mailbox, table: tuple[tuple[int, int], ...]) -> Generator[simpy.Event, object, None]:
            for server, work in table:
                box.send(servers[server], box)
                if box.arrived:
                    box.take()
                else:
                    yield box.get()
                box.clock += work

        def serve(box: Mailbox) -> Generator[simpy.Event, Mailbox, None]:
            while True:
                back = box.take() if box.arrived else (yield box.get())
                box.clock += WORK
                box.send(back, b"reply")

        for box, table in zip(clients, calls(turns, CORES), strict=True):
            env.process(client(box, table))
        for box in servers:
            env.process(serve(box))
        env.run()
        return max(box.clock for box in clients)

    return {"shootdown": shootdown, "commit": commit, "rpc": rpc}


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

    def commit(turns: int) -> int:
        heap: list[tuple[int, int, Callable[[int, int], None], int, int]] = []
        clock = [0] * CORES
        missing, voting = [0] * DEPTH, [False] * DEPTH
        sequence = now = 0
        begun = min(DEPTH, turns)

        def tell(slot: int, vote: bool) -> None:
            nonlocal sequence
            missing[slot], voting[slot] = CORES - 1, vote
            for core in range(1, CORES):
                clock[0] += SEND
                sequence += 1
                heappush(heap, (clock[0] + LATENCY, sequence, slave, core, slot))

        def slave(core: int, slot: int) -> None:
            nonlocal sequence
            clock[core] = max(clock[core], now) + WORK + UNEVEN * core
            sequence += 1
            heappush(heap, (clock[core] + LATENCY, sequence, answer, 0, slot))

        def answer(_: int, slot: int) -> None:
            nonlocal begun
            clock[0] = max(clock[0], now) + TAKE
            missing[slot] -= 1
            if missing[slot]:
                return
            if voting[slot]:
                tell(slot, False)
            elif begun < turns:
                begun += 1
                tell(slot, True)

        for slot in range(begun):
            tell(slot, True)
        while heap:
            now, _, call, core, slot = heappop(heap)
            call(core, slot)
        return clock[0]

    def rpc(turns: int) -> int:
        heap: list[tuple[int, int, Callable[[int, int], None], int, int]] = []
        half = CORES // 2
        clock = [0] * CORES
        table = calls(turns, CORES)
        done = [0] * half
        sequence = now = 0

        def call_next(core: int) -> None:
            nonlocal sequence
            sequence += 1
            heappush(heap, (clock[core] + LATENCY, sequence, serve, half + table[core][done[core]][0], core))

        def client(core: int, _: int) -> None:
            clock[core] = max(clock[core], now) + table[core][done[core]][1]
            done[core] += 1
            if done[core] < turns:
                call_next(core)

        def serve(core: int, caller: int) -> None:
            nonlocal sequence
            clock[core] = max(clock[core], now) + WORK
            sequence += 1
            heappush(heap, (clock[core] + LATENCY, sequence, client, caller, core))

        for core in range(half):
            call_next(core)
        while heap:
            now, _, call, core, other = heappop(heap)
            call(core, other)
        return max(clock[:half])

    return {"shootdown": shootdown, "commit": commit, "rpc": rpc}
