"""Copy and mint: another capability to the same object, with the same or fewer rights.

    copy(ledger, source, destination)
    mint(ledger, source, destination, rights, badge)

May not know: where the slots came from.
"""

from __future__ import annotations

from multikernel.system.caps.cspace import Slot
from multikernel.system.caps.effects import Ledger
from multikernel.system.caps.mdb import Capability, Mdb, Resource
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.types import ALL_RIGHTS, CapType


def place(resource: Resource, rights: int, slot: Slot | None) -> Capability:
    """A new capability to `resource` in `slot` (None: held by the driver), which the caller knows is empty."""
    capability = Capability(resource, rights, slot.cnode if slot else None, slot.number if slot else 0)
    resource.copies.append(capability)
    if slot is not None:
        slot.cnode.slots[slot.number] = capability
    return capability


def copy(ledger: Ledger, source: Capability, destination: Slot) -> None:
    """Errors: slot-taken.  The copy has the same rights and is mapped nowhere."""
    # 1. The destination is free.
    destination.require_empty()
    # 2. One more capability to the same object.
    place(source.resource, source.rights, destination)
    ledger.charge("cap_copy")


def mint(ledger: Ledger, mdb: Mdb, source: Capability, destination: Slot, rights: int, badge: int) -> None:
    """Errors: bad-rights, bad-badge, badged, slot-taken.  The new capability has those of `rights` that
    the source has.  An EndPoint without a badge gets `badge`, which makes it another object, on the same
    dispatcher: the buffer its messages go to."""
    resource = source.resource
    # 1. The arguments make sense.
    if not 0 <= rights <= ALL_RIGHTS:
        refuse("bad-rights", rights=rights, all=ALL_RIGHTS)
    if badge < 0 or (badge and resource.type is not CapType.END_POINT):
        refuse("bad-badge", type=resource.info.name, badge=badge)
    if badge and resource.badge and badge != resource.badge:
        refuse("badged", badge=resource.badge)
    # 2. The destination is free.
    destination.require_empty()
    # 3. The object: the source's, or the EndPoint with this badge.
    if badge and badge != resource.badge:
        badged = Resource(resource.type, resource.base, resource.size, badge)
        known = mdb.find(badged.key)
        if known is None:
            mdb.insert(badged)
        resource = known or badged
    # 4. A capability to it with no right the source lacks.
    place(resource, source.rights & rights, destination)
    ledger.charge("cap_mint")
