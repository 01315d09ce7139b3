"""What the blueprint says about a pair of cores and about trees, indexed for use at run time.

    routes.transport(a, b) -> PairClass        which transport, whose memory, how many slots
    routes.member(tree, core) -> Member        parent and children of a core in a multicast tree
    routes.same_island(a, b)                   whether a and b keep each other's caches coherent

The class of a pair is worked out from the two cores' rows, as the SKB did for the class.

May not know: how the SKB decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.blueprint import PairClass
from multikernel.system.protocol import Member

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint, CoreEntry

TREES = ("broadcast", "unicast", "multicast", "numa")
"""Trees by number, as messages name them."""



class Routes:
    """Immutable index over a blueprint; shared by the cores as the blueprint is."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._cores: dict[int, CoreEntry] = {core.id: core for core in blueprint.cores}
        self._classes: dict[str, PairClass] = {entry.name: entry for entry in blueprint.pair_classes}
        self._pair_name = blueprint.pair_class
        self._members: tuple[dict[int, Member], ...] = tuple(_members(blueprint, name) for name in TREES)
        self.boot_core = blueprint.boot_core
        local = next((binding.plugin for binding in blueprint.bindings if binding.slot == "transport:self"), "lmp")
        self.local = PairClass("self", len(blueprint.cores), self.boot_core, self.boot_core, local, "sender", 16, "")
        self.cores: tuple[int, ...] = tuple(sorted(self._cores))

    def core(self, core: int) -> CoreEntry:
        """KeyError for a core not in the core table."""
        return self._cores[core]

    def transport(self, a: int, b: int) -> PairClass:
        """The class of the directed pair; KeyError names it when the blueprint has none."""
        return self._classes[self._pair_name(self._cores[a], self._cores[b])] if a != b else self.local

    def same_island(self, a: int, b: int) -> bool:
        island = self._cores[a].island
        return island >= 0 and island == self._cores[b].island

    def member(self, tree: int, core: int) -> Member:
        """A core's place in tree number `tree`; a core outside it has no parent and no children."""
        return self._members[tree].get(core, Member(-1, 0, ()))

    def home(self, tree: int) -> str:
        return TREES[tree]


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
