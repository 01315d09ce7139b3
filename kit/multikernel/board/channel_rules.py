"""The section `channels`: what a board fixes of its channels, and that both sides of each agree.

    channel_faults(board, spot) -> Iterator[Fault]      ids that dangle, pairs that have a channel
    contract_faults(board, spot) -> Iterator[Fault]     what is claimed; on a board that holds together

May not know: YAML, transports.
"""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.board.checks import cores_of, strangers, unknown
from multikernel.board.contracts import breaches
from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.resolve import contracts
from multikernel.board.shape import Fault, Path


def channel_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Ends and regions that are not there; two channels of one pair, or none."""
    known = cores_of(board)
    regions = {row.id for row in board.regions}
    pairs: dict[tuple[int, int], int] = {}
    for index, row in enumerate(board.channels):
        path = ("channels", index)
        for name, side in (("a", row.a), ("b", row.b)):
            yield from strangers(spot, (*path, name, "core"), (side.core,), known)
        if row.region not in regions:
            yield unknown(spot, (*path, "region"), "unknown-region", row.region, regions)
        ends = min(row.a.core, row.b.core), max(row.a.core, row.b.core)
        first = pairs.setdefault(ends, index)
        if row.a.core == row.b.core:
            yield Fault(spot.find((*path, "b", "core")), "channel-ends", f"both sides are core {row.a.core}")
        elif first != index:
            line = spot.find(("channels", first)).line
            message = f"cores {ends[0]} and {ends[1]} have a channel already, on line {line}; it goes both ways"
            yield Fault(spot.find(path), "channel-twice", message)


def contract_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Claims the board does not bear out, channels over each other, the boot core on the wrong side."""
    topology = board.topology()
    spans: list[tuple[str, int, int, Path]] = []
    for index, contract in enumerate(contracts(board)):
        path: Path = ("channels", index)
        for breach in breaches(topology, contract):
            yield Fault(spot.find((*path, *breach.path)), breach.code, breach.message)
        if contract.b.core == topology.boot_core:
            message = f"core {contract.b.core} boots the board: it is side a of its channels"
            yield Fault(spot.find((*path, "b", "core")), "channel-boot", message)
        if (offset := contract.begins(topology)) is not None:
            spans.append((contract.region, offset, contract.size, path))
    end: tuple[str, int, Path] = ("", 0, ())
    for region, offset, size, path in sorted(spans):
        if region == end[0] and offset < end[1]:
            line = spot.find(end[2]).line
            message = f"the channel begins at byte {offset:#x} of {region}; that of line {line} ends at {end[1]:#x}"
            yield Fault(spot.find(path), "channel-overlap", message)
        if region != end[0] or offset + size > end[1]:
            end = (region, offset + size, path)
