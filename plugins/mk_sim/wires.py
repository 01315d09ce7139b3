"""The interconnect at work: how long a transaction takes, and how it waits for links in use.

    wires = Wires(parameters)
    wires.home(line)                                        node
    wires.transaction(now, requester, home, others, data) -> ps from now to its end
    wires.memory(now, requester, home)                      the same, past the caches

A transaction occupies every directed link on its path for its packets' bytes: the request to the home, the
probes (to every node, or to the caches concerned), the responses to the requester, the data, and the
requester's last word to the home.  Links serve in the order transactions begin; a transaction waits for the
slowest of its links, beside the latency it has on an idle machine.

Packets (HyperTransport I/O Link Specification 3.10, 4.4: requests with an address are 8 bytes, responses
4, data follow whole): request and probe 8 bytes, response and last word 4, data 64 after a response.

Invariant: called in global time order.  May not know: caches' contents, actors.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mk_sim.geometry import Geometry
from multikernel.pairs import pair_name

if TYPE_CHECKING:
    from mk_sim.parameters import CoreParameters, Parameters

_REQUEST = 8
_RESPONSE = 4
_DATA = 64


class Wires:
    """See the module."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._islands = parameters.islands
        nodes = [core.node for core in parameters.cores] + [home.node for home in parameters.homes]
        nodes += [end for link in parameters.links for end in (link.a, link.b)]
        self._geometry = Geometry(parameters.links, nodes)
        self._ps_per_kib = [link.ps_per_kib for link in parameters.links for _ in range(2)]
        self._free = [0] * len(self._ps_per_kib)
        self._fixed = dict(parameters.fixed_ps)
        self._worst = max(self._fixed.values())
        self._memory = dict(parameters.memory_ps)
        self._distances = {(a, b): distance for a, b, distance in parameters.distances}
        self._firsts = [home.first for home in parameters.homes]
        self._pairs: dict[tuple[int, int], int] = {}
        self._loads: dict[tuple[int, int, tuple[int, ...], int], tuple[tuple[int, int], ...]] = {}
        self._legs: dict[tuple[int, int, tuple[int, ...]], int] = {}

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

    def _fixed_ps(self, a: CoreParameters, b: CoreParameters) -> int:
        known = self._pairs.get((a.id, b.id))
        if known is None:
            known = self._pairs[a.id, b.id] = self._fixed.get(self.pair_class(a, b), self._worst)
        return known

    def transaction(
        self, now: int, requester: CoreParameters, home: int, others: Iterable[CoreParameters], data: int
    ) -> int:
        """Picoseconds a coherent transaction takes that begins now.  `others` are the cores whose caches it
        concerns, none if only memory; `data` the node the line's data come from, -1 if they do not travel."""
        if requester.island < 0:
            return self.memory(now, requester, home)
        island = self._islands[requester.island]
        fixed, nodes = 0, []
        for other in others:
            fixed = max(fixed, self._fixed_ps(requester, other))
            nodes.append(other.node)
        if not nodes:
            fixed = self._memory[requester.kind]
            nodes.append(home)
        if island.protocol == "bus":
            return fixed
        if island.protocol == "probe-broadcast":
            return fixed + self._travel(now, requester.node, home, island.nodes, data, True)
        return fixed + self._travel(now, requester.node, home, tuple(sorted(dict.fromkeys(nodes))), data, False)

    def memory(self, now: int, requester: CoreParameters, home: int) -> int:
        """Picoseconds of an access to memory past the caches that begins now."""
        return self._memory[requester.kind] + self._travel(now, requester.node, home, (home,), home, False)

    def _travel(self, now: int, requester: int, home: int, probed: tuple[int, ...], data: int, flood: bool) -> int:
        """Time of the legs, and of waiting for the links, which are occupied."""
        legs = self._legs.get((requester, home, probed))
        if legs is None:
            legs = self._legs[requester, home, probed] = self._geometry.legs(requester, home, probed)
        wait = 0
        free = self._free
        for link, ps in self._load(requester, home, probed, data, flood):
            at = free[link]
            if at <= now:
                free[link] = now + ps
            else:
                free[link] = at + ps
                if at - now > wait:
                    wait = at - now
        return self._parameters.hop_ps * legs + wait

    def _load(
        self, requester: int, home: int, probed: tuple[int, ...], data: int, flood: bool
    ) -> tuple[tuple[int, int], ...]:
        """(directed link, time it is occupied) of a transaction's packets; probes flood a tree, or go one by
        one to those concerned."""
        key = (requester, home, probed, data)
        known = self._loads.get(key)
        if known is None:
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
            known = self._loads[key] = tuple(
                (link, size * self._ps_per_kib[link] // 1024)
                for link, size in sorted(load.items())
                if self._ps_per_kib[link]
            )
        return known
