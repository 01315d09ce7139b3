"""The four message patterns of a shootdown over bare cache lines: no kernel, no software costs.

    python -m tests.sim.shootdown [--outstanding 1 8] [--hop-ns 15] [--bandwidth-mbs 4000]

    broadcast   one line that every slave spins on; each acknowledges in a line of its own
    unicast     a line for each slave
    multicast   a line for the first core of each package, which passes it on to the others of its package and
                acknowledges when they have; every line homed at the master's node
    numa        the same, every line homed at its reader's node, the farthest package first

The patterns are those of Baumann et al., SOSP 2009, section 5.1; the master spins on all the
acknowledgements it waits for.  Prints cycles from the first store to the last acknowledgement.
"""

from __future__ import annotations

import argparse
from itertools import count

from mk_sim.coherence import Coherence
from mk_sim.engine import Actor, Engine
from mk_sim.geometry import Geometry
from mk_sim.parameters import Parameters, derive
from tests.sim.machines import NODE_LINES, amd_8x4

PROTOCOLS = ("broadcast", "unicast", "multicast", "numa")
ROUNDS = 6
"""Per run; the first two warm the caches and do not count."""


def word(number: int) -> bytes:
    return number.to_bytes(8, "little") + bytes(56)


class Run:
    """One pattern on the first `cores` cores, master 0."""

    def __init__(self, parameters: Parameters, protocol: str, cores: int) -> None:
        self.engine = Engine(1, digest=False)
        self.memory = Coherence(self.engine, parameters)
        self.nodes = [core.node for core in parameters.cores]
        self._next = count(1)
        self._receiver_homed = protocol == "numa"
        children = self._tree(parameters, protocol, cores)
        self.ends: list[int] = []
        self.starts: list[int] = []
        shared = self._line(0) if protocol == "broadcast" else -1
        asks = {core: shared if shared >= 0 else self._line(core) for core in range(1, cores)}
        acks = {core: self._line(parent) for parent, below in children.items() for core in below}
        for core in range(cores):
            below = children.get(core, ())
            writes = [shared] if shared >= 0 and below else [asks[child] for child in below]
            program = self._core(core, asks.get(core, -1), writes, [acks[child] for child in below], acks.get(core, -1))
            self.engine.actor(core).start(program)
        self.engine.run()
        assert not self.engine.waiting()

    def _line(self, reader: int) -> int:
        """A fresh line, a page from the next as channels are."""
        return self.nodes[reader if self._receiver_homed else 0] * NODE_LINES + next(self._next) * 64

    def _tree(self, parameters: Parameters, protocol: str, cores: int) -> dict[int, tuple[int, ...]]:
        if protocol in ("broadcast", "unicast"):
            return {0: tuple(range(1, cores))}
        packages: dict[int, list[int]] = {}
        for core in range(cores):
            packages.setdefault(self.nodes[core], []).append(core)
        heads = [members[0] for node, members in packages.items() if node != self.nodes[0]]
        if protocol == "numa":
            geometry = Geometry(parameters.links, self.nodes)
            heads.sort(key=lambda head: -geometry.hops(self.nodes[0], self.nodes[head]))
        tree = {0: (*heads, *packages[self.nodes[0]][1:])}
        return tree | {members[0]: tuple(members[1:]) for members in packages.values() if members[0] in heads}

    async def _core(self, core: int, ask: int, writes: list[int], gathers: list[int], ack: int) -> None:
        actor = self.engine.actor(core)
        for turn in range(1, ROUNDS + 1):
            if ask >= 0:
                await self._spin(actor, [ask], turn)
            else:
                await actor.wait(actor.clock + 20_000_000)  # longer than a round takes to settle
                self.starts.append(actor.clock)
            for line in writes:
                await self.memory.store(actor, core, line, word(turn))
            await self._spin(actor, gathers, turn)
            if ack >= 0:
                await self.memory.store(actor, core, ack, word(turn))
            else:
                self.ends.append(actor.clock)

    async def _spin(self, actor: Actor, lines: list[int], turn: int) -> None:
        """Until each of `lines` shows `turn`; a watch's value is its line's bit."""
        core, wanted = actor.number, word(turn)
        waiting = 0
        for index, line in enumerate(lines):
            self.memory.watch(core, line, actor, 1 << index)
            waiting |= 1 << index
        look = waiting
        while True:
            for index, line in enumerate(lines):
                if look & waiting & 1 << index and self.memory.peek(core, line) == wanted:
                    await self.memory.load(actor, core, line)
                    waiting &= ~(1 << index)
            if not waiting:
                break
            look = await actor.wait(None)
        for line in lines:
            self.memory.unwatch(core, line)

    @property
    def ps(self) -> int:
        """Mean time of a round."""
        times = [end - start for start, end in zip(self.starts, self.ends, strict=True)][2:]
        return sum(times) // len(times)


def curves(parameters: Parameters, mhz: int, sizes: list[int]) -> dict[str, list[int]]:
    """Cycles by protocol, for each number of cores."""
    return {
        protocol: [Run(parameters, protocol, cores).ps * mhz // 1_000_000 for cores in sizes] for protocol in PROTOCOLS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--outstanding", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--hop-ns", type=int, default=15)
    parser.add_argument("--bandwidth-mbs", type=int, default=4000)
    options = parser.parse_args()
    sizes = [2, 4, 8, 12, 16, 20, 24, 28, 32]
    for outstanding in options.outstanding:
        blueprint = amd_8x4(outstanding, options.bandwidth_mbs, options.hop_ns)
        print(f"misses in flight: {outstanding}")
        print("cores     " + "".join(f"{size:>8}" for size in sizes))
        for protocol, cycles in curves(derive(blueprint), 2000, sizes).items():
            print(f"{protocol:<10}" + "".join(f"{each:>8}" for each in cycles))


if __name__ == "__main__":
    main()
