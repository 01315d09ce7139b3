"""Two-sided channel contracts: both cores of a channel must mean the same bytes, and agree on how to treat them.

    Contract, Side                          what is claimed of a channel
    breaches(topology, contract) -> ...     every claim that the board does not bear out
    misplaced(topology, region, ...) -> ... the same of one side's addresses alone
    needs(slots) -> int                     bytes of a channel of so many slots

A claim that is not made (-1, None, empty) is not checked.  The same function judges what a board fixes and what
the assembler places.

Invariants: no breach of place (`contract-address`, `contract-window`) is found exactly when each address of
either side, one byte after the other, decodes to the same bytes of the region.
May not know: files, transports, why a channel lies where it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from multikernel.board.spaces import Window
from multikernel.board.topology import Topology

LINE = 64
"""Bytes of a channel's lines: `multikernel.interfaces.LINE`, which takes long to import."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side.  `address` as its core issues it; `line` bytes of its cache's lines, -1 where not claimed; `cached`
    whether it caches the memory; `endian` its byte order, empty where not claimed; `doorbell`: it can ring the
    other side."""

    core: int
    address: int
    line: int = -1
    cached: bool | None = None
    endian: str = ""
    doorbell: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """`size` bytes of `region` from `offset` (-1: from where side a's address leads) that hold `slots` messages
    each way.  Side a writes the first half.  `transport` is a plugin's name or `auto`."""

    region: str
    offset: int
    size: int
    slots: int
    transport: str
    a: Side
    b: Side

    def begins(self, topology: Topology) -> int | None:
        """The channel's first byte of its region; None when that is not said and side a's address leads elsewhere."""
        if self.offset >= 0:
            return self.offset
        reached = topology.decode(topology.core(self.a.core).space, self.a.address)
        return reached[1] if reached and reached[0] == self.region else None


class Breach(NamedTuple):
    """A claim that does not hold: a code of `codes.CODES`, where in the contract it is made, why it fails."""

    code: str
    path: tuple[str, ...]
    message: str


def needs(slots: int) -> int:
    """Bytes of a ring each way: a line for each slot and one of acknowledgements (`multikernel.system.ring`)."""
    return 2 * (slots + 1) * LINE


def breaches(topology: Topology, contract: Contract) -> Iterator[Breach]:
    """See the module.  The cores and the region must be the board's."""
    sides = (("a", contract.a, contract.b), ("b", contract.b, contract.a))
    lines = [_line(topology, side) for _, side, _ in sides]
    align = max(LINE, *lines)
    offset = contract.begins(topology)
    if needs(contract.slots) > contract.size:
        message = f"{contract.slots} slots each way need {needs(contract.slots)} bytes, not {contract.size}"
        yield Breach("contract-size", ("size",), message)
    for (name, side, other), line in zip(sides, lines, strict=True):
        if side.address % align:
            message = f"{side.address:#x} is no multiple of {align} bytes, the longest line of either side"
            yield Breach("contract-alignment", (name, "address"), message)
        yield from _claims(topology, name, side, other)
        yield from misplaced(topology, contract.region, offset, contract.size, name, side)
        yield from _caching(topology, contract, name, side, other, line)


def _line(topology: Topology, side: Side) -> int:
    """Bytes of the lines of a side's cache: its island's, else what the contract claims, else the kit's."""
    island = topology.core(side.core).island
    if island >= 0:
        return topology.islands[island].line
    return side.line if side.line > 0 else LINE


def _windows(topology: Topology, region: str, size: int, side: Side) -> tuple[Window, ...]:
    """What lies at the side's addresses, in one piece and of the region, as far as it does."""
    found: list[Window] = []
    address, end = side.address, side.address + size
    while address < end:
        window = topology.spaces.window(topology.core(side.core).space, address)
        if window is None or window.region != region:
            break
        if found and window.offset != found[-1].offset + found[-1].size:
            break
        found.append(window)
        address = window.address + window.size
    return tuple(found)


def misplaced(
    topology: Topology, region: str, offset: int | None, size: int, name: str, side: Side
) -> Iterator[Breach]:
    """Nothing when the `size` addresses of side `name` lead to the bytes of the region from `offset` on, one after
    the other; wherever the first leads to where `offset` is None."""
    space = topology.core(side.core).space
    reached = topology.decode(space, side.address)
    if reached is None or reached[0] != region or offset not in (None, reached[1]):
        wanted = region if offset is None else f"{region}+{offset:#x}"
        right = topology.address(space, region, offset or 0)
        seen = "which it does not see" if right is None else f"which it sees at {right:#x}"
        message = f"core {side.core} finds {_told(reached)} at {side.address:#x}, not {wanted}, {seen}"
        yield Breach("contract-address", (name, "address"), message)
        return
    last = _windows(topology, region, size, side)[-1]
    end = last.address + last.size
    if end < side.address + size:
        message = (
            f"core {side.core} sees {end - side.address} of the channel's {size} bytes from {side.address:#x} on, "
            f"then {_told(topology.decode(space, end))}"
        )
        yield Breach("contract-window", (name, "address"), message)


def _told(reached: tuple[str, int] | None) -> str:
    return f"{reached[0]}+{reached[1]:#x}" if reached else "nothing"


def _claims(topology: Topology, name: str, side: Side, other: Side) -> Iterator[Breach]:
    """Line, byte order and doorbell, where they are claimed."""
    core = topology.core(side.core)
    line, endian = _line(topology, side), topology.kind(core.kind).endian
    if side.line not in (-1, line):
        message = f"core {side.core} has lines of {line} bytes, not {side.line}"
        yield Breach("contract-line", (name, "line"), message)
    if side.endian not in ("", endian):
        message = f"core {side.core} is of kind {core.kind}, which is {endian}-endian"
        yield Breach("contract-endian", (name, "endian"), message)
    if side.doorbell and topology.notify(side.core, other.core) is None:
        message = f"no row of notify lets core {side.core} wake core {other.core}"
        yield Breach("contract-doorbell", (name, "doorbell"), message)


def _caching(topology: Topology, contract: Contract, name: str, side: Side, other: Side, line: int) -> Iterator[Breach]:
    """What a side caches is kept coherent, or both know that it is not."""
    windows = _windows(topology, contract.region, contract.size, side)
    if not windows:
        return
    caches = any(window.cacheable for window in windows)
    region, path = contract.region, (name, "cached")
    if side.cached is not None and any(window.cacheable != side.cached for window in windows):
        seen = "cacheable" if caches else "uncached"
        message = f"space {topology.core(side.core).space!r} maps {region} {seen} there"
        yield Breach("contract-caching", path, message)
    elif caches and topology.coherent(side.core, other.core):
        island = topology.islands[topology.core(side.core).island]
        if region not in island.regions:
            message = f"core {side.core} caches {region}, which its island does not keep coherent"
            yield Breach("contract-coherence", path, message)
    elif caches and side.cached is None:
        message = f"core {side.core} caches {region}, and nothing keeps it coherent with core {other.core}"
        yield Breach("contract-coherence", path, message)
    elif caches and line > LINE:
        message = f"core {side.core} caches {region} by {line} bytes: two of the channel's lines, of two writers"
        yield Breach("contract-coherence", path, message)
