"""Delete and revoke, on this core.

Deleting the last capability to an object destroys it: a CNode with all it holds, a table with every
mapping in it.  Memory then goes back to the nearest ancestor that still covers it, each byte once.

A CNode holds at most 256 capabilities, but what hangs below it is not bounded: deletion runs to the end
within one invocation (Barrelfish defers it in steps).

May not know: addresses of capabilities.
"""

from __future__ import annotations

from multikernel.system.caps.effects import Ledger, ObjectGone, ReturnMemory
from multikernel.system.caps.mapping import forget_entries, unmap
from multikernel.system.caps.mdb import Capability, Mdb
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.types import CapType
from multikernel.system.page_tables import WRITE

_PLAIN = (CapType.PHYS_ADDR, CapType.RAM, CapType.FRAME, CapType.DEV_FRAME)


def delete(ledger: Ledger, mdb: Mdb, capability: Capability) -> None:
    """Take `capability` away; never refused."""
    doomed = [capability]
    while doomed:
        victim = doomed.pop(0)
        if victim.alive:
            doomed.extend(_delete_one(ledger, mdb, victim))


def revoke(ledger: Ledger, mdb: Mdb, capability: Capability) -> None:
    """Delete every other capability to the object, and to everything made from it.  Errors: rights.
    When its own slot is among what was made from it, `capability` is gone as well."""
    # 1. Whoever may not write to it may not take it from others.
    if not capability.rights & WRITE:
        refuse("rights", right="revoke others")
    ledger.charge("cap_revoke")
    # 2. Everything made from it, ancestors first, so that each byte is returned once.
    for resource in mdb.descendants(capability.resource):
        for copy in tuple(resource.copies):
            delete(ledger, mdb, copy)
    # 3. The copies.
    for copy in tuple(capability.resource.copies):
        if copy is not capability:
            delete(ledger, mdb, copy)


def _delete_one(ledger: Ledger, mdb: Mdb, victim: Capability) -> list[Capability]:
    """Delete one capability; returns those that were kept in the object it destroyed."""
    resource = victim.resource
    # 1. It is mapped no longer.
    if victim.mapping is not None:
        unmap(ledger, victim)
    # 2. Its slot is empty.
    victim.alive = False
    if victim.cnode is not None:
        del victim.cnode.slots[victim.index]
    resource.copies.remove(victim)
    ledger.charge("cap_delete")
    if resource.copies:
        return []
    # 3. It was the last: the object goes, and its memory back.
    content = list(resource.slots.values())
    forget_entries(ledger, resource)
    if resource.type not in _PLAIN:
        ledger.effects.append(ObjectGone(resource.type, resource.base, resource.badge))
    parent = resource.parent
    free = mdb.remove(resource)
    if parent is None or parent.type is not CapType.DISPATCHER:
        above = (parent.base, parent.size) if parent is not None else (0, 0)
        ledger.returned.extend(ReturnMemory(base, size, *above) for base, size in free)
    return content
