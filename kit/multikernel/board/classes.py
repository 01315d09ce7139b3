"""Pairs of cores by class, without looking at each pair.

The class of a pair is a function of the smallest group holding both and of each core's features (kind,
island, node).  So, over groups ranked by size, with the whole machine last:

    pairs(S, g) = all pairs of S by features  -  sum of pairs(S & h, h) over smaller groups h that meet S

and pairs(g, g) summed over all g is the answer.  For nested groups S & h is h, whose count is kept, so
the work is in cores and features squared; groups that overlap in part are exact too, by recursion.

May not know: the board file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from multikernel.board.topology import Core, Topology

Feature: TypeAlias = tuple[str, int, int]
Pairs: TypeAlias = Counter[tuple[Feature, Feature]]


@dataclass(frozen=True, slots=True)
class ClassCount:
    """`pairs` directed pairs of different cores are in class `name`; (`src`, `dst`) is the least."""

    name: str
    pairs: int
    src: int
    dst: int


def features(core: Core) -> Feature:
    """All of a core, besides its groups, that the class of a pair depends on."""
    return core.kind, core.island, core.node


def count_classes(topology: Topology) -> tuple[ClassCount, ...]:
    """See `Topology.classes`."""
    counter = _Counter(topology)
    found: dict[str, ClassCount] = {}
    for rank in range(len(topology.groups) + 1):
        members = counter.members(rank)
        by_feature: dict[Feature, list[int]] = {}
        for core in members:
            by_feature.setdefault(features(topology.core(core)), []).append(core)
        for (a, b), count in counter.pairs(members, rank).items():
            if count == 0:
                continue
            src, dst = counter.least(by_feature[a], by_feature[b], rank)
            group = rank if rank < len(topology.groups) else -1
            name = topology.class_name(group, topology.core(src), topology.core(dst))
            known = found.get(name, ClassCount(name, 0, src, dst))
            least = min((known.src, known.dst), (src, dst))
            found[name] = ClassCount(name, known.pairs + count, *least)
    return tuple(found[name] for name in sorted(found))


class _Counter:
    """The recursion above.  Rank len(groups) is the whole machine."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._whole = len(topology.groups)
        self._kept: dict[int, Pairs] = {}

    def members(self, rank: int) -> tuple[int, ...]:
        topology = self._topology
        return topology.groups[rank].cores if rank < self._whole else tuple(core.id for core in topology.cores)

    def pairs(self, cores: tuple[int, ...], rank: int) -> Pairs:
        """Pairs within `cores`, a part of group `rank`, for which that group is the smallest shared."""
        complete = len(cores) == len(self.members(rank))
        if complete and rank in self._kept:
            return self._kept[rank]
        counts = Counter(features(self._topology.core(core)) for core in cores)
        result: Pairs = Counter()
        for a, na in counts.items():
            for b, nb in counts.items():
                result[a, b] = na * (nb - (a == b))
        inside: dict[int, list[int]] = {}
        for core in cores:
            for smaller in self._topology.memberships[core]:
                if smaller < rank:
                    inside.setdefault(smaller, []).append(core)
        for smaller in sorted(inside):
            result.subtract(self.pairs(tuple(inside[smaller]), smaller))
        if complete:
            self._kept[rank] = result
        return result

    def least(self, sources: Iterable[int], targets: Iterable[int], rank: int) -> tuple[int, int]:
        """The least pair whose smallest shared group is `rank`; there is one."""
        wanted = rank if rank < self._whole else -1
        return next((a, b) for a in sources for b in targets if a != b and self._topology.shared_group(a, b) == wanted)
