"""The interconnect at work: how long a transaction takes, and how it waits for links in use.

    wires = Wires(parameters)
    wires.home(line)                                        node
    wires.places                                            a number for each core: where it is
    wires.transaction(now, requester, home, others, data, own) -> ps from now to its end
    wires.memory(now, requester, home)                      the same, past the caches
    wires.offset(core, others)                              ps that the cores themselves add, 0 unless `offsets`

Cores of one kind, node, island and groups are at one place, unless the board has a latency for each pair:
nothing here tells them apart, and what a line with thousands of sharers costs is worked out by places.  What a
core's own place adds (a mesh's) is added beside that: the requester's, and the most that one of the others adds.

A transaction occupies every directed link on its path for its packets' bytes: the request to the home, the
probes (to every node, or to the caches concerned), the responses to the requester, the data, and the
requester's last word to the home.  Links serve in the order transactions begin; a transaction waits for the
slowest of its links, beside the latency it has on an idle machine.  Where parameters give a time for it, it occupies
its home's memory controller in the same way.

Packets (HyperTransport I/O Link Specification 3.10, 4.4: requests with an address are 8 bytes, responses
4, data follow whole): request and probe 8 bytes, response and last word 4, data 64 after a response.

Invariant: called in global time order.  May not know: caches' contents, actors.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mk_sim.geometry import Geometry
from mk_sim.latencies import relation
from multikernel.pairs import pair_name, places

if TYPE_CHECKING:
    from mk_sim.parameters import CoreParameters, Parameters

_REQUEST = 8
_RESPONSE = 4
_DATA = 64
_PATHS = 4096
"""Transactions remembered; the links of one take some 3 KB on a machine of 64 nodes."""
_PAST_CACHES = -1
"""In place of the places concerned: an access to memory that looks into no cache."""


class Path(NamedTuple):
    """A transaction's time on an idle machine, ps, and (directed link, ps it is occupied)."""

    ps: int
    links: tuple[tuple[int, int], ...] = ()


class Wires:
    """See the module."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        nodes = [core.node for core in parameters.cores] + [home.node for home in parameters.homes]
        nodes += [end for link in parameters.links for end in (link.a, link.b)]
        self._geometry = Geometry(parameters.links, nodes)
        self._ps_per_kib = [link.ps_per_kib for link in parameters.links for _ in range(2)]
        self._controllers = {node: len(self._ps_per_kib) + at for at, node in enumerate(sorted(set(nodes)))}
        self._free = [0] * (len(self._ps_per_kib) + len(self._controllers))
        self._fixed = dict(parameters.fixed_ps)
        self._homed = {(name, home): ps for name, home, ps in parameters.homed_ps}
        self._pairs = {(sender, receiver): ps for sender, receiver, ps in parameters.pairs_ps}
        self._offsets = {core.id: core.offset_ps for core in parameters.cores if core.offset_ps}
        self.offsets = bool(self._offsets)
        self._worst = max(self._fixed.values())
        self._memory = dict(parameters.memory_ps)
        self._islands_apart = any(name.startswith("island:") for name in self._fixed)
        self._distances = {(a, b): distance for a, b, distance in parameters.distances}
        self._firsts = [home.first for home in parameters.homes]
        self.places = tuple(range(len(parameters.cores))) if self._pairs else places(parameters.cores)
        self._cores = list(dict(zip(self.places, parameters.cores, strict=True)).values())  # one of each place
        self._crowd = Counter(self.places)
        self.path = lru_cache(_PATHS)(self._work_out)
        self.links, self.pairs = len(self._free), bool(self._pairs)

    def home(self, line: int) -> int:
        """The node that homes a line; -1 outside every region."""
        index = bisect_right(self._firsts, line) - 1
        if index >= 0 and line <= self._parameters.homes[index].last:
            return self._parameters.homes[index].node
        return -1

    def pair_class(self, a: CoreParameters, b: CoreParameters) -> str:
        """The class of two cores, named as on the board."""
        shared = next((rank for rank in a.groups if rank in b.groups), -1)
        linked = a.node == b.node or bool(self._geometry.route(a.node, b.node))
        return pair_name(
            shared_level=self._parameters.levels[shared] if shared >= 0 else "",
            hops=self._geometry.hops(a.node, b.node) if linked and a.node >= 0 else None,
            distance=self._distances.get((a.node, b.node)),
            same_island=a.island >= 0 and a.island == b.island,
            kinds=(a.kind, b.kind),
        )

    def transaction(self, now: int, requester: int, home: int, others: int, data: int, own: bool) -> int:
        """Picoseconds a coherent transaction takes that begins now, of a core at place `requester`.  `others` has
        a bit for each place with caches it concerns, none if only memory; `data` is the node the line's data
        come from, -1 if they do not travel.  `own`: the requester is about to write, else to read."""
        path = self.path(requester, home, others, data, own)
        free, wait = self._free, 0
        for link, ps in path.links:
            at = free[link]
            if at <= now:
                free[link] = now + ps
            else:
                free[link] = at + ps
                if at - now > wait:
                    wait = at - now
        return path.ps + wait

    def memory(self, now: int, requester: int, home: int) -> int:
        """Picoseconds of an access to memory past the caches that begins now, of a core at place `requester`."""
        return self.transaction(now, requester, home, _PAST_CACHES, home, False)

    def offset(self, core: int, others: Iterable[int]) -> int:
        """See the module.  A pair with a latency of its own has no offset."""
        mine, pairs, plus = self._offsets.get(core, 0), self._pairs, self._offsets
        return max((0 if (core, other) in pairs else mine + plus.get(other, 0) for other in others), default=mine)

    def _work_out(self, requester: int, home: int, others: int, data: int, own: bool) -> Path:
        core, flood = self._cores[requester], False
        probed: tuple[int, ...]
        if others == _PAST_CACHES or core.island < 0:
            fixed, probed, data = self._memory_part(requester, home), (home,), home
        else:
            island = self._parameters.islands[core.island]
            concerned = [other for place, other in enumerate(self._cores) if others >> place & 1]
            parts = [self._part(core, other, home) if own else self._part(other, core, home) for other in concerned]
            share = 100 - self._parameters.fetch_percent if own else self._parameters.fetch_percent
            fixed = 2 * max(parts) * share // 100 if concerned else self._memory_part(requester, home)
            if island.protocol == "bus":
                return Path(fixed)
            flood = island.protocol == "probe-broadcast"
            probed = island.nodes if flood else tuple(sorted({other.node for other in concerned})) or (home,)
        legs = self._geometry.legs(core.node, home, probed)
        return Path(fixed + self._parameters.hop_ps * legs, self._load(core.node, home, probed, data, flood))

    def _part(self, sender: CoreParameters, receiver: CoreParameters, home: int) -> int:
        """The fixed part of a transaction of a message: the pair's, its class's and home's, or its class's."""
        pair = self._pairs.get((sender.id, receiver.id))
        if pair is not None:
            return pair
        name = self.pair_class(sender, receiver)
        homed = self._homed.get((name, relation(home, sender.node, receiver.node)))
        return self._fixed.get(name, self._worst) if homed is None else homed

    def _memory_part(self, requester: int, home: int) -> int:
        """The fixed part of a transaction that no cache answers.  Where islands lie on nodes of their own, memory of a
        node is as far as the farthest of the node's cores."""
        core = self._cores[requester]
        if self._islands_apart and core.node >= 0 <= home:
            near = [other for other in self._cores if other.node == home]
            if self._crowd[requester] == 1:
                near = [other for other in near if other is not core]
            if near:
                return max(self._part(core, other, home) for other in near)
        return self._memory[core.kind]

    def _load(
        self, requester: int, home: int, probed: tuple[int, ...], data: int, flood: bool
    ) -> tuple[tuple[int, int], ...]:
        """(directed link, time it is occupied) of a transaction's packets; probes flood a tree, or go one by
        one to those concerned."""
        route = self._geometry.route
        packets = [(route(requester, home), _REQUEST + _RESPONSE)]
        probes = [self._geometry.tree(home)] if flood else [route(home, node) for node in probed]
        packets += [(links, _REQUEST) for links in probes]
        packets += [(route(node, requester), _RESPONSE) for node in probed]
        if data >= 0:
            packets.append((route(data, requester), _DATA))
        load: dict[int, int] = {}
        for links, size in packets:
            for link in links:
                load[link] = load.get(link, 0) + size
        occupied = [
            (link, size * self._ps_per_kib[link] // 1024)
            for link, size in sorted(load.items())
            if self._ps_per_kib[link]
        ]
        if self._parameters.controller_ps and home in self._controllers:
            occupied.append((self._controllers[home], self._parameters.controller_ps))
        return tuple(occupied)
