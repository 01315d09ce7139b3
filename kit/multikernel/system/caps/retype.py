"""Retype: make objects out of memory, or EndPoints out of a Dispatcher.

As Barrelfish's `caps_retype` (`kernel/capabilities.c`): the source stays; what is made is its
descendant, and while it lives its memory can be made nothing else.

May not know: addresses of capabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.system.caps.copying import place
from multikernel.system.caps.cspace import Slot
from multikernel.system.caps.effects import Ledger, ZeroMemory
from multikernel.system.caps.mdb import Capability, Mdb, Resource
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.types import TYPES, CapType
from multikernel.system.page_tables import PAGE, WRITE


def retype(
    ledger: Ledger, mdb: Mdb, source: Capability, offset: int, target: CapType, size: int, count: int,
    first: Slot,
) -> None:  # fmt: skip
    """Make `count` objects of type `target`, each of `size` bytes (0: the type's own), from `offset` bytes
    into `source`, into the slots from `first` on.

    Errors: rights, retype, bad-count, bad-size, misaligned, out-of-range, same-object, overlap,
    slots-exhausted, slot-taken; nothing has changed then.  New objects have the source's rights.
    """
    whole, info = source.resource, TYPES[target]
    # 1. The source allows it, and the types.
    if not source.rights & WRITE:
        refuse("rights", right="be retyped")
    if target not in whole.info.into:
        refuse("retype", type=whole.info.name, target=info.name)
    # 2. Sizes and alignment are the target's.
    if count < 1:
        refuse("bad-count", what="object", count=count)
    size = size or (info.granule if info.fixed else 0)
    if info.fixed and size != info.granule:
        refuse("bad-size", target=info.name, want=info.granule, size=size)
    if size <= 0 or size % info.granule:
        refuse("bad-size", target=info.name, want=f"a multiple of {info.granule}", size=size)
    if (whole.base + offset) % info.granule:
        refuse("misaligned", offset=offset, target=info.name, granule=info.granule)
    # 3. The range lies inside the source, and is not all of it under the same type.
    if offset < 0 or offset + size * count > whole.size:
        refuse("out-of-range", size=size * count, offset=offset, type=whole.info.name, whole=whole.size)
    if target is whole.type and size == whole.size:
        refuse("same-object", type=whole.info.name)
    # 4. Nothing else was made from it there.
    base = whole.base + offset
    conflict = _conflict(mdb, whole, base, base + size * count, target)
    if conflict is not None:
        refuse("overlap", base=conflict.base, end=conflict.end, type=conflict.info.name)
    # 5. There is room for the capabilities.
    slots = first.following(count)
    # 6. Its memory starts clean.
    if info.zeroed:
        ledger.effects.append(ZeroMemory(base, size * count))
        ledger.charge("zero_page", (size * count + PAGE - 1) // PAGE)
    # 7. Make them.
    _make(mdb, source, target, base, size, slots)
    ledger.charge("cap_retype", count)


def _conflict(mdb: Mdb, whole: Resource, base: int, end: int, target: CapType) -> Resource | None:
    """What stands in base..end and was made from `whole`, unless it can share with `target`."""
    for other in mdb.overlapping(whole.info.space, base, end):
        if whole.encloses(other) and not (TYPES[target].shared and other.type is target):
            return other
    return None


def _make(mdb: Mdb, source: Capability, target: CapType, base: int, size: int, slots: Sequence[Slot]) -> None:
    for number, slot in enumerate(slots):
        made = Resource(target, base + number * size, size)
        known = mdb.find(made.key)
        if known is None:
            mdb.insert(made)
        place(known or made, source.rights, slot)
