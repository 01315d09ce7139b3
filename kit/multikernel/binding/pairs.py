"""Classes of pairs of cores: each decided once, for its representative.

Interface: `Pairs(board, skb).decide(count, transport, scope) -> PairClass`, `place(a, b)`; `signature(topology,
core)`.

May not know: plugins, the blueprint's other tables.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from multikernel.blueprint import PairClass
from multikernel.board.classes import ClassCount
from multikernel.board.model import Board
from multikernel.board.topology import Topology
from multikernel.errors import BindingError
from multikernel.knowledge.skb import Skb


class Place(NamedTuple):
    """Where a channel's buffer lives: `home` is `receiver`, `sender` or `region:<id>`, `region` the region."""

    home: str
    region: str


def signature(topology: Topology, core: int) -> Hashable:
    """What requirements can tell cores of one class apart by."""
    row = topology.core(core)
    wakes = tuple((core in n.src, core in n.dst) for n in topology.notifications)
    return row.kind, row.space, row.island, wakes


class Pairs:
    """See the module.  Places are kept by what they depend on: the spaces and islands of both cores and
    the node of the receiver."""

    def __init__(self, board: Board, skb: Skb) -> None:
        self._topology = board.topology()
        self._skb = skb
        self._places: dict[tuple[str | int, ...], Place] = {}

    def decide(self, count: ClassCount, transport: str, scope: str = "channel") -> PairClass:
        """Transport, home and window of a class.  What is relayed, or goes over a device, has no home."""
        home = self.place(count.src, count.dst).home if scope == "channel" else ""
        ((slots,),) = self._skb.query(f"slots({transport!r}, N)").integers()
        return PairClass(
            name=count.name,
            pairs=count.pairs,
            src=count.src,
            dst=count.dst,
            transport=transport,
            home=home,
            slots=slots,
            notify=self._topology.notify(count.src, count.dst) or "",
            scope=scope,
            device=self._carrier(transport, count.src, count.dst) if scope == "link" else "",
        )

    def _carrier(self, transport: str, a: int, b: int) -> str:
        """The device that carries what a and b say to each other.  Raises BindingError for a transport that
        names none."""
        rows = self._skb.query(f"(carrier_of[{transport!r}, {a}, {b}] == D)").rows
        if not rows:
            raise BindingError(
                f"transport {transport} is one over a device, and no fact carrier({transport}, {a}, {b}, DEVICE) says "
                "which; its plugin has to provide the rule",
                slot=f"transport:{a}->{b}",
            )
        return str(rows[0][0])

    def own(self, core: int, device: str) -> str:
        """The region of a core's own side of a channel over a DMA engine.  Raises BindingError where there is
        no memory that both see."""
        rows = self._skb.query(f"(side_region[{core}, {device!r}] == R)").rows
        if not rows:
            raise BindingError(f"no memory is seen by both core {core} and device {device}", slot=f"home:{core}")
        return str(rows[0][0])

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
