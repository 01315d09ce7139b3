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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from multikernel.board.topology import Core, Topology

Feature: TypeAlias = tuple[str, int, int, int]
Pairs: TypeAlias = Counter[tuple[Feature, Feature]]


@dataclass(frozen=True, slots=True)
class ClassCount:
    """`pairs` directed pairs of different cores are in class `name`; (`src`, `dst`) is the least."""

    name: str
    pairs: int
    src: int
    dst: int


def features(core: Core, mark: int = 0) -> Feature:
    """All of a core, besides its groups, that the class of a pair depends on; and its mark."""
    return core.kind, core.island, core.node, mark


def count_classes(topology: Topology) -> tuple[ClassCount, ...]:
    """See `Topology.classes`."""
    found: dict[str, ClassCount] = {}
    for _, _, count in count_marked(topology, {}):
        known = found.get(count.name, ClassCount(count.name, 0, count.src, count.dst))
        least = min((known.src, known.dst), (count.src, count.dst))
        found[count.name] = ClassCount(count.name, known.pairs + count.pairs, *least)
    return tuple(found[name] for name in sorted(found))


def count_marked(topology: Topology, marks: Mapping[int, int]) -> Iterator[tuple[int, int, ClassCount]]:
    """The same in parts: the marks of sender and receiver (0 where there is none), and the pairs of cores of these
    marks in a class.  A class and two marks may come more than once."""
    counter = _Counter(topology, marks)
    for rank in range(len(topology.groups) + 1):
        members = counter.members(rank)
        by_feature: dict[Feature, list[int]] = {}
        for core in members:
            by_feature.setdefault(counter.feature(core), []).append(core)
        for (a, b), count in counter.pairs(members, rank).items():
            if count == 0:
                continue
            src, dst = counter.least(by_feature[a], by_feature[b], rank)
            group = rank if rank < len(topology.groups) else -1
            name = topology.class_name(group, topology.core(src), topology.core(dst))
            yield a[-1], b[-1], ClassCount(name, count, src, dst)


class _Counter:
    """The recursion above.  Rank len(groups) is the whole machine."""

    def __init__(self, topology: Topology, marks: Mapping[int, int]) -> None:
        self._topology, self._marks = topology, marks
        self._whole = len(topology.groups)
        self._kept: dict[int, Pairs] = {}

    def feature(self, core: int) -> Feature:
        return features(self._topology.core(core), self._marks.get(core, 0))

    def members(self, rank: int) -> tuple[int, ...]:
        topology = self._topology
        return topology.groups[rank].cores if rank < self._whole else tuple(core.id for core in topology.cores)

    def pairs(self, cores: tuple[int, ...], rank: int) -> Pairs:
        """Pairs within `cores`, a part of group `rank`, for which that group is the smallest shared."""
        complete = len(cores) == len(self.members(rank))
        if complete and rank in self._kept:
            return self._kept[rank]
        counts = Counter(map(self.feature, cores))
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
