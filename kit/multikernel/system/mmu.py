"""The MMU and TLB of one core, as a model: translation by walking the page tables in physical memory.

    unit = unit_for(format, memory, entries)       an `Mmu`, an `Mpu` or, without a format, `Unprotected`
    unit.translate(root, va, write) -> Translation | PageFault
    unit.invalidate(va, size)      after page tables changed: drop what is cached of that range
    unit.flush()                   drop everything
    unit.reaches(root, va)         whether an access would get through: the model's own question

A real TLB does not know that an entry is stale, and a hit answers with what was cached; `reaches` lets the
model find cores that were not told.  Asking costs the simulated core nothing.

Invariants: at most `entries` translations are cached; replacement is first in, first out; a hit never
touches memory; what is not present is never cached, so that mapping needs no invalidation (Intel SDM
vol. 3A 4.10.2.3, Arm ARM D8.13).  A hit that forbids the access is dropped and walked again before it
faults (SDM 4.10.4.2), so that granting rights needs no invalidation either.  Large pages are cached 4 KiB
at a time.  Accesses come from user mode.

May not know: capabilities, who else runs, what a walk costs.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from multikernel.system.page_tables import PAGE, Format, Region, RegionFormat, TableFormat
from multikernel.system.physical_memory import PhysicalMemory

_PAGE_SHIFT = 12


class Translation(NamedTuple):
    """Physical address `pa` of the byte asked for.  `levels` is how many levels of tables were read, 0
    when it was cached; `device` says that the access must not be cached or reordered."""

    pa: int
    levels: int
    device: bool


class PageFault(NamedTuple):
    """Why an access to `va` is not let through: `not-mapped`, `write-protected`, `privileged` (not for
    user mode) or `alignment`.  `levels` is how many levels of tables were read to find out."""

    va: int
    kind: str
    write: bool
    levels: int


class TranslationUnit(Protocol):
    """An MMU or an MPU of one core.  Ranges are bytes of address space, `size` at least 1."""

    def translate(self, root: int, va: int, write: bool, size: int = 1) -> Translation | PageFault:
        """Where `size` bytes at `va` are in the address space whose root table is at `root`.  The kit's
        cores access naturally aligned units: an address not a multiple of `size` is an alignment fault."""

    def invalidate(self, va: int, size: int = PAGE, root: int | None = None) -> None:
        """Forget what is cached of the range, in the address space of `root` or (None) in all."""

    def flush(self) -> None:
        """Forget everything that is cached."""

    def reaches(self, root: int, va: int) -> bool:
        """Whether a read of `va` in the address space of `root` would be let through now, by what is cached
        or by the tables.  The model's own question: counts nothing and caches nothing."""


class _Cached(NamedTuple):
    """What a walk of a page ended with, and so what is cached.  `pa` is the page's."""

    pa: int
    write: bool
    device: bool


class Tlb:
    """Translations of 4 KiB pages by (root, page number): at most `entries`, first in, first out."""

    __slots__ = ("_pages", "entries")

    def __init__(self, entries: int) -> None:
        if entries < 1:
            raise ValueError(f"a TLB has at least one entry, not {entries}")
        self.entries = entries
        self._pages: dict[tuple[int, int], _Cached] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, root: int, page: int) -> _Cached | None:
        return self._pages.get((root, page))

    def put(self, root: int, page: int, cached: _Cached) -> None:
        if len(self._pages) >= self.entries:
            del self._pages[next(iter(self._pages))]
        self._pages[root, page] = cached

    def drop(self, root: int | None, first: int, count: int) -> None:
        """Forget `count` pages from `first`; of every root when `root` is None."""
        if root is not None and count <= len(self._pages):
            for page in range(first, first + count):
                self._pages.pop((root, page), None)
        else:
            doomed = [
                key for key in self._pages if first <= key[1] < first + count and (root is None or key[0] == root)
            ]
            for key in doomed:
                del self._pages[key]

    def clear(self) -> None:
        self._pages.clear()


class Mmu:
    """Translation by trees of tables, with a TLB.  See `TranslationUnit`."""

    __slots__ = ("_format", "_memory", "_tlb")

    def __init__(self, format: TableFormat, memory: PhysicalMemory, entries: int) -> None:
        self._format = format
        self._memory = memory
        self._tlb = Tlb(entries)

    def translate(self, root: int, va: int, write: bool, size: int = 1) -> Translation | PageFault:
        if size != 1 and va % size:
            return PageFault(va, "alignment", write, 0)
        page = va >> _PAGE_SHIFT
        cached = self._tlb.get(root, page)
        if cached is not None and (cached.write or not write):
            return Translation(cached.pa | va & PAGE - 1, 0, cached.device)
        if cached is not None:
            self._tlb.drop(root, page, 1)
        found, levels = self._walk(root, va)
        if isinstance(found, str):
            return PageFault(va, found, write, levels)
        if write and not found.write:
            return PageFault(va, "write-protected", write, levels)
        self._tlb.put(root, page, found)
        return Translation(found.pa | va & PAGE - 1, levels, found.device)

    def invalidate(self, va: int, size: int = PAGE, root: int | None = None) -> None:
        first = va >> _PAGE_SHIFT
        self._tlb.drop(root, first, (va + size - 1 >> _PAGE_SHIFT) - first + 1)

    def flush(self) -> None:
        self._tlb.clear()

    def reaches(self, root: int, va: int) -> bool:
        return self._tlb.get(root, va >> _PAGE_SHIFT) is not None or not isinstance(self._walk(root, va)[0], str)

    def _walk(self, root: int, va: int) -> tuple[_Cached | str, int]:
        """What the tables say of the page of `va`, or the kind of fault, and the levels read."""
        if va < 0 or va >> self._format.va_bits:
            return "not-mapped", 0
        table, write, user = root, True, True
        for level, row in enumerate(self._format.levels):
            index = va >> row.shift & 511
            entry = self._format.decode(level, int.from_bytes(self._memory.read(table + 8 * index, 8), "little"))
            if entry is None:
                return "not-mapped", level + 1
            write, user = write and entry.write, user and entry.user
            if entry.is_page:
                if not user:
                    return "privileged", level + 1
                inside = va & (1 << row.shift) - 1 & -PAGE
                return _Cached(entry.pa | inside, write, entry.device), level + 1
            table = entry.pa
        raise AssertionError("the last level of a format has no tables")


class Mpu:
    """Protection by regions, without translation: `pa` is `va`.  The region table of the address space
    in use is loaded into registers (a walk of one level) and stays there until `invalidate`, `flush` or
    another root.  See `TranslationUnit`."""

    __slots__ = ("_format", "_loaded", "_memory", "_regions")

    def __init__(self, format: RegionFormat, memory: PhysicalMemory) -> None:
        self._format = format
        self._memory = memory
        self._loaded: int | None = None
        self._regions: tuple[Region, ...] = ()

    def translate(self, root: int, va: int, write: bool, size: int = 1) -> Translation | PageFault:
        if size != 1 and va % size:
            return PageFault(va, "alignment", write, 0)
        levels = 0 if root == self._loaded else 1
        if levels:
            self._regions, self._loaded = self._read(root), root
        region = _match(self._regions, va)
        kind = _forbids(region, write)
        if region is None or kind:
            return PageFault(va, kind, write, levels)
        return Translation(va, levels, region.device)

    def invalidate(self, va: int, size: int = PAGE, root: int | None = None) -> None:
        if root is None or root == self._loaded:
            self._loaded = None

    def flush(self) -> None:
        self._loaded = None

    def reaches(self, root: int, va: int) -> bool:
        regions = self._regions if root == self._loaded else self._read(root)
        return not _forbids(_match(regions, va), write=False)

    def _read(self, root: int) -> tuple[Region, ...]:
        """The regions in use, highest number first: the order in which they are matched."""
        raw = self._memory.read(root, self._format.entries * self._format.stride)
        stride = self._format.stride
        found = [self._format.decode(raw[at : at + stride]) for at in range(0, len(raw), stride)]
        return tuple(region for region in reversed(found) if region is not None)


class Unprotected:
    """A core with neither MMU nor MPU: `pa` is `va`, everything is let through, nothing can be taken away.
    See `TranslationUnit`."""

    __slots__ = ()

    def translate(self, root: int, va: int, write: bool, size: int = 1) -> Translation | PageFault:
        if size != 1 and va % size:
            return PageFault(va, "alignment", write, 0)
        return Translation(va, 0, False)

    def invalidate(self, va: int, size: int = PAGE, root: int | None = None) -> None:
        return

    def flush(self) -> None:
        return

    def reaches(self, root: int, va: int) -> bool:
        return True


def _match(regions: tuple[Region, ...], va: int) -> Region | None:
    return next((r for r in regions if r.base <= va < r.base + r.size), None)


def _forbids(region: Region | None, write: bool) -> str:
    """The kind of fault an access to `region` ends in, empty when it is let through."""
    if region is None:
        return "not-mapped"
    if not region.user:
        return "privileged"
    return "write-protected" if write and not region.write else ""


def unit_for(format: Format | None, memory: PhysicalMemory, entries: int) -> TranslationUnit:
    """The translation unit of a core: `format` by its ISA, None for none; `entries` of TLB (an MPU has none)."""
    if format is None:
        return Unprotected()
    if isinstance(format, RegionFormat):
        return Mpu(format, memory)
    return Mmu(format, memory, entries)
