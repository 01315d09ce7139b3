"""Through which core each other is reached: a tree rooted at the boot core, over pairs that a transport serves
directly in both directions.

Interface: `gateways(board, registry, slots)`, each core with its gateway; `assert_gateways(skb, tree)`; `GATEWAYS`, the
predicate; `relayed(...)`, what may not be known when the tree is looked for anew; `stranded(...)`, the error for cores
that the tree does not reach.

A core hangs under the boot core if a transport serves the two; else under the least core nearest to it that
serves, one that is known to fail last.  Cores are looked at by what requirements can tell apart, so the work is
linear in cores and quadratic only in what is not served by the boot core.

May not know: what relaying is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

from multikernel.binding.pairs import signature
from multikernel.binding.slots import Slots
from multikernel.board.model import Board
from multikernel.board.topology import Topology
from multikernel.errors import BindingError
from multikernel.knowledge.demand import Demand
from multikernel.knowledge.facts import Key, Source, predicate
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry

GATEWAYS = (
    predicate("gateway(core: int, through: int)", "A core, and the one through which the boot core reaches it."),
)


def gateways(board: Board, registry: Registry, slots: Slots) -> dict[int, int]:
    """The gateway of each core that can be reached, by id; the boot core's is itself.  Asked before
    `assert_gateways`, when nothing that needs relaying serves yet."""
    topology = board.topology()
    direct = _Direct(board, registry, slots)
    waiting: dict[Hashable, list[int]] = {}
    for core in topology.cores:
        if core.id != topology.boot_core:
            alike = core.node, topology.memberships[core.id], direct.signatures[core.id]
            waiting.setdefault(alike, []).append(core.id)
    through = {topology.boot_core: topology.boot_core}
    near = [topology.boot_core]
    while near and waiting:
        found: dict[Hashable, int] = {}
        for key, cores in waiting.items():
            server = next((core for core in near if direct(core, cores[0])), None)
            if server is not None:
                found[key] = server
        near = []
        for key, server in found.items():
            cores = waiting.pop(key)
            through.update(dict.fromkeys(cores, server))
            near.append(min(cores, key=lambda core: (topology.core(core).fails != "", core)))
        near.sort(key=lambda core: (topology.core(core).fails != "", core))
    return dict(sorted(through.items()))


def assert_gateways(skb: Skb, tree: Mapping[int, int]) -> None:
    """The tree as facts."""
    source = Source("discovered", "tree of pairs served directly, from the boot core")
    for core, server in tree.items():
        skb.assert_fact("gateway", (core, server), source)


def relayed(registry: Registry, skb: Skb, tree: Mapping[int, int]) -> list[Key]:
    """Facts without which nothing is relayed, where the tree is known already: that there are transports which relay,
    or all of the tree where other rules ask for it too."""
    transports = [transport for transport in registry.transports if transport.scope == "circuit"]
    names = {transport.name for transport in transports}
    others = tuple(r for r in skb.program.rules if r.name != "transport_serves" or r.head.terms[0] not in names)
    demand = Demand(replace(skb.program, rules=others))
    if any("gateway" in demand.reach(asked) for asked in ("transport_candidate", "transport_of")):
        return [("gateway", row) for row in tree.items()]
    return [("transport", (transport.name, transport.rank)) for transport in transports]


def stranded(topology: Topology, slots: Slots, tree: Mapping[int, int]) -> None:
    """Raises BindingError naming the first core that the tree does not reach, and what each transport lacks."""
    root = topology.boot_core
    for core in topology.cores:
        if core.id not in tree:
            slot = f"transport:{topology.pair_class(root, core.id)}"
            lacks = [f"\n  {reject.name} needs {reject.unmet}" for reject in slots.rejected(slot, (root, core.id))]
            raise BindingError(
                f"core {core.id} has no way to boot core {root}: no transport serves it, in both directions, with the "
                f"boot core or a core that has one{''.join(lacks)}",
                slot=slot,
            )


class _Direct:
    """Whether a transport serves two cores in both directions without relaying.  Kept by what decides it."""

    def __init__(self, board: Board, registry: Registry, slots: Slots) -> None:
        self._topology, self._slots = board.topology(), slots
        self.signatures = {core.id: signature(self._topology, core.id) for core in self._topology.cores}
        self._by_class = any(slot.startswith("transport:") for slot, _ in board.bindings())
        relayed = [transport for transport in registry.transports if transport.scope == "circuit"]
        self._relayed = {transport.name for transport in relayed}
        self._limit = min((transport.rank for transport in relayed), default=None)
        self._known: dict[Hashable, bool] = {}

    def __call__(self, a: int, b: int) -> bool:
        return self._one_way(a, b) and self._one_way(b, a)

    def _one_way(self, a: int, b: int) -> bool:
        named = self._slots.named(self._slot(a, b)) if self._by_class else ""
        key = (named, self.signatures[a], self.signatures[b])
        if key not in self._known:
            self._known[key] = self._served(self._slot(a, b), a, b)
        return self._known[key]

    def _slot(self, a: int, b: int) -> str:
        return f"transport:{self._topology.pair_class(a, b)}"

    def _served(self, slot: str, a: int, b: int) -> bool:
        if self._slots.named(slot) in self._relayed:
            return False
        try:
            decision = self._slots.decide(slot, (a, b))
        except BindingError:
            return False
        ranks = {candidate.name: candidate.rank for candidate in decision.candidates}
        return decision.named_at != "" or self._limit is None or ranks[decision.chosen] < self._limit
