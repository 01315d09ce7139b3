"""Page-table formats as data: what each instruction set's entries look like in memory.

    FORMATS[paging]       x86_64, aarch64: `TableFormat`; armv7-r: `RegionFormat`
    format_of(paging)     the same, and None for `none`: a core without any
    format.leaf(...)      the words that map memory; format.table(...) the word that refers to a table
    format.empty(...)     the words that map nothing
    format.decode(...)    what a word means: `Entry` or None

The CPU driver encodes, the machine's walker decodes; both read the same tables here, so the tests
hold them to a walker of their own, written from the manuals.

Sources: Intel SDM vol. 3A, 4.5 (4-level paging, tables 4-15 to 4-20); Arm ARM DDI 0487, D8.3 (VMSAv8-64
descriptors, 4 KiB granule, stage 1, EL1&0); Arm ARM DDI 0406C, B5 (PMSAv7) and Cortex-R5 TRM 4.3.20-23.

Entries are little-endian whatever the byte order of the core's data (x86 knows no other; Arm: SCTLR.EE is 0
and E0E alone, or the R profile's CPSR.E, turns user code's accesses round).

Left out: accessed and dirty bits are set when an entry is written and never by the walker; protection
keys; the kernel's half of the address space (x86-64 upper half, AArch64 TTBR1); MPU subregions.

May not know: capabilities, the MMU, memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

PAGE = 4096
"""The smallest page of every format here, bytes."""

READ, WRITE, EXECUTE = 1, 2, 4
"""Access rights of a mapping; the low bits of a capability's rights (Barrelfish `CAPRIGHTS_*`)."""

Words: TypeAlias = tuple[tuple[int, int], ...]
"""8-byte words to store: (byte offset inside the table, value), in the order they are to be written."""


class Field(NamedTuple):
    """A property held in the bits `mask` of an entry: there when they equal `yes`, else written as `no`."""

    mask: int
    yes: int
    no: int = 0

    def put(self, holds: bool) -> int:
        return self.yes if holds else self.no

    def get(self, word: int) -> bool:
        return word & self.mask == self.yes


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a tree of tables.  An entry covers `1 << shift` bytes of address space; entries from
    `reserved` on are the kernel's.  `table` and `page` recognise (and make) an entry that refers to a
    table and one that maps memory; None where the level has none."""

    name: str
    shift: int
    table: Field | None
    page: Field | None
    reserved: int = 512


class Entry(NamedTuple):
    """A decoded entry: the physical address it holds, whether it maps memory, and what it lets through."""

    pa: int
    is_page: bool
    write: bool
    user: bool
    execute: bool
    device: bool


@dataclass(frozen=True, slots=True)
class TableFormat:
    """A tree of tables of 512 8-byte entries, root first.  `page_bits` and `table_bits` are always set in
    an entry that is in use; the `Field`s say what the others mean, for a page and for a table."""

    isa: str
    levels: tuple[Level, ...]
    va_bits: int
    pa_bits: int
    address: int
    page_bits: int
    table_bits: int
    write: Field
    user: Field
    execute: Field
    device: Field
    table_write: Field
    table_user: Field
    table_execute: Field
    entries: int = 512
    stride: int = 8

    def leaf_size(self, level: int) -> int:
        """Bytes one entry of `level` maps, 0 when the level cannot map memory."""
        row = self.levels[level]
        return 1 << row.shift if row.page else 0

    def leaf(self, level: int, index: int, pa: int, size: int, rights: int, device: bool) -> Words:
        """Map `pa` (of `size` bytes, the level's own) at `index`."""
        page = self.levels[level].page
        if page is None or size != self.leaf_size(level):
            raise ValueError(f"{self.levels[level].name} maps no memory of {size} bytes")
        word = pa | page.yes | self.page_bits | self.user.put(True) | self.device.put(device)
        word |= self.write.put(bool(rights & WRITE)) | self.execute.put(bool(rights & EXECUTE))
        return ((index * 8, word),)

    def table(self, level: int, index: int, pa: int) -> Words:
        """Refer to the table of the next level at `pa`; what pages let through is said at the leaf."""
        table = self.levels[level].table
        if table is None:
            raise ValueError(f"{self.levels[level].name} refers to no table")
        word = pa | table.yes | self.table_bits
        word |= self.table_write.put(True) | self.table_user.put(True) | self.table_execute.put(True)
        return ((index * 8, word),)

    def empty(self, index: int) -> Words:
        """No entry at `index`."""
        return ((index * 8, 0),)

    def decode(self, level: int, word: int) -> Entry | None:
        """What the entry `word` of `level` says; None when nothing is mapped or the bits are reserved."""
        row = self.levels[level]
        if row.page is not None and row.page.get(word):
            pa = word & self.address & -(1 << row.shift)
            return Entry(
                pa, True, self.write.get(word), self.user.get(word), self.execute.get(word), self.device.get(word)
            )
        if row.table is not None and row.table.get(word):
            return Entry(
                word & self.address,
                False,
                self.table_write.get(word),
                self.table_user.get(word),
                self.table_execute.get(word),
                False,
            )
        return None


class Region(NamedTuple):
    """A decoded MPU region: address and size in bytes, and what it lets unprivileged code do."""

    base: int
    size: int
    write: bool
    user: bool
    execute: bool
    device: bool


@dataclass(frozen=True, slots=True)
class RegionFormat:
    """A table of MPU regions, 16 bytes each, in the layout of the PMSAv7 registers the driver loads it
    into: DRBAR, DRSR, DRACR and an unused word, 32 bits each, little-endian.  Regions do not translate;
    of two that hold an address the higher numbered wins.  DRACR is written before DRSR enables."""

    isa: str
    entries: int
    pa_bits: int = 32
    stride: int = 16

    def leaf_size(self, level: int) -> int:
        """The least size of a region here: a page, so that frames fit (the hardware's least is 32)."""
        return PAGE

    def leaf(self, level: int, index: int, pa: int, size: int, rights: int, device: bool) -> Words:
        """Region `index` over `size` bytes, a power of two, at `pa`, a multiple of it."""
        drsr = (size.bit_length() - 2) << 1 | 1
        ap = 0b011 if rights & WRITE else 0b010
        memory = 0b000_001 if device else 0b001_011
        dracr = memory | ap << 8 | (0 if rights & EXECUTE else 1 << 12)
        return ((index * 16 + 8, dracr), (index * 16, pa | drsr << 32))

    def empty(self, index: int) -> Words:
        """Region `index` disabled."""
        return ((index * 16, 0), (index * 16 + 8, 0))

    def decode(self, raw: bytes) -> Region | None:
        """What the 16 bytes of a region say; None when it is disabled."""
        drbar, drsr, dracr = (int.from_bytes(raw[at : at + 4], "little") for at in (0, 4, 8))
        if not drsr & 1:
            return None
        size = 1 << ((drsr >> 1 & 31) + 1)
        ap = dracr >> 8 & 7
        device = dracr >> 3 & 7 == 0 and not dracr & 2
        return Region(drbar & -size, size, ap == 0b011, ap in (0b010, 0b011, 0b110, 0b111), not dracr >> 12 & 1, device)


# Intel SDM vol. 3A: P 0, RW 1, US 2, PWT 3, PCD 4, A 5, D 6, PS 7, XD 63.
_X86_TABLE = Field(1 | 1 << 7, 1)
_X86_LARGE = Field(1 | 1 << 7, 1 | 1 << 7)
X86_64 = TableFormat(
    isa="x86_64",
    levels=(
        Level("x86_64_pml4", 39, _X86_TABLE, None, reserved=256),
        Level("x86_64_pdpt", 30, _X86_TABLE, _X86_LARGE),
        Level("x86_64_pd", 21, _X86_TABLE, _X86_LARGE),
        Level("x86_64_pt", 12, None, Field(1, 1)),
    ),
    va_bits=47,
    pa_bits=52,
    address=0x000F_FFFF_FFFF_F000,
    page_bits=1 << 5 | 1 << 6,
    table_bits=1 << 5,
    write=Field(1 << 1, 1 << 1),
    user=Field(1 << 2, 1 << 2),
    execute=Field(1 << 63, 0, 1 << 63),
    device=Field(1 << 3 | 1 << 4, 1 << 3 | 1 << 4),
    table_write=Field(1 << 1, 1 << 1),
    table_user=Field(1 << 2, 1 << 2),
    table_execute=Field(1 << 63, 0, 1 << 63),
)

# Arm ARM DDI 0487 D8.3: valid 0, table/page 1, AttrIndx 4:2, AP[1] 6, AP[2] 7, SH 9:8, AF 10, nG 11,
# PXN 53, UXN 54; of tables UXNTable 60, APTable[0] 61, APTable[1] 62.  The kit's MAIR_EL1 holds
# attribute 0 normal write-back, attribute 1 Device-nGnRE.
_ARM_TABLE = Field(3, 3)
_ARM_BLOCK = Field(3, 1)
AARCH64 = TableFormat(
    isa="aarch64",
    levels=(
        Level("aarch64_l0", 39, _ARM_TABLE, None),
        Level("aarch64_l1", 30, _ARM_TABLE, _ARM_BLOCK),
        Level("aarch64_l2", 21, _ARM_TABLE, _ARM_BLOCK),
        Level("aarch64_l3", 12, None, Field(3, 3)),
    ),
    va_bits=48,
    pa_bits=48,
    address=0x0000_FFFF_FFFF_F000,
    page_bits=0b11 << 8 | 1 << 10 | 1 << 11 | 1 << 53,
    table_bits=0,
    write=Field(1 << 7, 0, 1 << 7),
    user=Field(1 << 6, 1 << 6),
    execute=Field(1 << 54, 0, 1 << 54),
    device=Field(0b111 << 2, 1 << 2),
    table_write=Field(1 << 62, 0, 1 << 62),
    table_user=Field(1 << 61, 0, 1 << 61),
    table_execute=Field(1 << 60, 0, 1 << 60),
)

ARMV7R = RegionFormat(isa="armv7-r", entries=16)
"""The Cortex-R5 has 12 or 16 regions (TRM 1.4); the ZCU102's have 16."""

Format: TypeAlias = TableFormat | RegionFormat

FORMATS: Mapping[str, Format] = MappingProxyType({f.isa: f for f in (X86_64, AARCH64, ARMV7R)})
"""By `CpuDriverModel.paging`."""
NO_FORMAT = "none"
"""The `paging` of a core with neither MMU nor MPU."""


def format_of(paging: str) -> Format | None:
    """The format of a core whose CPU driver says `paging`; None when it has neither MMU nor MPU.  KeyError for
    any other name."""
    return None if paging == NO_FORMAT else FORMATS[paging]
