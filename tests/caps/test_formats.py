"""Page tables read back from raw bytes by walkers written from the manuals, apart from the encoder.

Sources: Intel SDM vol. 3A 4.5.4, figure 4-11; Arm ARM DDI 0487 D8.3.1, D8.4; DDI 0406C B5.1, B4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.system.caps.cspace import CSpace, cptr, root_cptr
from multikernel.system.caps.effects import Outcome
from multikernel.system.caps.invoke import boot_cspace, endow, invoke
from multikernel.system.caps.mdb import Mdb
from multikernel.system.caps.requests import CapRequest, Map, MapTable, Protect, Retype, Unmap
from multikernel.system.caps.types import CapType
from multikernel.system.mmu import PageFault, Translation, unit_for
from multikernel.system.page_tables import EXECUTE, FORMATS, READ, WRITE
from multikernel.system.physical_memory import SparseMemory

T = CapType
X86 = (T.X86_64_PML4, T.X86_64_PDPT, T.X86_64_PD, T.X86_64_PT)
ARM = (T.AARCH64_L0, T.AARCH64_L1, T.AARCH64_L2, T.AARCH64_L3)
MIB = 1 << 20


@dataclass(frozen=True)
class Seen:
    """What an independent walker found: physical address, user may write, may execute, device memory."""

    pa: int
    write: bool
    execute: bool
    device: bool


def walk_x86(memory: SparseMemory, cr3: int, va: int) -> Seen | None:
    """SDM 4.5.4: 9 bits of address a level; rights are the AND over the levels (4.6.1)."""
    table, write, execute = cr3, True, True
    for low in (39, 30, 21, 12):
        entry = int.from_bytes(memory.read(table + (va >> low) % 512 * 8, 8), "little")
        if entry % 2 == 0:
            return None
        assert entry >> 2 & 1, "user pages hang below user tables"
        assert entry >> 5 & 1, "accessed, so that no walker has to set it"
        write = write and bool(entry >> 1 & 1)
        execute = execute and not entry >> 63
        address = entry & 0x000F_FFFF_FFFF_F000
        if low == 12 or entry >> 7 & 1:
            assert low != 39, "PS is reserved in a PML4E"
            assert entry >> 6 & 1, "dirty, so that no store has to set it"
            assert low == 12 or address % (1 << low) == 0, "bits below the page's size are reserved or PAT"
            return Seen(address + va % (1 << low), write, execute, entry >> 3 & 3 == 3)
        table = address
    raise AssertionError


def walk_arm(memory: SparseMemory, ttbr0: int, va: int) -> Seen | None:
    """D8.3.1: bits 1:0 are 11 for a table or a page, 01 for a block; AP[2] forbids writing."""
    table = ttbr0
    for level, low in enumerate((39, 30, 21, 12)):
        entry = int.from_bytes(memory.read(table + (va >> low) % 512 * 8, 8), "little")
        kind = entry & 3
        if kind in (0, 2):
            return None
        if kind == 3 and level < 3:
            assert not entry >> 59, "no hierarchical restrictions"
            table = entry & 0x0000_FFFF_FFFF_F000
            continue
        assert (kind, level) in ((3, 3), (1, 1), (1, 2)), "no block at level 0, none of 4 KiB"
        assert entry >> 10 & 1, "access flag"
        assert entry >> 8 & 3 == 3, "inner shareable"
        assert entry >> 11 & 1, "not global"
        assert entry >> 6 & 1, "AP[1]: EL0 may access"
        assert entry >> 53 & 1, "PXN: the kernel runs no user code"
        address = entry & 0x0000_FFFF_FFFF_F000
        assert address % (1 << low) == 0, "bits below the block's size are reserved"
        return Seen(address + va % (1 << low), not entry >> 7 & 1, not entry >> 54 & 1, entry >> 2 & 7 == 1)
    raise AssertionError


WALKERS = {"x86_64": (X86, walk_x86), "aarch64": (ARM, walk_arm)}


class Kernel:
    """One core's capabilities with 256 MiB of RAM and a page of device registers; slots are handed out in order."""

    RAM, DEVICE = cptr(0, 0), cptr(0, 1)

    def __init__(self) -> None:
        self.memory, self.mdb = SparseMemory(), Mdb()
        self.space: CSpace = boot_cspace(self.mdb, 0x10_0000)
        endow(self.mdb, self.space.slot(root_cptr(0)), T.CNODE, 0x11_0000)
        endow(self.mdb, self.space.slot(self.RAM), T.RAM, 0x4000_0000, 256 * MIB)
        endow(self.mdb, self.space.slot(self.DEVICE), T.DEV_FRAME, 0xFEE0_0000, 0x1000)
        self.next, self.used = 2, 0

    def do(self, address: int, request: CapRequest) -> Outcome:
        return invoke(self.space, self.mdb, self.memory, address, request)

    def make(self, kind: CapType, size: int = 4096) -> int:
        address, self.next = cptr(0, self.next), self.next + 1
        self.used = -(-self.used // size) * size
        self.do(self.RAM, Retype(address, kind, size, self.used))
        self.used += size
        return address

    def base(self, address: int) -> int:
        return self.space.capability(address).resource.base

    def tree(self, kinds: tuple[CapType, ...], va: int) -> list[int]:
        """A table of each kind, hooked together on the way to `va`."""
        tables = [self.make(kind) for kind in kinds]
        for (above, below), low in zip(pairwise(tables), (39, 30, 21), strict=False):
            self.do(below, MapTable(above, (va >> low) % 512))
        return tables


@pytest.mark.parametrize("isa", WALKERS)
@settings(deadline=None)
@given(
    page=st.integers(0, (1 << 35) - 1), rights=st.sampled_from((READ, READ | WRITE, READ | EXECUTE, 7)),
    within=st.integers(0, 4095),
)  # fmt: skip
def test_a_mapped_page_is_where_the_manual_says(isa: str, page: int, rights: int, within: int) -> None:
    kinds, walk = WALKERS[isa]
    kernel, va = Kernel(), page << 12 | within
    tables = kernel.tree(kinds, va)
    frame = kernel.make(T.FRAME, 0x2000)
    kernel.do(frame, Map(tables[3], page % 512, rights, offset=0x1000))
    root = kernel.base(tables[0])
    want = Seen(kernel.base(frame) + 0x1000 + within, bool(rights & WRITE), bool(rights & EXECUTE), False)
    assert walk(kernel.memory, root, va) == want
    assert walk(kernel.memory, root, va ^ 0x1000) is None
    unit = unit_for(FORMATS[isa], kernel.memory, 8)
    assert unit.translate(root, va, False) == Translation(want.pa, 4, False)
    stored = unit.translate(root, va, True)
    assert stored == (Translation(want.pa, 0, False) if want.write else PageFault(va, "write-protected", True, 4))


@pytest.mark.parametrize("isa", WALKERS)
@pytest.mark.parametrize("level", [1, 2])
def test_large_pages(isa: str, level: int) -> None:
    kinds, walk = WALKERS[isa]
    size = 1 << (39 - 9 * level)
    kernel, va = Kernel(), 5 * (1 << 39) + 3 * size
    if level == 1:
        frame = cptr(0, 200)
        endow(kernel.mdb, kernel.space.slot(frame), T.FRAME, 0x1_0000_0000, 1 << 30)
    else:
        frame = kernel.make(T.FRAME, 2 * MIB)
    tables = kernel.tree(kinds[: level + 1], va)
    kernel.do(frame, Map(tables[level], 3, READ | WRITE))
    root, base = kernel.base(tables[0]), kernel.base(frame)
    unit = unit_for(FORMATS[isa], kernel.memory, 8)
    for inside in (0, 0x1234, size - 1):
        assert walk(kernel.memory, root, va + inside) == Seen(base + inside, True, False, False)
        assert unit.translate(root, va + inside, True) == Translation(base + inside, level + 1, False)
    assert walk(kernel.memory, root, va + size) is None
    # Bit 12 of a large page is no address: PAT on x86-64 (SDM table 4-16), reserved on AArch64.
    entry = kernel.base(tables[level]) + 3 * 8
    kernel.memory.write(entry + 1, bytes([kernel.memory.read(entry + 1, 1)[0] | 0x10]))
    unit.flush()
    assert unit.translate(root, va, True) == Translation(base, level + 1, False)


@pytest.mark.parametrize("isa", WALKERS)
def test_device_memory_and_protection(isa: str) -> None:
    kinds, walk = WALKERS[isa]
    kernel = Kernel()
    tables = kernel.tree(kinds, 0)
    root = kernel.base(tables[0])
    kernel.do(kernel.DEVICE, Map(tables[3], 0, READ | WRITE))
    assert walk(kernel.memory, root, 8) == Seen(0xFEE0_0008, True, False, True)
    assert unit_for(FORMATS[isa], kernel.memory, 1).translate(root, 8, True) == Translation(0xFEE0_0008, 4, True)
    kernel.do(kernel.DEVICE, Protect(READ))
    assert walk(kernel.memory, root, 8) == Seen(0xFEE0_0008, False, False, True)
    kernel.do(kernel.DEVICE, Unmap())
    assert walk(kernel.memory, root, 8) is None
    for table in tables[1:]:
        kernel.do(table, Unmap())
    assert kernel.memory.read(root, 4096) == bytes(4096), "nothing is left in the root"


@pytest.mark.parametrize("isa", WALKERS)
def test_a_walker_honours_restrictions_written_by_hand(isa: str) -> None:
    """A table that forbids writing or user mode forbids it below, although the kit never writes one so."""
    kernel = Kernel()
    tables = kernel.tree(WALKERS[isa][0], 0)
    frame = kernel.make(T.FRAME)
    kernel.do(frame, Map(tables[3], 0, READ | WRITE))
    root, table = kernel.base(tables[0]), kernel.base(tables[1])
    entry = int.from_bytes(kernel.memory.read(table, 8), "little")
    no_write, no_user = (entry & ~2, entry & ~4) if isa == "x86_64" else (entry | 1 << 62, entry | 1 << 61)
    unit = unit_for(FORMATS[isa], kernel.memory, 8)
    kernel.memory.write(table, no_write.to_bytes(8, "little"))
    assert unit.translate(root, 0, True) == PageFault(0, "write-protected", True, 4)
    kernel.memory.write(table, no_user.to_bytes(8, "little"))
    assert unit.translate(root, 0, False) == PageFault(0, "privileged", False, 4)


@settings(deadline=None)
@given(
    st.integers(0, 15), st.integers(12, 24), st.sampled_from((READ, READ | WRITE, READ | EXECUTE)), st.booleans()
)  # fmt: skip
def test_mpu_regions_are_the_registers_of_the_manual(number: int, order: int, rights: int, device: bool) -> None:
    kernel, size = Kernel(), 1 << order
    if device:
        frame, size = kernel.DEVICE, 4096
    else:
        frame = kernel.make(T.FRAME, size)
    regions = kernel.make(T.MPU_REGIONS)
    kernel.do(frame, Map(regions, number, rights, count=size // 4096))
    base, root = kernel.base(frame), kernel.base(regions)
    drbar, drsr, dracr, rest = (
        int.from_bytes(kernel.memory.read(root + 16 * number + at, 4), "little") for at in (0, 4, 8, 12)
    )
    assert (drbar, rest) == (base, 0)
    assert drsr & 1, "B5: DRSR.En"
    assert 2 << (drsr >> 1 & 0x1F) == size, "DRSR.RSize: the region has 2^(RSize+1) bytes"
    assert drsr >> 8 == 0, "no subregion disabled"
    assert dracr >> 8 & 7 == (3 if rights & WRITE else 2), "DRACR.AP: user read-write, user read-only"
    assert bool(dracr >> 12 & 1) == (not rights & EXECUTE), "DRACR.XN"
    tex, c, b = dracr >> 3 & 7, dracr >> 1 & 1, dracr & 1
    assert (tex, c, b) == ((0, 0, 1) if device else (1, 1, 1)), "device, or normal write-back write-allocate"
    assert drbar % size == 0, "a region starts at a multiple of its size"
    unit = unit_for(FORMATS["armv7-r"], kernel.memory, 1)
    assert unit.translate(root, base + size - 1, False) == Translation(base + size - 1, 1, device)
    assert unit.translate(root, base + size, False) == PageFault(base + size, "not-mapped", False, 0)
