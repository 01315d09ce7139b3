"""The TLB: what it answers, what it forgets, what it counts, against a dictionary of pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.system.caps.cspace import cptr
from multikernel.system.caps.requests import Copy, Map, Protect, Unmap
from multikernel.system.mmu import Mmu, Mpu, PageFault, Translation, unit_for
from multikernel.system.page_tables import ARMV7R, FORMATS, X86_64
from multikernel.system.physical_memory import SparseMemory

ROOTS = (0x10_0000, 0x20_0000)
ENTRIES = 4


class Space:
    """x86-64 page tables with the pages given, written here by hand, one tree a root."""

    def __init__(self) -> None:
        self.memory = SparseMemory()
        for root in ROOTS:
            for level in range(3):
                self.memory.write(root + level * 4096, (root + (level + 1) * 4096 | 7).to_bytes(8, "little"))

    def set(self, root: int, page: int, pa: int, write: bool) -> None:
        word = pa | 5 | 2 * write if pa else 0
        self.memory.write(root + 3 * 4096 + 8 * page, word.to_bytes(8, "little"))


roots, pages = st.sampled_from(ROOTS), st.integers(0, 3)
Step = tuple[str, int, int, int, bool]
uses = st.lists(st.tuples(st.just("use"), roots, pages, st.just(0), st.booleans()), min_size=6, max_size=12)
changes = st.one_of(
    st.tuples(st.just("set"), roots, pages, st.integers(0, 3), st.booleans()),
    st.tuples(st.just("invalidate"), roots, pages, st.integers(1, 3), st.booleans()),
    st.tuples(st.just("flush"), roots, pages, st.just(0), st.booleans()),
)
steps = st.lists(st.tuples(uses, changes), min_size=1, max_size=6)
"""Runs of accesses, long enough to fill the TLB, with a change after each."""


@settings(deadline=None)
@given(steps)
def test_against_a_dictionary(script: list[tuple[list[Step], Step]]) -> None:
    """A first-in first-out list of at most four pages answers the same, from what it has or from the tables."""
    space = Space()
    unit = Mmu(X86_64, space.memory, ENTRIES)
    table: dict[tuple[int, int], tuple[int, bool]] = {}
    cached: dict[tuple[int, int], tuple[int, bool]] = {}
    for page in range(4):
        for root in ROOTS:
            table[root, page] = 0x9_0000, page > 0
            space.set(root, page, 0x9_0000, page > 0)
    for what, root, page, number, flag in (step for accesses, change in script for step in (*accesses, change)):
        key = root, page
        if what == "set":
            table[key] = (number << 16, flag)
            space.set(root, page, number << 16, flag)
        elif what == "invalidate":
            unit.invalidate(page << 12 | 5, (number - 1) * 4096 + 1, root if flag else None)
            doomed = [k for k in cached if page <= k[1] < page + number and (not flag or k[0] == root)]
            for k in doomed:
                del cached[k]
        elif what == "flush":
            unit.flush()
            cached.clear()
        else:
            now = table.get(key, (0, False))
            if key in cached and (cached[key][1] or not flag):
                want: Translation | PageFault = Translation(cached[key][0] + 0x123, 0, False)
            else:
                cached.pop(key, None)
                if not now[0]:
                    want = PageFault(page << 12 | 0x123, "not-mapped", flag, 4)
                elif flag and not now[1]:
                    want = PageFault(page << 12 | 0x123, "write-protected", flag, 4)
                else:
                    want = Translation(now[0] + 0x123, 4, False)
                    if len(cached) == ENTRIES:
                        del cached[next(iter(cached))]
                    cached[key] = now
            assert unit.translate(root, page << 12 | 0x123, flag) == want


def test_a_hit_reads_no_memory() -> None:
    space = Space()
    space.set(ROOTS[0], 1, 0x5000, True)
    reads: list[int] = []

    class Watched(SparseMemory):
        def read(self, address: int, size: int) -> bytes:
            reads.append(address)
            return space.memory.read(address, size)

    unit = unit_for(X86_64, Watched(), 8)
    unit.translate(ROOTS[0], 0x1000, False)
    assert len(reads) == 4
    unit.translate(ROOTS[0], 0x1FFF, True)
    assert len(reads) == 4


def test_an_unmap_without_invalidation_is_not_seen(kernel) -> None:
    kernel.do(kernel.FRAME, Map(kernel.PT, 3, 3))
    root, unit = kernel.base(kernel.PML4), unit_for(FORMATS["x86_64"], kernel.memory, 8)
    pa = kernel.base(kernel.FRAME)
    assert unit.translate(root, 0x3000, True) == Translation(pa, 4, False)
    outcome = kernel.do(kernel.FRAME, Unmap())
    assert unit.translate(root, 0x3000, False) == Translation(pa, 0, False), "as hardware would"
    assert unit.reaches(root, 0x3000)
    for effect in outcome.effects:
        if hasattr(effect, "va"):
            unit.invalidate(effect.va, effect.size, effect.root)
    assert unit.translate(root, 0x3000, False) == PageFault(0x3000, "not-mapped", False, 4)
    assert not unit.reaches(root, 0x3000)


def test_fewer_rights_are_stale_and_more_are_not(kernel) -> None:
    kernel.do(kernel.FRAME, Map(kernel.PT, 3, 3))
    root, unit = kernel.base(kernel.PML4), unit_for(FORMATS["x86_64"], kernel.memory, 8)
    unit.translate(root, 0x3000, True)
    kernel.do(kernel.FRAME, Protect(1))
    assert isinstance(unit.translate(root, 0x3000, True), Translation)
    unit.flush()
    assert unit.translate(root, 0x3000, True) == PageFault(0x3000, "write-protected", True, 4)
    assert unit.translate(root, 0x3000, False).levels == 4
    assert not kernel.do(kernel.FRAME, Protect(7)).effects[1:], "nothing to invalidate"
    assert unit.translate(root, 0x3000, True).levels == 4, "a hit that forbids is walked again"


@pytest.mark.parametrize("isa", ["x86_64", "armv7-r"])
def test_unaligned_and_wild_addresses(kernel, isa: str) -> None:
    unit = unit_for(FORMATS[isa], kernel.memory, 8)
    root = kernel.base(kernel.REGIONS if isa == "armv7-r" else kernel.PML4)
    kernel.do(kernel.FRAME, Map(kernel.PT, 0, 3))
    kernel.do(kernel.READ_ONLY, Map(kernel.PT, 511, 1))
    assert unit.translate(root, 0x1004, False, 8) == PageFault(0x1004, "alignment", False, 0)
    for wild in (-8, 1 << 48, 1 << 63):
        fault = unit.translate(root, wild, True, 8)
        assert fault == PageFault(wild, "not-mapped", True, 1 if isa == "armv7-r" and wild < 0 else 0)


def test_invalidation_of_a_whole_address_space_leaves_the_others() -> None:
    space = Space()
    unit = unit_for(X86_64, space.memory, 8)
    for root in ROOTS:
        for page in range(3):
            space.set(root, page, 0x9000, True)
            unit.translate(root, page << 12, True)
    unit.invalidate(0, 1 << 47, ROOTS[0])
    levels = [unit.translate(root, 0x1000, True).levels for root in ROOTS]
    assert levels == [4, 0]


def test_a_tlb_has_entries() -> None:
    with pytest.raises(ValueError, match="at least one entry, not 0"):
        unit_for(X86_64, SparseMemory(), 0)


def test_mpu_regions_stay_loaded_and_the_highest_wins(kernel) -> None:
    unit = Mpu(ARMV7R, kernel.memory)
    root, pa = kernel.base(kernel.REGIONS), kernel.base(kernel.FRAME)
    kernel.do(kernel.FRAME, Map(kernel.REGIONS, 0, 3, 0, 4))
    assert unit.translate(root, pa + 8, True, 8) == Translation(pa + 8, 1, False)
    assert unit.translate(root, pa + 8, True, 8) == Translation(pa + 8, 0, False)
    # A second region over part of the first, read-only: unseen until the registers are loaded again.
    kernel.do(kernel.FRAME, Copy(cptr(0, 40)))
    outcome = kernel.do(cptr(0, 40), Map(kernel.REGIONS, 5, 1, 0x1000))
    assert [(e.root, e.va, e.size) for e in outcome.effects if hasattr(e, "va")] == [(root, pa + 0x1000, 0x1000)]
    assert isinstance(unit.translate(root, pa + 0x1000, True), Translation)
    unit.invalidate(pa + 0x1000, 0x1000, root)
    assert unit.translate(root, pa + 0x1000, True) == PageFault(pa + 0x1000, "write-protected", True, 1)
    assert unit.translate(root, pa + 0x1000, False) == Translation(pa + 0x1000, 0, False)
    assert unit.translate(root, pa + 0x2000, True) == Translation(pa + 0x2000, 0, False)
    # Another root, as after a switch of dispatchers, loads its own.
    assert unit.translate(0x7000_0000, pa, False) == PageFault(pa, "not-mapped", False, 1)
    assert unit.translate(root, pa, False) == Translation(pa, 1, False)
    unit.flush()
    assert unit.translate(root, pa, False) == Translation(pa, 1, False)
