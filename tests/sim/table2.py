"""Latency and throughput of a message on the paper's machines: predicted beside published.

    python -m tests.sim.table2

Latencies of table 2 go into the parameters, so that they come out says only that nothing was lost on the way;
throughput does not go in.  A ring of 16 slots, homed at the receiver, both sides spinning, no software cost.
Pairs: every class, over each sending core's first partner in it, averaged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine

from mk_sim.coherence import Coherence
from mk_sim.engine import Actor, Engine
from mk_sim.parameters import Parameters, derive
from mk_sim.wires import Wires
from multikernel.blueprint import Blueprint
from multikernel.interfaces import Watch
from multikernel.system.ring import Receiver, Sender, direction
from tests.sim.machines import amd_2x2, amd_4x4, amd_8x4, intel_2x4

SLOTS = 16
MESSAGES = 256
PUBLISHED: dict[Callable[[int], Blueprint], dict[str, tuple[int, float]]] = {
    intel_2x4: {"shared:L2": (180, 11.97), "hops:0": (570, 3.78)},
    amd_2x2: {"shared:die": (450, 3.42), "hops:1": (532, 3.19)},
    amd_4x4: {"shared:L3": (448, 3.57), "hops:1": (545, 3.53), "hops:2": (558, 3.51)},
    amd_8x4: {"shared:L3": (538, 2.77), "hops:1": (613, 2.79), "hops:2": (618, 2.75)},
}
"""Cycles one way, messages in 1000 cycles (Baumann et al., SOSP 2009, table 2)."""


class CoreLines:
    """Lines `first` onwards as one core sees them."""

    coherent = True

    def __init__(self, memory: Coherence, actor: Actor, first: int, count: int) -> None:
        self.memory, self.actor, self.first, self.count = memory, actor, first, count

    def load(self, index: int) -> Awaitable[bytes]:
        return self.memory.load(self.actor, self.actor.number, self.first + index)

    def store(self, index: int, line: bytes) -> Awaitable[None]:
        return self.memory.store(self.actor, self.actor.number, self.first + index, line)

    def clean(self, index: int) -> Awaitable[None]:
        return self.memory.clean(self.actor, self.actor.number, self.first + index)

    def invalidate(self, index: int) -> Awaitable[None]:
        return self.memory.invalidate(self.actor, self.actor.number, self.first + index)

    def fence(self) -> Awaitable[None]:
        return self.memory.fence(self.actor, self.actor.number)

    async def until(self, watch: Watch) -> None:
        """Spin until the line's first word is another."""
        line = self.first + watch.index
        self.memory.watch(self.actor.number, line, self.actor, 1)
        while int.from_bytes(self.memory.peek(self.actor.number, line)[:8], "little") == watch.word:
            await self.actor.wait(None)
        self.memory.unwatch(self.actor.number, line)


class Pair:
    """Two cores and a ring each way, homed at its receiver, or at the nodes `homes`, of a's and of b's messages."""

    def __init__(self, parameters: Parameters, a: int, b: int, homes: tuple[int, int] | None = None) -> None:
        self.engine = Engine(1, digest=False)
        memory = Coherence(self.engine, parameters)
        nodes = {core.id: core.node for core in parameters.cores}
        firsts = {home.node: home.first for home in reversed(parameters.homes)}
        self.actors = [self.engine.actor(a), self.engine.actor(b)]
        starts = [firsts[node] + 64 * (1 + side) for side, node in enumerate(homes or (nodes[b], nodes[a]))]
        count = direction(SLOTS)
        self.out = [CoreLines(memory, self.actors[side], starts[side], count) for side in (0, 1)]
        self.inward = [CoreLines(memory, self.actors[side], starts[1 - side], count) for side in (0, 1)]
        self.time = 0

    async def _send(self, ring: Sender, lines: CoreLines) -> None:
        while not await ring.put(b"x"):
            await lines.until(ring.room())

    async def _take(self, ring: Receiver, lines: CoreLines) -> None:
        while await ring.take() is None:
            await lines.until(ring.watch())

    def run(self, side: Callable[[int], Coroutine[object, object, None]]) -> int:
        for index in (0, 1):
            self.actors[index].start(side(index))
        self.engine.run()
        return self.time

    def latency(self) -> int:
        """Half a round trip, ps."""

        async def side(index: int) -> None:
            out, inward = Sender(self.out[index], 0, SLOTS), Receiver(self.inward[index], 0, SLOTS)
            for turn in range(MESSAGES):
                if turn == SLOTS * 2:
                    self.time = -self.actors[0].clock
                for step in (0, 1):
                    if step == index:
                        await self._send(out, self.out[index])
                    else:
                        await self._take(inward, self.inward[index])
            if index == 0:
                self.time = (self.time + self.actors[0].clock) // (2 * (MESSAGES - SLOTS * 2))

        return self.run(side)

    def interval(self) -> int:
        """Time from one message to the next in a full stream, ps."""

        async def side(index: int) -> None:
            out, inward = Sender(self.out[0], 0, SLOTS), Receiver(self.inward[1], 0, SLOTS)
            for turn in range(MESSAGES):
                if index == 0:
                    await self._send(out, self.out[0])
                    continue
                if turn == SLOTS * 2:
                    self.time = -self.actors[1].clock
                await self._take(inward, self.inward[1])
            if index == 1:
                self.time = (self.time + self.actors[1].clock) // (MESSAGES - SLOTS * 2)

        return self.run(side)


def pairs(parameters: Parameters) -> dict[str, list[tuple[int, int]]]:
    wires, found = Wires(parameters), dict[str, list[tuple[int, int]]]()
    for a in parameters.cores:
        seen = set[str]()
        for b in parameters.cores:
            name = wires.pair_class(a, b)
            if a.id != b.id and name not in seen:
                seen.add(name)
                found.setdefault(name, []).append((a.id, b.id))
    return found


def predict(blueprint: Blueprint, most: int = 1000) -> dict[str, tuple[int, float]]:
    """(cycles one way, messages in 1000 cycles) by class, over about so many pairs of it, evenly chosen."""
    return predict_from(derive(blueprint), blueprint.kinds[0].mhz, most)


def predict_from(parameters: Parameters, mhz: int, most: int = 1000) -> dict[str, tuple[int, float]]:
    """The same of parameters."""
    rows = {}
    for name, every in pairs(parameters).items():
        members = every[:: max(1, len(every) // most)]
        latency = sum(Pair(parameters, a, b).latency() for a, b in members) / len(members)
        interval = sum(Pair(parameters, a, b).interval() for a, b in members) / len(members)
        rows[name] = round(latency * mhz / 1e6), round(1e9 / (interval * mhz), 2)
    return rows


def main() -> None:
    print("machine    class       misses   cycles: here, published   per kcycle: here, published, ratio")
    for machine, published in PUBLISHED.items():
        for outstanding in (1, 8):
            rows = predict(machine(outstanding))
            for name, (cycles, rate) in published.items():
                mine = rows[name]
                print(
                    f"{machine.__name__:<10} {name:<11} {outstanding:>6} {mine[0]:>14} {cycles:>10}"
                    f" {mine[1]:>17} {rate:>10} {mine[1] / rate:>6.2f}"
                )


if __name__ == "__main__":
    main()
