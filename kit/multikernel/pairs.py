"""What the class of a pair of cores is called, and how far two nodes are from each other.

    [island:] base [:kindA->kindB]
    base    shared:<level>   the smallest group holding both
            hops:<n>         else, links between their nodes (0: one node)
            slit:<d>         else, the distance firmware states
            remote           else
    island: when no coherence island holds both; the kinds, sender first, when they differ.

May not know: boards, blueprints.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol


class Placed(Protocol):
    """A core, as far as it decides what class its pairs are of."""

    @property
    def kind(self) -> str: ...
    @property
    def node(self) -> int: ...
    @property
    def island(self) -> int: ...
    @property
    def groups(self) -> tuple[int, ...]: ...


class Edge(Protocol):
    """A link between two nodes."""

    @property
    def a(self) -> int: ...
    @property
    def b(self) -> int: ...


def pair_name(
    *, shared_level: str, hops: int | None, distance: int | None, same_island: bool, kinds: tuple[str, str]
) -> str:
    """The class of a directed pair; an argument that says nothing is empty or None."""
    if shared_level:
        base = f"shared:{shared_level}"
    elif hops is not None:
        base = f"hops:{hops}"
    elif distance is not None:
        base = f"slit:{distance}"
    else:
        base = "remote"
    if not same_island:
        base = f"island:{base}"
    return base if kinds[0] == kinds[1] else f"{base}:{kinds[0]}->{kinds[1]}"


def places(cores: Iterable[Placed]) -> tuple[int, ...]:
    """A number for each core, counted from 0 in the order of first use, the same for cores that no class of pairs
    tells apart."""
    numbers: dict[tuple[str, int, int, tuple[int, ...]], int] = {}
    return tuple(numbers.setdefault((core.kind, core.node, core.island, core.groups), len(numbers)) for core in cores)


@lru_cache(maxsize=4096)
def _hops(edges: tuple[tuple[int, int], ...], start: int) -> dict[int, int]:
    near: dict[int, list[int]] = {}
    for a, b in edges:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    reached = {start: 0} if start >= 0 else {}
    frontier = list(reached)
    while frontier:
        following: list[int] = []
        for node in frontier:
            for other in near.get(node, []):
                if other not in reached:
                    reached[other] = reached[node] + 1
                    following.append(other)
        frontier = following
    return reached


def node_hops(links: Iterable[Edge], start: int) -> dict[int, int]:
    """Links on the shortest way from node `start` to each node that can be reached (breadth first); none
    from -1, which is no node."""
    return _hops(tuple((link.a, link.b) for link in links), start)
