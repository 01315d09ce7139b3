"""Classes of pairs of cores: each decided once, for its representative.

Interface: `Pairs(board, skb).decide(count, transport) -> PairClass`, `place(a, b)`.

May not know: plugins, the blueprint's other tables.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from multikernel.blueprint import PairClass
from multikernel.board.classes import ClassCount
from multikernel.board.model import Board
from multikernel.errors import BindingError
from multikernel.knowledge.skb import Skb


class Place(NamedTuple):
    """Where a channel's buffer lives: `home` is `receiver`, `sender` or `region:<id>`, `region` the region."""

    home: str
    region: str


class Pairs:
    """See the module.  Places are kept by what they depend on: the spaces and islands of both cores and
    the node of the receiver."""

    def __init__(self, board: Board, skb: Skb) -> None:
        self._topology = board.topology()
        self._skb = skb
        self._checked: set[Hashable] = set()
        self._places: dict[tuple[str | int, ...], Place] = {}

    def decide(self, count: ClassCount, transport: str) -> PairClass:
        """Transport, home and window of a class."""
        place = self.place(count.src, count.dst)
        ((slots,),) = self._skb.query(f"slots({transport!r}, N)").integers()
        return PairClass(
            name=count.name,
            pairs=count.pairs,
            src=count.src,
            dst=count.dst,
            transport=transport,
            home=place.home,
            slots=slots,
            notify=self._topology.notify(count.src, count.dst) or "",
        )

    def check(self, a: int, b: int, entry: PairClass) -> None:
        """Raises BindingError if the pair's own facts give another transport than its class: then a
        plugin's requirement tells pairs apart that the board's classes do not."""
        key = (entry.name, self._signature(a), self._signature(b))
        if key in self._checked:
            return
        self._checked.add(key)
        if not self._skb.query(f"transport_candidate({a}, {b}, _, {entry.transport!r})"):
            raise BindingError(
                f"class {entry.name} is bound to {entry.transport} for cores {entry.src} and {entry.dst}, which does "
                f"not serve cores {a} and {b}; mkit why shows what it lacks",
                slot=f"transport:{a}->{b}",
            )

    def _signature(self, core: int) -> Hashable:
        """What requirements can tell cores of one class apart by."""
        row = self._topology.core(core)
        wakes = tuple((core in n.src, core in n.dst) for n in self._topology.notifications)
        return row.kind, row.space, row.island, wakes

    def place(self, a: int, b: int) -> Place:
        """Where the buffer of a channel from a to b lives.  Raises BindingError where no memory can
        hold it."""
        first, second = self._topology.core(a), self._topology.core(b)
        key = (first.space, first.island, first.node, second.space, second.island, second.node)
        if key not in self._places:
            rows = self._skb.query(f"home({a}, {b}, H, R)").rows
            if not rows:
                raise BindingError(f"no memory is addressable from both core {a} and core {b}", slot=f"home:{a}->{b}")
            home, region = map(str, rows[0])
            self._places[key] = Place(f"region:{region}" if home == "region" else home, region)
        return self._places[key]
