"""The channels of a blueprint against the contracts of both their sides (`board/contracts.py`): those a board fixes,
and those that are placed here.

    Contracts(board).reserve(layout)             nothing else is placed on what the board fixes
                    .pairs(wanted)               with the pairs whose channels it fixes, as it orients them
                    .fixed(a, b) -> Contract     what it fixes of a pair, if anything
                    .entry(...) -> ChannelEntry  the channel it fixes
                    .check(channel, bytes, ...)  BindingError unless both sides mean the same bytes and agree

May not know: why a channel lies where it does, platforms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from multikernel.binding.layout import Layout
from multikernel.blueprint import ChannelEntry, PairClass
from multikernel.board.contracts import Breach, Contract, Side, breaches, misplaced
from multikernel.board.model import Board
from multikernel.board.resolve import contracts
from multikernel.errors import BindingError

AUTO = "auto"


class Contracts:
    """See the module.  The board has passed its own checks."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._topology = board.topology()
        own = {core.id for core in self._topology.cores}
        self._told = contracts(board)
        self._fixed = {
            (c.a.core, c.b.core): (index, c)
            for index, c in enumerate(self._told)
            if c.a.core in own and c.b.core in own
        }

    def reserve(self, layout: Layout) -> None:
        """Take the bytes the board fixes."""
        for contract in self._told:
            offset = contract.begins(self._topology)
            assert offset is not None, "checked with the board"
            layout.reserve(contract.region, offset, contract.size)

    def pairs(self, wanted: Iterable[tuple[int, int]], gateways: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
        """The pairs to join: those wanted, then those only the board fixes.  Raises BindingError where it makes
        side a of a core that is reached through side b."""
        for (a, b), (index, _) in self._fixed.items():
            if gateways[a] == b:
                raise BindingError(
                    f"{self._board.where('channels', index)}: core {a} is started by core {b}, which is side a of "
                    "their channel: swap the sides",
                    slot=f"channel:{a}->{b}",
                )
        turned = ((b, a) if (b, a) in self._fixed else (a, b) for a, b in wanted)
        return tuple(dict.fromkeys((*turned, *self._fixed)))

    def fixed(self, a: int, b: int) -> Contract | None:
        """What the board fixes of the channel of a pair."""
        return self._fixed[a, b][1] if (a, b) in self._fixed else None

    def entry(self, number: int, contract: Contract, bound: PairClass, size: int) -> ChannelEntry:
        """The channel a board fixes, of a class bound so.  `size` bytes are what its transport needs for the slots.
        Raises BindingError where the transport is another, needs more, or shares no memory."""
        a, b = contract.a, contract.b
        wrong = ""
        if bound.scope != "channel":
            wrong = f"is carried by {bound.transport}, which shares no memory: there is nothing to fix"
        elif contract.transport not in (AUTO, bound.transport):
            wrong = f"is fixed to be {contract.transport}, and class {bound.name} is bound to {bound.transport}"
        elif size > contract.size:
            wrong = f"needs {size} bytes for {contract.slots} slots of {bound.transport}, not {contract.size}"
        if wrong:
            raise BindingError(f"{self._place(a.core, b.core)} {wrong}", slot=f"channel:{a.core}->{b.core}")
        offset = contract.begins(self._topology)
        assert offset is not None, "checked with the board"
        return ChannelEntry(
            id=number,
            a=a.core,
            b=b.core,
            pair_class=bound.name,
            transport=bound.transport,
            region=contract.region,
            offset=offset,
            address_a=a.address,
            address_b=b.address,
            slots=contract.slots,
        )

    def check(self, channel: ChannelEntry, size: int, rings: tuple[bool, bool]) -> None:
        """`size` bytes of the channel are used; `rings` whether side a, and side b, is to ring the other.  Raises
        BindingError with every breach."""
        contract = Contract(
            channel.region,
            channel.offset,
            size,
            channel.slots,
            channel.transport,
            self._side(channel.a, channel.address_a, rings[0]),
            self._side(channel.b, channel.address_b, rings[1]),
        )
        self._refuse(channel, breaches(self._topology, contract))

    def check_sides(self, channel: ChannelEntry, size: int) -> None:
        """The same for a channel over a device: `size` bytes of each side's own, where it needs any."""
        sides = (
            ("a", channel.region, channel.offset, Side(channel.a, channel.address_a)),
            ("b", channel.far_region, channel.far_offset, Side(channel.b, channel.address_b)),
        )
        for name, region, offset, side in sides:
            if region:
                self._refuse(channel, misplaced(self._topology, region, offset, size, name, side))

    def _side(self, core: int, address: int, rings: bool) -> Side:
        window = self._topology.spaces.window(self._topology.core(core).space, address)
        return Side(core, address, cached=window.cacheable if window else None, doorbell=rings)

    def _refuse(self, channel: ChannelEntry, found: Iterable[Breach]) -> None:
        told = "; ".join(breach.message for breach in found)
        if told:
            where = f"{self._place(channel.a, channel.b)}, {channel.transport} in {channel.region}"
            raise BindingError(f"{where}: {told}", slot=f"channel:{channel.a}->{channel.b}")

    def _place(self, a: int, b: int) -> str:
        place = self._board.where("channels", self._fixed[a, b][0]) if (a, b) in self._fixed else ""
        return f"{place}{': ' if place else ''}the channel of cores {a} and {b}"
