"""A small kernel whose capabilities the tests invoke."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from multikernel.system.caps.cspace import cptr, root_cptr
from multikernel.system.caps.effects import Outcome
from multikernel.system.caps.invoke import boot_cspace, endow, invoke
from multikernel.system.caps.mdb import Mdb
from multikernel.system.caps.requests import CapRequest, MapTable, Mint, Retype
from multikernel.system.caps.types import CapType
from multikernel.system.physical_memory import SparseMemory

T = CapType


class Kernel:
    """16 MiB of RAM at 1 GiB, and one object of each kind in slots named here."""

    PHYS, RAM, FRAME, DEVICE, DISPATCHER, ENDPOINT, READ_ONLY, BLIND, IRQ = (cptr(0, n) for n in range(9))
    PML4, PDPT, PD, PT, L3, REGIONS = (cptr(0, n) for n in range(16, 22))
    FREE = cptr(0, 40)
    """The first of the empty slots."""
    BASE = 0x4000_0000

    def __init__(self) -> None:
        self.memory, self.mdb = SparseMemory(), Mdb()
        self.space = boot_cspace(self.mdb, 0x10_0000)
        endow(self.mdb, self.space.slot(root_cptr(0)), T.CNODE, 0x11_0000)
        endow(self.mdb, self.space.slot(self.PHYS), T.PHYS_ADDR, self.BASE, 0x100_0000)
        endow(self.mdb, self.space.slot(self.DEVICE), T.DEV_FRAME, 0xFEE0_0000, 0x2000)
        endow(self.mdb, self.space.slot(self.IRQ), T.IRQ, 33)
        self.do(self.PHYS, Retype(self.RAM, T.RAM, 0x80_0000))
        for number, kind in enumerate((T.X86_64_PML4, T.X86_64_PDPT, T.X86_64_PD, T.X86_64_PT, T.AARCH64_L3,
                                       T.MPU_REGIONS)):  # fmt: skip
            self.do(self.RAM, Retype(cptr(0, 16 + number), kind, offset=number * 0x1000))
        for number in range(3):
            self.do(cptr(0, 17 + number), MapTable(cptr(0, 16 + number), 0))
        self.do(self.RAM, Retype(self.FRAME, T.FRAME, 0x4000, 0x1_0000))
        self.do(self.RAM, Retype(self.DISPATCHER, T.DISPATCHER, offset=0x2_0000))
        self.do(self.DISPATCHER, Retype(self.ENDPOINT, T.END_POINT))
        self.do(self.FRAME, Mint(self.READ_ONLY, 1))
        self.do(self.RAM, Mint(self.BLIND, 1))

    def do(self, address: int, request: CapRequest) -> Outcome:
        return invoke(self.space, self.mdb, self.memory, address, request)

    def base(self, address: int) -> int:
        return self.space.capability(address).resource.base

    def state(self) -> list[tuple[CapType, int, int, list[tuple[int, int]]]]:
        """All that is known, to compare before and after."""
        return [(r.type, r.base, r.size, [(c.index, c.rights) for c in r.copies]) for r in self.mdb]


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def new_kernel() -> Callable[[], Kernel]:
    return Kernel
