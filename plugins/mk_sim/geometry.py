"""Nodes and the links between them: distances, the legs of a transaction, the routes of its packets.

    geometry = Geometry(links, nodes)
    geometry.hops(a, b)                    links on the shortest way, 0 where none is known
    geometry.legs(requester, home, via)    links one after another: to the home, on to the farthest of
                                           `via`, and from there back to the requester
    geometry.route(a, b)                   the directed links of a shortest way
    geometry.tree(home)                    the directed links on which a probe reaches every node

Routes are the first shortest way in the order of the links, as routing tables fixed at boot give it.

May not know: lines, time, the blueprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from multikernel.pairs import Edge, node_hops


class Geometry:
    """See the module.  Directed link 2*i goes from `links[i].a` to `.b`, 2*i + 1 back."""

    def __init__(self, links: Sequence[Edge], nodes: Iterable[int]) -> None:
        self.nodes = tuple(sorted(dict.fromkeys(nodes)))
        self._hops = {node: node_hops(links, node) for node in self.nodes}
        self._leaving: dict[int, list[tuple[int, int]]] = {}
        for index, link in enumerate(links):
            self._leaving.setdefault(link.a, []).append((2 * index, link.b))
            self._leaving.setdefault(link.b, []).append((2 * index + 1, link.a))
        self._trees: dict[int, dict[int, tuple[int, int]]] = {}

    def hops(self, a: int, b: int) -> int:
        """Links between two nodes; 0 where no way is known, so that an unknown way adds no time."""
        reached = self._hops.get(a)
        return reached.get(b, 0) if reached else 0

    def legs(self, requester: int, home: int, via: Iterable[int]) -> int:
        """See the module; `via` must not be empty."""
        back = max(self.hops(home, node) + self.hops(node, requester) for node in via)
        return self.hops(requester, home) + back

    def _reached(self, start: int) -> dict[int, tuple[int, int]]:
        """Node -> (directed link by which a search from `start` first reached it, the node before)."""
        tree = self._trees.get(start)
        if tree is None:
            tree = self._trees[start] = {start: (-1, start)}
            frontier = [start]
            while frontier:
                following = []
                for node in frontier:
                    for link, other in self._leaving.get(node, []):
                        if other not in tree:
                            tree[other] = (link, node)
                            following.append(other)
                frontier = following
        return tree

    def route(self, a: int, b: int) -> tuple[int, ...]:
        """Directed links from `a` to `b`; empty where no way is known."""
        tree = self._reached(a)
        links = []
        while b != a and b in tree:
            link, b = tree[b]
            links.append(link)
        return tuple(reversed(links))

    def tree(self, home: int) -> tuple[int, ...]:
        """The directed links of the search tree from `home`."""
        return tuple(link for link, _ in self._reached(home).values() if link >= 0)
