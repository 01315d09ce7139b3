"""The one way in: carry out a request on a capability, one at a time, to completion.

    invoke(cspace, mdb, memory, address, request) -> Outcome
    endow(...)          the driver puts a capability made from nothing into a slot, at boot
    boot_cspace(...)    the first capability space of a core
    hold(...), release(...)    a capability kept by the driver itself

When `invoke` returns, page tables in memory are as the mapping database says; TLBs are the driver's to
invalidate, by the effects.

May not know: who asks, what a cost is in cycles.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.system.caps.copying import copy, mint, place
from multikernel.system.caps.cspace import CSpace, Slot
from multikernel.system.caps.delete import delete, revoke
from multikernel.system.caps.effects import Effect, Identity, Ledger, Outcome, WritePte, ZeroMemory
from multikernel.system.caps.mapping import drop_page, map_frame, map_table, protect, unmap
from multikernel.system.caps.mdb import Capability, Mdb, Resource
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.requests import (
    CapRequest,
    Copy,
    Delete,
    Identify,
    Map,
    MapTable,
    Mint,
    Protect,
    Retype,
    Revoke,
    Unmap,
)
from multikernel.system.caps.retype import retype
from multikernel.system.caps.types import ALL_RIGHTS, IDENTIFY, TYPES, CapType
from multikernel.system.physical_memory import PhysicalMemory


def invoke(cspace: CSpace, mdb: Mdb, memory: PhysicalMemory, address: int, request: CapRequest) -> Outcome:
    """Carry out `request` on the capability at `address` of `cspace`.  Raises CapabilityError when it is
    refused, and then nothing has changed.  `memory` is where the page tables are."""
    ledger, result = Ledger(), None
    target = cspace.capability(address)
    match request:
        case Copy(destination):
            copy(ledger, target, cspace.slot(destination))
        case Mint(destination, rights, badge):
            mint(ledger, mdb, target, cspace.slot(destination), rights, badge)
        case Retype(destination, kind, size, offset, count):
            retype(ledger, mdb, target, offset, _type(kind), size, count, cspace.slot(destination))
        case Delete():
            cspace.slot(address)
            delete(ledger, mdb, target)
        case Revoke():
            revoke(ledger, mdb, target)
        case Identify():
            result = identify(ledger, target)
        case Map(table, index, rights, offset, count):
            map_frame(ledger, target, cspace.capability(table), index, rights, offset, count)
        case MapTable(table, index):
            map_table(ledger, target, cspace.capability(table), index)
        case Unmap():
            unmap(ledger, target)
        case Protect(rights):
            protect(ledger, target, rights)
    carry_out(ledger.effects, memory)
    return ledger.outcome(result)


def identify(ledger: Ledger, capability: Capability) -> Identity:
    """What `capability` is.  Errors: rights."""
    if not capability.rights & IDENTIFY:
        refuse("rights", right="be identified")
    ledger.charge("cap_identify")
    what = capability.resource
    return Identity(what.type, what.base, what.size, capability.rights, what.badge, capability.mapping is not None)


def carry_out(effects: Sequence[Effect], memory: PhysicalMemory) -> None:
    """Do to `memory` what the effects say, in order."""
    for effect in effects:
        match effect:
            case WritePte(pa, value):
                memory.write(pa, value.to_bytes(8, "little"))
            case ZeroMemory(base, size):
                memory.zero(base, size)


def drop(root: Capability, memory: PhysicalMemory, va: int) -> Outcome:
    """Unmap the page at `va` in the address space whose root table `root` is, by whatever capability
    it was mapped; nothing there is no error.  For a remote core's request."""
    ledger = Ledger()
    drop_page(ledger, root.resource, va)
    carry_out(ledger.effects, memory)
    return ledger.outcome()


def endow(
    mdb: Mdb, slot: Slot, kind: CapType, base: int, size: int = 0, rights: int = ALL_RIGHTS, badge: int = 0
) -> Capability:
    """Put a capability that comes from no other one into `slot`: what firmware or another core's driver
    vouches for; its memory is left as it is.  `size` is the type's own when that is fixed.
    Errors: slot-taken, bad-size, occupied (something stands there that it cannot have been made from)."""
    slot.require_empty()
    return place(_enter(mdb, Resource(kind, base, size or _fixed(kind), badge)), rights, slot)


def boot_cspace(mdb: Mdb, base: int) -> CSpace:
    """An empty capability space whose root CNode stands at `base`.  Errors: occupied."""
    root = _enter(mdb, Resource(CapType.CNODE, base, _fixed(CapType.CNODE)))
    return CSpace(place(root, ALL_RIGHTS, None))


def hold(capability: Capability) -> Capability:
    """A copy in no slot, kept by the driver (a dispatcher's capability space, its root table).  It does
    not survive revocation: look at `alive` before use."""
    return place(capability.resource, capability.rights, None)


def release(mdb: Mdb, memory: PhysicalMemory, held: Capability) -> Outcome:
    """Give up what `hold` gave; the object goes if that was the last.  Releasing what revocation took is
    no error."""
    ledger = Ledger()
    delete(ledger, mdb, held)
    carry_out(ledger.effects, memory)
    return ledger.outcome()


def _enter(mdb: Mdb, made: Resource) -> Resource:
    """The resource equal to `made`, entered if it is new."""
    if made.info.granule and (made.size <= 0 or made.size % made.info.granule):
        refuse("bad-size", target=made.info.name, want=f"a multiple of {made.info.granule}", size=made.size)
    known = mdb.find(made.key)
    if known is not None:
        return known
    for other in mdb.overlapping(made.info.space, made.base, made.end):
        if not other.encloses(made) and not (made.info.shared and other.type is made.type):
            refuse("occupied", base=made.base, end=made.end, target=made.info.name, type=other.info.name)
    mdb.insert(made)
    return made


def _fixed(kind: CapType) -> int:
    return TYPES[kind].granule if TYPES[kind].fixed else 0


def _type(number: int) -> CapType:
    """The type of this number, which code may have made up."""
    if number not in TYPES:
        refuse("unknown-type", number=number)
    return CapType(number)
