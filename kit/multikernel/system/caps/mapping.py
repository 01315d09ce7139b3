"""Map, unmap and protect: page tables built by capability invocations, as in Barrelfish.

    map_frame, map_table, unmap, protect    one capability each
    drop_page                               whatever is mapped at an address, for a remote unmap

A frame capability is mapped in at most one place (copy it for more) and remembers where; a table has at
most one parent, whichever capability to it was mapped, so that an entry has one virtual address.
Tables always let everything through; rights are said at the page.  What a mapping leads to is
remembered here and written to memory as effects; the two agree at the end of every invocation.

May not know: how entries are encoded (`page_tables`), addresses of capabilities.
"""

from __future__ import annotations

from typing import NamedTuple

from multikernel.system.caps.effects import InvalidateTlb, Ledger, WritePte
from multikernel.system.caps.mdb import Capability, Mapping, Resource
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.types import CapType
from multikernel.system.page_tables import (
    EXECUTE,
    FORMATS,
    PAGE,
    READ,
    WRITE,
    Format,
    RegionFormat,
    Words,
)

_NAMES = ((READ, "read"), (WRITE, "write"), (EXECUTE, "execute"))


class Place(NamedTuple):
    """The address space (physical address of its root table) and the address of a table's entry 0."""

    root: int
    va: int


def map_frame(
    ledger: Ledger, frame: Capability, table: Capability, index: int, rights: int, offset: int, count: int
) -> None:
    """Map memory from `offset` bytes into `frame` at `count` entries of `table` from `index`, with `rights`
    out of READ, WRITE and EXECUTE, READ among them.  An entry takes one page of the table's level; with
    MPU regions one entry takes all `count` pages.

    Errors: wrong-type, mapped, bad-access, rights, wrong-level, bad-count, bad-index, entry-taken,
    frame-range, frame-align, region-size, too-high; nothing has changed then.
    """
    what, where = frame.resource, table.resource
    # 1. A frame that is not mapped yet, and a table that may be written.
    if what.type not in (CapType.FRAME, CapType.DEV_FRAME):
        refuse("wrong-type", operation="mapped as memory", type=what.info.name)
    format = _format(table)
    _require_unmapped(frame)
    # 2. Rights: no more than the frame's.
    _check_rights(frame, rights)
    # 3. The level maps memory, and the entries are there and free.
    level = where.info.level
    page = format.leaf_size(level)
    if not page:
        refuse("wrong-level", type=what.info.name, table=where.info.name)
    if count < 1:
        refuse("bad-count", what="page", count=count)
    region = isinstance(format, RegionFormat)
    entries = 1 if region else count
    _check_entries(where, format, index, entries)
    # 4. The memory is the frame's, and suits the entries.
    size, pa = page * count, what.base + offset
    if offset < 0 or offset + size > what.size:
        refuse("frame-range", size=size, offset=offset, type=what.info.name, whole=what.size)
    if region:
        if size & size - 1:
            refuse("region-size", size=size)
        page = size
    if pa % page:
        refuse("frame-align", pa=pa, size=page)
    if pa + size > 1 << format.pa_bits:
        refuse("too-high", pa=pa + size - 1, bits=format.pa_bits, isa=format.isa)
    # 5. Write the entries and remember them.
    frame.mapping = Mapping(where, index, entries, offset, rights, page)
    for at in range(index, index + entries):
        where.entries[at] = frame
    _write_pages(ledger, frame, frame.mapping)
    ledger.charge("map_page", entries)
    # 6. Registers, unlike a TLB, remember that nothing was there.
    if region:
        _invalidate(ledger, frame, frame.mapping)


def map_table(ledger: Ledger, child: Capability, table: Capability, index: int) -> None:
    """Hook the table `child` into entry `index` of `table`, one level above.

    Errors: wrong-type, rights, mapped, table-in-use, wrong-level, bad-index, entry-taken.
    """
    below, above = child.resource, table.resource
    # 1. A table that is hooked in nowhere, and one that may be written.
    if below.info.level < 0:
        refuse("wrong-type", operation="mapped as a table", type=below.info.name)
    format = _format(table)
    _require_unmapped(child)
    if _hook(below) is not None:
        refuse("table-in-use", type=below.info.name)
    # 2. The next level of the same format.
    fits = below.info.isa == above.info.isa and below.info.level == above.info.level + 1
    if isinstance(format, RegionFormat) or not fits:
        refuse("wrong-level", type=below.info.name, table=above.info.name)
    # 3. The entry is there and free.
    _check_entries(above, format, index, 1)
    # 4. Write it and remember it.
    child.mapping = Mapping(above, index, 1, 0, 0, 0)
    above.entries[index] = child
    _write(ledger, above, format.table(above.info.level, index, below.base))
    ledger.charge("map_table")


def unmap(ledger: Ledger, capability: Capability) -> None:
    """Take back what mapping `capability` wrote.  Errors: not-mapped."""
    mapping = capability.mapping
    if mapping is None:
        refuse("not-mapped")
    # 1. Clear the entries that are still its own.
    format, cleared = FORMATS[mapping.table.info.isa], 0
    for at in range(mapping.index, mapping.index + mapping.count):
        if mapping.table.entries.get(at) is capability:
            del mapping.table.entries[at]
            _write(ledger, mapping.table, format.empty(at))
            cleared += 1
    # 2. What TLBs hold of it has to go.
    ledger.charge("unmap_page" if mapping.page else "unmap_table", cleared)
    _invalidate(ledger, capability, mapping)
    # 3. It is mapped nowhere.
    capability.mapping = None


def protect(ledger: Ledger, frame: Capability, rights: int) -> None:
    """Change the rights of a mapped frame.  Errors: wrong-type, not-mapped, bad-access, rights."""
    mapping = frame.mapping
    # 1. It is mapped memory, and its capability allows the rights.
    if frame.resource.type not in (CapType.FRAME, CapType.DEV_FRAME):
        refuse("wrong-type", operation="protected", type=frame.resource.info.name)
    if mapping is None:
        refuse("not-mapped")
    _check_rights(frame, rights)
    # 2. Write the entries again.
    lost, mapping.rights = mapping.rights & ~rights, rights
    ledger.charge("protect_page", _write_pages(ledger, frame, mapping))
    # 3. A TLB that knows of more rights than there are has to forget them; registers always.
    if lost or mapping.table.type is CapType.MPU_REGIONS:
        _invalidate(ledger, frame, mapping)


def drop_page(ledger: Ledger, root: Resource, va: int) -> bool:
    """Unmap the one page, region or large page that holds `va` in the address space of table `root`,
    whatever capability it was mapped by; the rest of that mapping stays.  False when nothing is there."""
    # 1. Walk down to the entry.
    found = _entry_of(root, va)
    if found is None:
        return False
    table, index = found
    frame = table.entries.pop(index)
    mapping = frame.mapping
    assert mapping is not None, "an entry belongs to a mapped capability"
    # 2. Clear it.
    _write(ledger, table, FORMATS[table.info.isa].empty(index))
    ledger.charge("unmap_page")
    _invalidate(ledger, frame, Mapping(table, index, 1, _offset(mapping, index), mapping.rights, mapping.page))
    # 3. A capability without entries is not mapped.
    span = range(mapping.index, mapping.index + mapping.count)
    if not any(table.entries.get(at) is frame for at in span):
        frame.mapping = None
    return True


def forget_entries(ledger: Ledger, table: Resource) -> None:
    """Table `table` is being destroyed: nothing is mapped in it any more.  Only a root can still be in
    use by a TLB then; any other was unhooked when its last capability went."""
    if not table.entries:
        return
    if table.info.level == 0:
        format = FORMATS[table.info.isa]
        bits = format.pa_bits if isinstance(format, RegionFormat) else format.va_bits
        ledger.effects.append(InvalidateTlb(table.base, 0, 1 << bits))
    for capability in table.entries.values():
        ledger.charge("unmap_page" if capability.resource.info.level < 0 else "unmap_table")
        capability.mapping = None
    table.entries.clear()


def _format(table: Capability) -> Format:
    """The format of `table`, which may be written."""
    if table.resource.info.level < 0:
        refuse("wrong-type", operation="mapped into", type=table.resource.info.name)
    if not table.rights & WRITE:
        refuse("rights", right="map into it")
    return FORMATS[table.resource.info.isa]


def _require_unmapped(capability: Capability) -> None:
    if capability.mapping is not None:
        refuse("mapped", index=capability.mapping.index, type=capability.mapping.table.info.name)


def _check_rights(frame: Capability, rights: int) -> None:
    if not rights & READ or rights & ~(READ | WRITE | EXECUTE):
        refuse("bad-access", rights=rights)
    for right, name in _NAMES:
        if rights & right and not frame.rights & right:
            refuse("rights", right=name)


def _check_entries(table: Resource, format: Format, index: int, count: int) -> None:
    limit = format.entries if isinstance(format, RegionFormat) else format.levels[table.info.level].reserved
    if index < 0 or index + count > limit:
        refuse("bad-index", table=table.info.name, last=limit - 1, index=index, end=index + count - 1)
    for at in range(index, index + count):
        if at in table.entries:
            refuse("entry-taken", index=at, table=table.info.name)


def _write(ledger: Ledger, table: Resource, words: Words) -> None:
    ledger.effects.extend(WritePte(table.base + offset, value) for offset, value in words)


def _write_pages(ledger: Ledger, frame: Capability, mapping: Mapping) -> int:
    """Write the entries of `mapping` that are the frame's; returns how many."""
    table, written = mapping.table, 0
    format, device = FORMATS[table.info.isa], frame.resource.type is CapType.DEV_FRAME
    for at in range(mapping.index, mapping.index + mapping.count):
        if table.entries.get(at) is frame:
            pa = frame.resource.base + _offset(mapping, at)
            _write(ledger, table, format.leaf(table.info.level, at, pa, mapping.page, mapping.rights, device))
            written += 1
    return written


def _offset(mapping: Mapping, index: int) -> int:
    """Bytes into the frame of what entry `index` maps."""
    return mapping.offset + (index - mapping.index) * mapping.page


def _hook(table: Resource) -> Mapping | None:
    """Where `table` is hooked in, by whichever capability to it."""
    return next((copy.mapping for copy in table.copies if copy.mapping is not None), None)


def _place(table: Resource) -> Place | None:
    """Where entry 0 of `table` is in its address space; None when it is in none."""
    va = 0
    while table.info.level > 0:
        hook = _hook(table)
        if hook is None:
            return None
        va += hook.index * _span(hook.table)
        table = hook.table
    return Place(table.base, va)


def _span(table: Resource) -> int:
    """Bytes of address space an entry of `table` covers."""
    format = FORMATS[table.info.isa]
    return PAGE if isinstance(format, RegionFormat) else 1 << format.levels[table.info.level].shift


def _invalidate(ledger: Ledger, capability: Capability, mapping: Mapping) -> None:
    """What TLBs may hold of `mapping`, if it is part of an address space."""
    table = mapping.table
    place = _place(table)
    if place is None or (not mapping.page and not capability.resource.entries):
        return
    if table.type is CapType.MPU_REGIONS:
        va, size = capability.resource.base + mapping.offset, mapping.page
    else:
        span = _span(table)
        va, size = place.va + mapping.index * span, mapping.count * span
    ledger.effects.append(InvalidateTlb(place.root, va, size))


def _entry_of(root: Resource, va: int) -> tuple[Resource, int] | None:
    """The table and the entry that map `va` as memory in the address space of `root`."""
    if root.type is CapType.MPU_REGIONS:
        for index in sorted(root.entries, reverse=True):
            frame = root.entries[index]
            mapping = frame.mapping
            assert mapping is not None, "an entry belongs to a mapped capability"
            if 0 <= va - frame.resource.base - mapping.offset < mapping.page:
                return root, index
        return None
    table = root
    while True:
        index = va // _span(table)
        if table is not root:
            index %= 512
        capability = table.entries.get(index)
        if capability is None or va < 0:
            return None
        if capability.resource.info.level < 0:
            return table, index
        table = capability.resource
