"""Capability spaces: CNodes of slots, and the addresses (CPtr) that name a slot.

A CPtr is 32 bits, resolved over the root CNode in two levels, as in Barrelfish (TN-013, 3.2): bits 15-8
are the slot of the root that holds a CNode, bits 7-0 the slot in that CNode.  With bit 31 set the low 8
bits name a slot of the root itself (Barrelfish passes a separate level instead).  All other bits are 0.

    cptr(cnode, slot)   root_cptr(slot)      make addresses
    space.slot(address) -> Slot              a place, taken or empty
    space.capability(address)                what is there

A forged address names nothing, and a dispatcher can reach no slot but those under its root.

May not know: what capabilities are for.
"""

from __future__ import annotations

from typing import NamedTuple

from multikernel.system.caps.mdb import Capability, Resource
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.types import CNODE_SLOTS, CapType
from multikernel.system.page_tables import READ, WRITE

ROOT = 1 << 31


def cptr(cnode: int, slot: int) -> int:
    """The address of `slot` in the CNode that slot `cnode` of the root holds."""
    return cnode << 8 | slot


def root_cptr(slot: int) -> int:
    """The address of `slot` of the root CNode itself."""
    return ROOT | slot


class Slot(NamedTuple):
    """Slot `number` of `cnode`, which `address` names."""

    cnode: Resource
    number: int
    address: int

    def require_empty(self) -> Slot:
        """Itself; refused (`slot-taken`) when a capability is there."""
        there = self.cnode.slots.get(self.number)
        if there is not None:
            refuse("slot-taken", address=self.address, type=there.resource.info.name)
        return self

    def following(self, count: int) -> list[Slot]:
        """This slot and the next, `count` in all and all empty; refused (`slots-exhausted`) past the end."""
        if self.number + count > CNODE_SLOTS:
            refuse("slots-exhausted", count=count, address=self.address, slots=CNODE_SLOTS)
        return [Slot(self.cnode, self.number + n, self.address + n).require_empty() for n in range(count)]


class CSpace:
    """What one dispatcher can name.  `root` is a capability to a CNode, held by the driver."""

    __slots__ = ("root",)

    def __init__(self, root: Capability) -> None:
        if root.resource.type is not CapType.CNODE:
            refuse("wrong-type", operation="used as a capability space", type=root.resource.info.name)
        self.root = root

    def slot(self, address: int) -> Slot:
        """The slot to put a capability into; needs the right to write to its CNode."""
        return Slot(self._cnode(address, WRITE), address & 0xFF, address)

    def capability(self, address: int) -> Capability:
        """The capability at `address`; refused (`slot-empty`) when there is none."""
        found = self._cnode(address, READ).slots.get(address & 0xFF)
        if found is None:
            refuse("slot-empty", address=address)
        return found

    def _cnode(self, address: int, right: int) -> Resource:
        """The CNode that holds the slot at `address`."""
        level1 = address >> 8
        if level1 == ROOT >> 8:
            holder = self.root
        elif 0 <= level1 < CNODE_SLOTS:
            there = self.root.resource.slots.get(level1)
            if there is None:
                refuse("slot-empty", address=root_cptr(level1))
            if there.resource.type is not CapType.CNODE:
                refuse("not-a-cnode", address=address, type=there.resource.info.name)
            holder = there
        else:
            refuse("bad-address", address=address)
        if not holder.rights & right:
            refuse("rights", right="write to its CNode" if right == WRITE else "read its CNode")
        return holder.resource
