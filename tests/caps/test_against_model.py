"""The capability system against a reference model: a flat table of capabilities and quadratic searches.

After every step: every slot holds what the model says; objects are nested or apart; page tables in memory,
read raw, map what the model says; a TLB that obeys the effects never holds a stale entry; memory that
became free was returned to the ancestor that has it now.  A refused request changes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from multikernel.errors import CapabilityError
from multikernel.system.caps.cspace import cptr, root_cptr
from multikernel.system.caps.effects import Identity, InvalidateTlb, Outcome, ReturnMemory
from multikernel.system.caps.invoke import boot_cspace, drop, endow, invoke
from multikernel.system.caps.mdb import Mdb
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
from multikernel.system.caps.types import CapType
from multikernel.system.mmu import Translation, unit_for
from multikernel.system.page_tables import FORMATS
from multikernel.system.physical_memory import SparseMemory

T = CapType
ROOT_BASE, FIRST_CNODE, PHYS, PHYS_SIZE = 0x10_0000, 0x10_4000, 0x4000_0000, 0x4_0000
BECOMES = {
    T.PHYS_ADDR: [T.RAM, T.DEV_FRAME],
    T.RAM: [T.RAM, T.FRAME, T.CNODE, T.X86_64_PML4, T.X86_64_PDPT, T.X86_64_PD, T.X86_64_PT, T.DISPATCHER],
    T.DISPATCHER: [T.END_POINT],
}
SIZES = {T.CNODE: 0x4000, T.DISPATCHER: 0x400, T.END_POINT: 0x400} | dict.fromkeys(
    (T.X86_64_PML4, T.X86_64_PDPT, T.X86_64_PD, T.X86_64_PT), 0x1000
)
TABLES = [T.X86_64_PML4, T.X86_64_PDPT, T.X86_64_PD, T.X86_64_PT]
SPANS = [1 << 39, 1 << 30, 1 << 21, 1 << 12]

Object = tuple[CapType, int, int, int]
Address = tuple[int, int]
"""A slot as the model knows it: the base of its CNode, its number."""


class Refused(Exception):
    """The model would refuse."""


def need(condition: bool) -> None:
    if not condition:
        raise Refused


@dataclass
class Cap:
    """One slot of the table.  `entries` maps index in the table at `table` to physical address."""

    what: Object
    rights: int
    table: int = 0
    entries: dict[int, int] = field(default_factory=dict)
    allowed: int = 0

    @property
    def kind(self) -> CapType:
        return self.what[0]


def becomes(source: CapType, target: CapType) -> bool:
    return any(step == target or becomes(step, target) for step in BECOMES.get(source, []) if step != source)


def inside(inner: Object, outer: Object) -> bool:
    return outer[1] <= inner[1] and inner[1] + inner[2] <= outer[1] + outer[2]


def made_from(inner: Object, outer: Object) -> bool:
    if inner[0] == outer[0]:
        return inner[0] == T.RAM and inner[2] < outer[2] and inside(inner, outer)
    return becomes(outer[0], inner[0]) and inside(inner, outer)


class Model:
    """What the kernel should hold."""

    def __init__(self) -> None:
        self.caps: dict[Address, Cap] = {}

    def objects(self) -> list[Object]:
        return list(dict.fromkeys([(T.CNODE, ROOT_BASE, 0x4000, 0), *(cap.what for cap in self.caps.values())]))

    def cnode(self, level1: int, right: int) -> int:
        """The base of the CNode that addresses of `level1` lead through; -1 is the root itself."""
        if level1 < 0:
            return ROOT_BASE
        holder = self.caps.get((ROOT_BASE, level1))
        need(holder is not None and holder.kind == T.CNODE and bool(holder.rights & right))
        assert holder is not None
        return holder.what[1]

    def get(self, address: Address) -> Cap:
        slot = (self.cnode(address[0], 1), address[1])
        need(slot in self.caps)
        return self.caps[slot]

    def put(self, address: Address, count: int = 1) -> list[Address]:
        base = self.cnode(address[0], 2)
        slots = [(base, address[1] + n) for n in range(count)]
        need(address[1] + count <= 256 and not any(slot in self.caps for slot in slots))
        return slots

    def copy(self, source: Address, to: Address) -> None:
        cap = self.get(source)
        self.caps[self.put(to)[0]] = Cap(cap.what, cap.rights)

    def mint(self, source: Address, to: Address, rights: int, badge: int) -> None:
        cap = self.get(source)
        kind, base, size, old = cap.what
        need(not badge or (kind == T.END_POINT and old in (0, badge)))
        self.caps[self.put(to)[0]] = Cap((kind, base, size, badge or old), cap.rights & rights)

    def retype(self, source: Address, to: Address, kind: CapType, size: int, offset: int, count: int) -> None:
        cap = self.get(source)
        slots_first = self.cnode(to[0], 2)
        need(bool(cap.rights & 2) and kind in BECOMES.get(cap.kind, []))
        size = size or SIZES.get(kind, 0)
        align = SIZES.get(kind, 0x1000)
        start = cap.what[1] + offset
        need(size > 0 and size % align == 0 and start % align == 0 and (kind not in SIZES or size == align))
        need(offset + size * count <= cap.what[2] and not (kind == cap.kind and size == cap.what[2]))
        new = (kind, start, size * count, 0)
        for other in self.objects():
            apart = other[1] + other[2] <= start or start + size * count <= other[1]
            need(apart or not made_from(other, cap.what) or other[0] == kind == T.END_POINT)
        assert slots_first == self.put(to, count)[0][0]
        for number, slot in enumerate(self.put(to, count)):
            self.caps[slot] = Cap((kind, new[1] + number * size, size, 0), cap.rights)

    def delete(self, slot: Address) -> None:
        cap = self.caps.pop(slot, None)
        if cap is None or any(cap.what == other.what for other in self.caps.values()):
            return
        if cap.kind == T.CNODE and cap.what[1] != ROOT_BASE:
            for inner in [s for s in self.caps if s[0] == cap.what[1]]:
                self.delete(inner)
        if cap.kind in TABLES:
            for other in self.caps.values():
                if other.table == cap.what[1]:
                    other.table, other.entries = 0, {}

    def revoke(self, address: Address) -> None:
        cap = self.get(address)
        need(bool(cap.rights & 2))
        for slot in [s for s, other in self.caps.items() if made_from(other.what, cap.what)]:
            self.delete(slot)
        for slot in [s for s, other in self.caps.items() if other.what == cap.what and other is not cap]:
            self.delete(slot)

    def map(self, source: Address, table: Address, index: int, rights: int, offset: int, count: int) -> None:
        cap, into = self.get(source), self.get(table)
        need(cap.kind in (T.FRAME, T.DEV_FRAME) and into.kind == T.X86_64_PT and not cap.table)
        need(bool(rights & 1) and rights & ~cap.rights & 7 == 0 and bool(into.rights & 2))
        taken = [at for other in self.caps.values() if other.table == into.what[1] for at in other.entries]
        need(index + count <= 512 and not any(index + n in taken for n in range(count)))
        need(offset % 4096 == 0 and offset + count * 4096 <= cap.what[2])
        cap.table, cap.allowed = into.what[1], rights
        cap.entries = {index + n: cap.what[1] + offset + n * 4096 for n in range(count)}

    def map_table(self, source: Address, table: Address, index: int) -> None:
        cap, into = self.get(source), self.get(table)
        need(cap.kind in TABLES and into.kind in TABLES and bool(into.rights & 2))
        need(TABLES.index(cap.kind) == TABLES.index(into.kind) + 1)
        need(not any(other.table for other in self.caps.values() if other.what == cap.what))
        taken = [at for other in self.caps.values() if other.table == into.what[1] for at in other.entries]
        need(index < (256 if into.kind == T.X86_64_PML4 else 512) and index not in taken)
        cap.table, cap.entries = into.what[1], {index: cap.what[1]}

    def unmap(self, address: Address) -> None:
        cap = self.get(address)
        need(cap.table != 0)
        cap.table, cap.entries = 0, {}

    def protect(self, address: Address, rights: int) -> None:
        cap = self.get(address)
        need(cap.kind in (T.FRAME, T.DEV_FRAME) and cap.table != 0)
        need(bool(rights & 1) and rights & ~cap.rights & 7 == 0)
        cap.allowed = rights

    def pages(self, table: int, level: int, va: int) -> dict[int, tuple[int, int]]:
        """What is mapped below the table at `table`: address to (physical address, rights)."""
        found: dict[int, tuple[int, int]] = {}
        for cap in self.caps.values():
            if cap.table == table:
                for index, pa in cap.entries.items():
                    at = va + index * SPANS[level]
                    found |= {at: (pa, cap.allowed)} if level == 3 else self.pages(pa, level + 1, at)
        return found

    def spaces(self) -> dict[int, dict[int, tuple[int, int]]]:
        """By root table, what its address space maps."""
        roots = [what[1] for what in self.objects() if what[0] == T.X86_64_PML4]
        return {root: self.pages(root, 0, 0) for root in roots}

    def owners(self) -> dict[int, Object]:
        """For each KiB under the PhysAddr, the innermost object there; a dispatcher and its EndPoints,
        whatever their badges, count as one."""
        found: dict[int, Object] = {}
        for what in sorted(self.objects(), key=lambda w: (-w[2], w[0])):
            if what[1] >= PHYS:
                kind = T.DISPATCHER if what[0] == T.END_POINT else what[0]
                found |= dict.fromkeys(range(what[1], what[1] + what[2], 0x400), (kind, *what[1:3], 0))
        return found


def read_raw(memory: SparseMemory, table: int, level: int, va: int) -> dict[int, tuple[int, int]]:
    """Every page an x86-64 table in memory maps, by Intel's manual."""
    found: dict[int, tuple[int, int]] = {}
    for index, word in enumerate(struct.unpack("<512Q", memory.read(table, 4096))):
        if word & 1:
            at, pa = va + index * SPANS[level], word & 0x000F_FFFF_FFFF_F000
            rights = 1 | (word >> 1 & 1) << 1 | (1 - (word >> 63)) << 2
            found |= {at: (pa, rights)} if level == 3 else read_raw(memory, pa, level + 1, at)
        else:
            assert word == 0
    return found


def number_of(address: Address) -> int:
    return root_cptr(address[1]) if address[0] < 0 else cptr(*address)


ADDRESSES = [(-1, n) for n in range(1, 4)] + [(level1, n) for level1 in range(3) for n in range(9)]
PLAIN, FRAMES = (T.PHYS_ADDR, T.RAM, T.DISPATCHER), (T.FRAME, T.DEV_FRAME)
anywhere = st.integers(0, 1000)
"""Which slot a rule takes: see `Capabilities.full` and `empty`; 1 in 8 is any slot whatever."""
indices = st.sampled_from((0, 1, 2, 3, 255, 256, 511))


class Capabilities(RuleBasedStateMachine):
    """Random requests, to the kernel and to the model."""

    @initialize()
    def boot(self) -> None:
        self.memory, self.mdb, self.model = SparseMemory(), Mdb(), Model()
        self.space = boot_cspace(self.mdb, ROOT_BASE)
        self.unit = unit_for(FORMATS["x86_64"], self.memory, 16)
        self.touched: list[tuple[int, int]] = []
        endow(self.mdb, self.space.slot(root_cptr(0)), T.CNODE, FIRST_CNODE)
        self.model.caps[ROOT_BASE, 0] = Cap((T.CNODE, FIRST_CNODE, 0x4000, 0), 31)
        endow(self.mdb, self.space.slot(cptr(0, 0)), T.PHYS_ADDR, PHYS, PHYS_SIZE)
        self.model.caps[FIRST_CNODE, 0] = Cap((T.PHYS_ADDR, PHYS, PHYS_SIZE, 0), 31)
        self.retype_at((0, 0), (0, 1), T.RAM, 0x2_0000, 0, 1)
        self.retype_at((0, 1), (-1, 1), T.CNODE, 0, 0x1_C000, 1)
        for number, kind in enumerate(TABLES):
            self.retype_at((0, 1), (1, number), kind, 0, number * 0x1000, 1)
        for number in range(3):
            self.map_table_at((1, number + 1), (1, number), number + 1)
        self.retype_at((0, 1), (1, 5), T.FRAME, 0x3000, 0x4000, 2)
        self.map_at((1, 5), (1, 3), 2, 3, 0, 3)

    def both(self, address: Address, request: CapRequest, expect: Callable[[], None]) -> None:
        """The kernel and the model agree whether it is refused, and on what was returned."""
        before = self.model.owners()
        outcome: Outcome | None = None
        try:
            outcome = invoke(self.space, self.mdb, self.memory, number_of(address), request)
        except CapabilityError as error:
            refused = error.code
        else:
            refused = ""
        try:
            expect()
        except Refused:
            assert refused, f"{request} is to be refused"
            return
        assert outcome is not None, f"{request} was refused: {refused}"
        assert outcome.costs, "every request costs something"
        self.obey(outcome, before)

    def obey(self, outcome: Outcome, before: dict[int, Object]) -> None:
        returned: dict[int, tuple[int, int]] = {}
        for effect in outcome.effects:
            if isinstance(effect, InvalidateTlb):
                assert not returned, "translations are gone before memory is given back"
                self.unit.invalidate(effect.va, effect.size, effect.root)
            if isinstance(effect, ReturnMemory):
                ancestor = (effect.ancestor_base, effect.ancestor_size)
                returned |= dict.fromkeys(range(effect.base, effect.base + effect.size, 0x400), ancestor)
        returned = {at: up for at, up in returned.items() if at >= PHYS}
        after = self.model.owners()
        changed = [at for at in before if after.get(at) != before[at]]
        if any(at not in before or (at in changed and made_from(after[at], before[at])) for at in after):
            assert not returned, "making something frees nothing"
        else:
            assert returned == {at: after[at][1:3] if at in after else (0, 0) for at in changed}

    def full(self, pick: int, *kinds: CapType) -> Address:
        """The address of a slot that holds something of `kinds`, if there is one."""
        found = [at for at in ADDRESSES if self.kind_at(at) in (kinds or tuple(T))] if pick % 8 else []
        return (found or ADDRESSES)[pick // 8 % len(found or ADDRESSES)]

    def empty(self, pick: int) -> Address:
        """The address of an empty slot, if there is one."""
        found = [at for at in ADDRESSES if at[0] < 2 and self.kind_at(at) is None] if pick % 8 else []
        return (found or ADDRESSES)[pick // 8 % len(found or ADDRESSES)]

    def kind_at(self, address: Address) -> CapType | None:
        try:
            return self.model.get(address).kind
        except Refused:
            return None

    @rule(source=anywhere, to=anywhere)
    def copy(self, source: int, to: int) -> None:
        at, into = self.full(source), self.empty(to)
        self.both(at, Copy(number_of(into)), lambda: self.model.copy(at, into))

    @rule(source=anywhere, to=anywhere, rights=st.sampled_from((1, 3, 29, 31)), badge=st.integers(0, 2))
    def mint(self, source: int, to: int, rights: int, badge: int) -> None:
        at, into = self.full(source, *((T.END_POINT,) if badge else ())), self.empty(to)
        self.both(at, Mint(number_of(into), rights, badge), lambda: self.model.mint(at, into, rights, badge))

    @rule(
        source=anywhere, to=anywhere, kind=st.sampled_from((*SIZES, T.RAM, T.FRAME, T.DEV_FRAME, T.PHYS_ADDR)),
        size=st.sampled_from((0, 0, 0x400, 0x1000, 0x2000, 0x4000, 0x1_0000)),
        offset=st.sampled_from((0, 0x400, 0x1000, 0x8000, 0xA000, 0xC000, 0x1_0000, 0x2_0000)),
        count=st.integers(1, 3),
    )  # fmt: skip
    def retype(self, source: int, to: int, kind: CapType, size: int, offset: int, count: int) -> None:
        able = [k for k in PLAIN if kind in BECOMES[k]]
        if kind in SIZES and offset % 3:
            size = 0
        self.retype_at(self.full(source, *able), self.empty(to), kind, size, offset, count)

    def retype_at(self, at: Address, into: Address, kind: CapType, size: int, offset: int, count: int) -> None:
        request = Retype(number_of(into), kind, size, offset, count)
        self.both(at, request, lambda: self.model.retype(at, into, kind, size, offset, count))

    @rule(source=anywhere)
    def delete(self, source: int) -> None:
        at = self.full(source)

        def expect() -> None:
            self.model.get(at)
            self.model.delete((self.model.cnode(at[0], 2), at[1]))

        self.both(at, Delete(), expect)

    @rule(source=anywhere)
    def revoke(self, source: int) -> None:
        at = self.full(source)
        self.both(at, Revoke(), lambda: self.model.revoke(at))

    @rule(source=anywhere, table=anywhere, index=indices, rights=st.sampled_from((1, 3, 3, 5, 2)),
          offset=st.sampled_from((0, 0, 0x1000)), count=st.integers(1, 3))  # fmt: skip
    def map(self, source: int, table: int, index: int, rights: int, offset: int, count: int) -> None:
        at, into = self.full(source, *FRAMES), self.full(table, T.X86_64_PT)
        if self.kind_at(into) not in (T.X86_64_PDPT, T.X86_64_PD):  # large pages: frames here are too small
            self.map_at(at, into, index, rights, offset, count)

    def map_at(self, at: Address, into: Address, index: int, rights: int, offset: int, count: int) -> None:
        request = Map(number_of(into), index, rights, offset, count)
        self.both(at, request, lambda: self.model.map(at, into, index, rights, offset, count))

    @rule(source=anywhere, table=anywhere, level=st.integers(1, 3), index=indices)
    def map_table(self, source: int, table: int, level: int, index: int) -> None:
        self.map_table_at(self.full(source, TABLES[level]), self.full(table, TABLES[level - 1]), index)

    def map_table_at(self, at: Address, into: Address, index: int) -> None:
        request = MapTable(number_of(into), index)
        self.both(at, request, lambda: self.model.map_table(at, into, index))

    @rule(source=anywhere)
    def unmap(self, source: int) -> None:
        at = self.full(source, *FRAMES, *TABLES[1:])
        self.both(at, Unmap(), lambda: self.model.unmap(at))

    @rule(source=anywhere, rights=st.sampled_from((1, 3, 5, 7)))
    def protect(self, source: int, rights: int) -> None:
        at = self.full(source, *FRAMES)
        self.both(at, Protect(rights), lambda: self.model.protect(at, rights))

    @rule(pick=st.integers(0, 100))
    def drop_a_page(self, pick: int) -> None:
        mapped = [(root, va) for root, pages in self.model.spaces().items() for va in pages]
        if not mapped:
            return
        root, va = mapped[pick % len(mapped)]
        pml4 = next(cap for resource in self.mdb if resource.base == root and resource.type == T.X86_64_PML4
                    for cap in resource.copies)  # fmt: skip
        before = self.model.owners()
        self.obey(drop(pml4, self.memory, va), before)
        pa = self.model.spaces()[root][va][0]
        index = va >> 12 & 511
        for cap in self.model.caps.values():
            if cap.kind in (T.FRAME, T.DEV_FRAME) and cap.entries.get(index) == pa:
                if self.va_of(cap.table) != (root, va & -(1 << 21)):
                    continue
                del cap.entries[index]
                cap.table = cap.table if cap.entries else 0

    def va_of(self, table: int) -> tuple[int, int]:
        va = 0
        for level in (2, 1, 0):
            hook = next((c for c in self.model.caps.values() if c.table and table in c.entries.values()
                         and c.kind == TABLES[level + 1]), None)  # fmt: skip
            if hook is None:
                return (0, 0)
            va += next(iter(hook.entries)) * SPANS[level]
            table = hook.table
        return table, va

    @rule(pick=st.integers(0, 100), write=st.booleans())
    def touch(self, pick: int, write: bool) -> None:
        """User code reads or writes a page that is mapped, or was."""
        mapped = [(root, va) for root, pages in self.model.spaces().items() for va in pages]
        self.touched = (self.touched + mapped)[-24:]
        spaces = self.model.spaces()
        live = [(root, va) for root, va in self.touched if root in spaces]
        if live:
            root, va = live[pick % len(live)]
            answer = self.unit.translate(root, va, write)
            entry = spaces[root].get(va)
            allowed = entry is not None and (not write or bool(entry[1] & 2))
            assert isinstance(answer, Translation) == allowed
            assert entry is None or not allowed or answer[0] == entry[0]

    @invariant()
    def every_slot_is_as_the_model_says(self) -> None:
        holders = {ROOT_BASE: -1}
        for (cnode, number), cap in sorted(self.model.caps.items()):
            if cnode == ROOT_BASE and cap.kind == T.CNODE and cap.rights & 1:
                holders.setdefault(cap.what[1], number)
        seen = {}
        for base, level1 in holders.items():
            for number in range(12):
                address = number_of((level1, number))
                try:
                    capability = self.space.capability(address)
                except CapabilityError:
                    continue
                resource = capability.resource
                what = (resource.type, resource.base, resource.size, resource.badge)
                seen[base, number] = (what, capability.rights, capability.mapping is not None)
                if capability.rights & 16:
                    found = invoke(self.space, self.mdb, self.memory, address, Identify()).result
                    assert found == Identity(*what[:3], capability.rights, what[3], capability.mapping is not None)
        want = {at: (cap.what, cap.rights, cap.table != 0) for at, cap in self.model.caps.items() if at[0] in holders}
        assert seen == want

    @invariant()
    def objects_are_nested_or_apart(self) -> None:
        found = [(r.type, r.base, r.size, r.badge) for r in self.mdb]
        assert sorted(found) == sorted(self.model.objects())
        for a in found:
            for b in found:
                apart = a[1] + a[2] <= b[1] or b[1] + b[2] <= a[1]
                twins = a[0] == b[0] == T.END_POINT
                assert a == b or apart or twins or made_from(a, b) or made_from(b, a)

    @invariant()
    def page_tables_in_memory_map_what_the_model_says(self) -> None:
        for root, pages in self.model.spaces().items():
            assert read_raw(self.memory, root, 0, 0) == pages


TestCapabilities = Capabilities.TestCase
TestCapabilities.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
