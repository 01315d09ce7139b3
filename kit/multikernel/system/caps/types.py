"""The types of capabilities, as a table.

What may be retyped into what, and how large each is, follows Barrelfish's `capabilities/caps.hl`
(Barrelfish TN-013, Capability Management); sizes differ where said.  A type added to the table is
known to every operation.

May not know: how capabilities are stored or what an invocation does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from multikernel.system.page_tables import EXECUTE, PAGE, READ, WRITE

GRANT, IDENTIFY = 8, 16
ALL_RIGHTS = READ | WRITE | EXECUTE | GRANT | IDENTIFY
"""The rights of a capability (Barrelfish `CAPRIGHTS_*`): to read and write what it denotes, to execute
it, to send it to another dispatcher, to ask what it is."""

CNODE_SLOTS = 256
"""Slots of a CNode, as of a Barrelfish L2 CNode."""


class CapType(IntEnum):
    """The numbers are part of the invocation interface."""

    PHYS_ADDR = 1
    RAM = 2
    FRAME = 3
    DEV_FRAME = 4
    CNODE = 5
    X86_64_PML4 = 6
    X86_64_PDPT = 7
    X86_64_PD = 8
    X86_64_PT = 9
    AARCH64_L0 = 10
    AARCH64_L1 = 11
    AARCH64_L2 = 12
    AARCH64_L3 = 13
    MPU_REGIONS = 14
    DISPATCHER = 15
    END_POINT = 16
    KERNEL = 17
    IRQ = 18
    ID = 19


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """One row.

    `space`: what `base` counts: bytes of physical memory, or numbers of cores, interrupts or names.
    `granule`: the size, bytes, is a multiple of it, and so is the base; 0 outside memory.
    `fixed`: the size is the granule and the caller does not choose it.
    `zeroed`: memory of this type starts as zeros.
    `into`: what it may be retyped into.
    `shared`: several objects of this type may stand on the same memory.
    `isa` and `level`: which table of which page-table format; level -1 for all that are not tables.
    """

    name: str
    space: str = "memory"
    granule: int = PAGE
    fixed: bool = False
    zeroed: bool = False
    into: tuple[CapType, ...] = ()
    shared: bool = False
    isa: str = ""
    level: int = -1


def _table(name: str, isa: str, level: int) -> TypeInfo:
    return TypeInfo(name, fixed=True, zeroed=True, isa=isa, level=level)


_T = CapType
_VNODES = (
    _T.X86_64_PML4, _T.X86_64_PDPT, _T.X86_64_PD, _T.X86_64_PT,
    _T.AARCH64_L0, _T.AARCH64_L1, _T.AARCH64_L2, _T.AARCH64_L3, _T.MPU_REGIONS,
)  # fmt: skip

TYPES: Mapping[CapType, TypeInfo] = MappingProxyType({
    _T.PHYS_ADDR: TypeInfo("PhysAddr", into=(_T.RAM, _T.DEV_FRAME)),
    _T.RAM: TypeInfo("RAM", into=(_T.RAM, _T.FRAME, _T.CNODE, *_VNODES, _T.DISPATCHER)),
    _T.FRAME: TypeInfo("Frame", zeroed=True),
    _T.DEV_FRAME: TypeInfo("DevFrame"),
    # Slots are kept outside this memory; its size is Barrelfish's, 64 bytes a slot.
    _T.CNODE: TypeInfo("CNode", granule=CNODE_SLOTS * 64, fixed=True),
    _T.X86_64_PML4: _table("x86_64_pml4", "x86_64", 0),
    _T.X86_64_PDPT: _table("x86_64_pdpt", "x86_64", 1),
    _T.X86_64_PD: _table("x86_64_pd", "x86_64", 2),
    _T.X86_64_PT: _table("x86_64_pt", "x86_64", 3),
    _T.AARCH64_L0: _table("aarch64_l0", "aarch64", 0),
    _T.AARCH64_L1: _table("aarch64_l1", "aarch64", 1),
    _T.AARCH64_L2: _table("aarch64_l2", "aarch64", 2),
    _T.AARCH64_L3: _table("aarch64_l3", "aarch64", 3),
    _T.MPU_REGIONS: _table("mpu_regions", "armv7-r", 0),
    # Barrelfish: OBJBITS_DISPATCHER = 10.
    _T.DISPATCHER: TypeInfo("Dispatcher", granule=1024, fixed=True, zeroed=True, into=(_T.END_POINT,)),
    # Stands on its dispatcher, whose memory stays taken while an EndPoint names it.
    _T.END_POINT: TypeInfo("EndPoint", granule=1024, fixed=True, shared=True),
    _T.KERNEL: TypeInfo("Kernel", space="core", granule=0, fixed=True),
    _T.IRQ: TypeInfo("IRQ", space="irq", granule=0, fixed=True),
    _T.ID: TypeInfo("ID", space="id", granule=0, fixed=True),
})  # fmt: skip


def may_become(source: CapType, target: CapType) -> bool:
    """Whether `target` can be made from `source` by one retype or several."""
    return target in _REACHABLE[source]


def _reach(source: CapType) -> tuple[CapType, ...]:
    found: list[CapType] = []
    open_ = list(TYPES[source].into)
    while open_:
        kind = open_.pop()
        if kind not in found:
            found.append(kind)
            open_.extend(TYPES[kind].into)
    return tuple(found)


_REACHABLE = {kind: _reach(kind) for kind in CapType}
