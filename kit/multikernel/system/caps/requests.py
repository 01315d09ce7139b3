"""What can be asked of a capability, one frozen record a request.

The request is made on the capability at the address that is invoked; other addresses are of the same
capability space.  Sizes and offsets are bytes.  Errors are `CapabilityError`s with a code of
`refusals.py`; a refused request has changed nothing.

May not know: how any of them is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from multikernel.system.caps.types import CapType


@dataclass(frozen=True, slots=True)
class Copy:
    """Any capability: another one like it, into the empty slot `destination`."""

    destination: int


@dataclass(frozen=True, slots=True)
class Mint:
    """Any capability: another one with `rights` at most; an EndPoint may get its `badge` (0: none)."""

    destination: int
    rights: int
    badge: int = 0


@dataclass(frozen=True, slots=True)
class Retype:
    """PhysAddr, RAM, Dispatcher: make `count` objects of `target`, each of `size` bytes (0: the type's
    own), from `offset` on, into the slots from `destination` on."""

    destination: int
    target: CapType
    size: int = 0
    offset: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Delete:
    """Any capability: empty its slot; the last one takes the object with it."""


@dataclass(frozen=True, slots=True)
class Revoke:
    """Any capability that may be written to: delete all others to the object and to what was made of it."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Any capability with the right: what it is (`effects.Identity`)."""


@dataclass(frozen=True, slots=True)
class Map:
    """Frame, DevFrame: map `count` pages of the level of the table at `table` from entry `index` on."""

    table: int
    index: int
    rights: int
    offset: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class MapTable:
    """A page table: hook it into entry `index` of the table at `table`."""

    table: int
    index: int


@dataclass(frozen=True, slots=True)
class Unmap:
    """Frame, DevFrame, page table: take it out of where it is mapped."""


@dataclass(frozen=True, slots=True)
class Protect:
    """Frame, DevFrame that is mapped: change the rights of the mapping."""

    rights: int


CapRequest: TypeAlias = Copy | Mint | Retype | Delete | Revoke | Identify | Map | MapTable | Unmap | Protect
