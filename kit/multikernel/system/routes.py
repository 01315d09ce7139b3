"""What the blueprint says about a pair of cores and about trees, indexed for use at run time.

    routes.transport(a, b) -> PairClass        which transport, whose memory, how many slots
    routes.member(tree, core) -> Member        parent and children of a core in a multicast tree
    routes.holders(object)                     the cores that hold an object agreed on among equals
    routes.registers(a, b)                     where a finds the device that carries its messages to and from b
    routes.gateway(core)                       the core that starts it; of the boot core itself
    routes.children(core)                      those it starts
    routes.next_hop(here, target)              the neighbour in the tree of gateways towards target
    routes.same_island(a, b)                   whether a and b keep each other's caches coherent
    routes.one_island                          whether all cores do

The class of a pair is worked out from the two cores' rows, as the SKB did for the class.

May not know: how the SKB decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multikernel.blueprint import PairClass
from multikernel.interfaces import LINE
from multikernel.pairs import node_hops, places
from multikernel.system.protocol import Member
from multikernel.system.registers import WINDOW

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint, CoreEntry

TREES = ("broadcast", "unicast", "multicast", "numa")
"""Trees by number, as messages name them."""


class Routes:
    """Immutable index over a blueprint; shared by the cores as the blueprint is."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._cores: dict[int, CoreEntry] = {core.id: core for core in blueprint.cores}
        self._classes: dict[str, PairClass] = {entry.name: entry for entry in blueprint.pair_classes}
        self._pair_name = blueprint.bound_class
        self._devices = {device.id: device for device in blueprint.devices}
        self._members: tuple[dict[int, Member], ...] = tuple(_members(blueprint, name) for name in TREES)
        self._holders = {
            placement.slot.removeprefix("group:"): _cores(str(placement.value))
            for placement in blueprint.placements
            if placement.slot.startswith("group:")
        }
        self._wires = blueprint.interconnect
        self.boot_core = blueprint.boot_core
        local = next((binding.plugin for binding in blueprint.bindings if binding.slot == "transport:self"), "lmp")
        self.local = PairClass("self", len(blueprint.cores), self.boot_core, self.boot_core, local, "sender", 16, "")
        self.cores: tuple[int, ...] = tuple(sorted(self._cores))
        self._translating = frozenset(kind.name for kind in blueprint.kinds if kind.mmu == "full")
        self.one_island: bool = all(self.same_island(core, self.boot_core) for core in self.cores)
        self._places = dict(zip(self._cores, places(blueprint.cores), strict=True))
        self._pairs: dict[tuple[int, int, int, int], PairClass] = {}
        self._hops: dict[tuple[int, int], int] = {}
        self._children: dict[int, list[int]] = {}
        for core in self.cores:
            if core != self.boot_core:
                self._children.setdefault(self.gateway(core), []).append(core)

    def core(self, core: int) -> CoreEntry:
        """KeyError for a core not in the core table."""
        return self._cores[core]

    def known(self, core: int) -> bool:
        """Whether `core` is in the core table."""
        return core in self._cores

    def transport(self, a: int, b: int) -> PairClass:
        """The class of the directed pair; KeyError names it when the blueprint has none."""
        if a == b:
            return self.local
        key = self._places[a], self._places[b], self._cores[a].mark, self._cores[b].mark
        known = self._pairs.get(key)
        if known is None:
            known = self._pairs[key] = self._classes[self._pair_name(self._cores[a], self._cores[b])]
        return known

    def registers(self, a: int, b: int) -> tuple[int, int]:
        """Physical address and number of lines of core `a`'s window towards `b`, of the device that carries what
        the two say to each other (`system/registers.py`).  KeyError where no device does."""
        device = self._devices[self.transport(a, b).device]
        place = device.cores.index(a) * len(device.cores) + device.cores.index(b)
        return device.registers.base + place * WINDOW * LINE, WINDOW

    def gateway(self, core: int) -> int:
        """The core that starts `core` and through which it is reached where no transport serves directly."""
        gateway = self._cores[core].gateway
        return self.boot_core if gateway < 0 else gateway

    def children(self, core: int) -> Sequence[int]:
        """The cores whose gateway `core` is, by id."""
        return self._children.get(core, ())

    def next_hop(self, here: int, target: int) -> int:
        """The neighbour of `here` in the tree of gateways on the way to `target`, which is another core."""
        hop = self._hops.get((here, target))
        if hop is None:
            hop = target
            while self.gateway(hop) != here:
                if hop == self.boot_core:  # not below `here`
                    hop = self.gateway(here)
                    break
                hop = self.gateway(hop)
            self._hops[here, target] = hop
        return hop

    def same_island(self, a: int, b: int) -> bool:
        island = self._cores[a].island
        return island >= 0 and island == self._cores[b].island

    def same_addresses(self, a: int, b: int) -> bool:
        """Whether an address a process uses on `a` is for it the same memory on `b`: both translate and it is
        mapped alike, or neither does and they have one space."""
        here, there = self._cores[a], self._cores[b]
        if here.kind in self._translating or there.kind in self._translating:
            return here.kind in self._translating and there.kind in self._translating
        return here.space == there.space

    def distances(self, nodes: Sequence[int]) -> list[list[int]]:
        """How far each NUMA node is from each, by links or else by the firmware's distance, indexed by node;
        empty when the board does not say."""
        wires = self._wires
        if not nodes or min(nodes) < 0 or not (wires.links or wires.distances):
            return []
        stated = {(a, b): distance for a, b, distance in wires.distances}
        size = max(nodes) + 1
        hops = [node_hops(wires.links, a) for a in range(size)]
        far = 1 << 16
        return [[hops[a].get(b, stated.get((a, b), far)) for b in range(size)] for a in range(size)]

    def holders(self, name: str) -> tuple[int, ...]:
        """The cores that hold object `name`, the first of them first; none where it is not agreed on among equals."""
        return self._holders.get(name, ())

    def member(self, tree: int, core: int) -> Member:
        """A core's place in tree number `tree`; a core outside it has no parent and no children."""
        return self._members[tree].get(core, Member(-1, 0, ()))


def _cores(text: str) -> tuple[int, ...]:
    """The cores of `4,0-3`, in that order."""
    ends = [part.partition("-") for part in text.split(",")]
    return tuple(core for first, _, last in ends for core in range(int(first), int(last or first) + 1))


def _members(blueprint: Blueprint, name: str) -> dict[int, Member]:
    for tree in blueprint.trees:
        if tree.name == name:
            parents = {child: (node.core, place) for node in tree.nodes for place, child in enumerate(node.children)}
            children = {node.core: node.children for node in tree.nodes}
            return {
                core: Member(*parents.get(core, (-1, 0)), children.get(core, ()))
                for core in sorted({*parents, *children})
            }
    return {}
