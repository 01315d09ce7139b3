"""Every reason an invocation is refused: its exact message, and that nothing has changed."""

from __future__ import annotations

import pytest

from multikernel.errors import CapabilityError
from multikernel.system.caps.cspace import CSpace, cptr, root_cptr
from multikernel.system.caps.invoke import boot_cspace, endow
from multikernel.system.caps.refusals import REFUSALS
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

T = CapType
RAM, FRAME, DEVICE, DISPATCHER, ENDPOINT, READ_ONLY, BLIND, IRQ = (cptr(0, n) for n in range(1, 9))
PML4, PDPT, PD, PT, L3, REGIONS = (cptr(0, n) for n in range(16, 22))
FREE = cptr(0, 40)

BAD_ADDRESS = (
    "no such capability address: {}; bits 0-7 are the slot, 8-15 the CNode, bit 31 alone says a slot of the root"
)

CASES: list[tuple[str, list[tuple[int, CapRequest]], int, CapRequest, str]] = [
    # Naming a capability
    ("bad-address", [], 0x1_0000, Identify(), BAD_ADDRESS.format("0x10000")),
    ("bad-address", [], -1, Identify(), BAD_ADDRESS.format("-0x1")),
    ("bad-address", [], root_cptr(256), Identify(), BAD_ADDRESS.format("0x80000100")),
    ("slot-empty", [], FREE, Identify(), "no capability at 0x28"),
    ("slot-empty", [], cptr(3, 0), Identify(), "no capability at 0x80000003"),
    ("slot-taken", [], RAM, Copy(FRAME), "the slot at 0x2 already holds a Frame; delete it first"),
    ("not-a-cnode", [(RAM, Copy(root_cptr(5)))], cptr(5, 1), Identify(), "0x501 leads through a RAM, not a CNode"),
    ("slots-exhausted", [], RAM, Retype(cptr(0, 254), T.FRAME, 0x1000, 0x10_0000, 3),
     "3 slots from 0xfe do not fit into its CNode of 256"),
    # What a capability allows
    ("rights", [], BLIND, Retype(FREE, T.FRAME, 0x1000, 0x10_0000), "this capability lacks the right to be retyped"),
    ("rights", [], BLIND, Revoke(), "this capability lacks the right to revoke others"),
    ("rights", [], BLIND, Identify(), "this capability lacks the right to be identified"),
    ("rights", [], READ_ONLY, Map(PT, 0, 3), "this capability lacks the right to write"),
    ("rights", [], READ_ONLY, Map(PT, 0, 5), "this capability lacks the right to execute"),
    ("rights", [(READ_ONLY, Map(PT, 0, 1))], READ_ONLY, Protect(3), "this capability lacks the right to write"),
    ("rights", [(PT, Mint(FREE, 1))], FRAME, Map(FREE, 0, 1), "this capability lacks the right to map into it"),
    ("rights", [(root_cptr(0), Mint(root_cptr(1), 1))], RAM, Copy(cptr(1, 50)),
     "this capability lacks the right to write to its CNode"),
    ("rights", [(root_cptr(0), Mint(root_cptr(1), 1))], cptr(1, 1), Delete(),
     "this capability lacks the right to write to its CNode"),
    ("rights", [(root_cptr(0), Mint(root_cptr(1), 2))], cptr(1, 1), Identify(),
     "this capability lacks the right to read its CNode"),
    ("wrong-type", [], RAM, Map(PT, 0, 1), "this RAM cannot be mapped as memory"),
    ("wrong-type", [], FRAME, Map(RAM, 0, 1), "this RAM cannot be mapped into"),
    ("wrong-type", [], FRAME, MapTable(PD, 1), "this Frame cannot be mapped as a table"),
    ("wrong-type", [], PT, Protect(1), "this x86_64_pt cannot be protected"),
    ("bad-access", [], FRAME, Map(PT, 0, 2),
     "a mapping reads (1) and may write (2) and execute (4): 0x2 is none of that"),
    ("bad-access", [], FRAME, Map(PT, 0, 9),
     "a mapping reads (1) and may write (2) and execute (4): 0x9 is none of that"),
    ("bad-rights", [], FRAME, Mint(FREE, 32), "no such rights: 0x20; they are at most 0x1f"),
    ("badged", [(ENDPOINT, Mint(FREE, 31, 7))], FREE, Mint(cptr(0, 41), 31, 8),
     "this EndPoint has badge 7 and keeps it"),
    ("bad-badge", [], FRAME, Mint(FREE, 31, 7), "badge 7 for this Frame: only an EndPoint takes one, of at least 1"),
    ("bad-badge", [], ENDPOINT, Mint(FREE, 31, -7),
     "badge -7 for this EndPoint: only an EndPoint takes one, of at least 1"),
    # Retype
    ("retype", [], FRAME, Retype(FREE, T.RAM, 0x1000), "Frame cannot become RAM"),
    ("retype", [], cptr(0, 0), Retype(FREE, T.FRAME, 0x1000), "PhysAddr cannot become Frame"),
    ("retype", [], RAM, Retype(FREE, T.KERNEL), "RAM cannot become Kernel"),
    ("bad-count", [], RAM, Retype(FREE, T.FRAME, 0x1000, 0x10_0000, 0), "at least one object is needed, not 0"),
    ("bad-size", [], RAM, Retype(FREE, T.CNODE, 0x1000, 0x10_0000), "CNode takes 16384 bytes, not 4096"),
    ("bad-size", [], RAM, Retype(FREE, T.FRAME, 0, 0x10_0000), "Frame takes a multiple of 4096 bytes, not 0"),
    ("bad-size", [], RAM, Retype(FREE, T.FRAME, 0x1800, 0x10_0000), "Frame takes a multiple of 4096 bytes, not 6144"),
    ("bad-size", [], RAM, Retype(FREE, T.FRAME, -0x1000, 0x10_0000), "Frame takes a multiple of 4096 bytes, not -4096"),
    ("misaligned", [], RAM, Retype(FREE, T.FRAME, 0x1000, 0x400),
     "offset 0x400 is not where Frame can start: its address must be a multiple of 0x1000"),
    ("misaligned", [], RAM, Retype(FREE, T.CNODE, 0, 0x10_1000),
     "offset 0x101000 is not where CNode can start: its address must be a multiple of 0x4000"),
    ("out-of-range", [], RAM, Retype(FREE, T.FRAME, 0x2000, 0x7F_F000),
     "0x2000 bytes from offset 0x7ff000 do not fit into this RAM of 0x800000"),
    ("out-of-range", [], RAM, Retype(FREE, T.FRAME, 0x1000, -0x1000),
     "0x1000 bytes from offset -0x1000 do not fit into this RAM of 0x800000"),
    ("out-of-range", [], RAM, Retype(FREE, T.FRAME, 0x10_0000, 0x70_0000, 2),
     "0x200000 bytes from offset 0x700000 do not fit into this RAM of 0x800000"),
    ("overlap", [], RAM, Retype(FREE, T.FRAME, 0x1000, 0x1_3000),
     "bytes 0x40010000-0x40014000 are in use by a Frame; revoke or delete it first"),
    ("overlap", [(RAM, Retype(FREE, T.RAM, 0x4000, 0x10_0000)), (FREE, Retype(cptr(0, 41), T.FRAME, 0x1000, 0x2000)),
                 (FREE, Delete())], RAM, Retype(FREE, T.RAM, 0x4000, 0x10_0000),
     "bytes 0x40102000-0x40103000 are in use by a Frame; revoke or delete it first"),
    ("overlap", [(RAM, Retype(FREE, T.RAM, 0x4000, 0x10_0000)), (FREE, Retype(cptr(0, 41), T.FRAME, 0x1000))],
     RAM, Retype(cptr(0, 42), T.FRAME, 0x1000, 0x10_2000),
     "bytes 0x40100000-0x40104000 are in use by a RAM; revoke or delete it first"),
    ("same-object", [], RAM, Retype(FREE, T.RAM, 0x80_0000),
     "all of this RAM retyped to RAM is the object itself; copy it"),
    # Mapping
    ("mapped", [(FRAME, Map(PT, 9, 1))], FRAME, Map(PT, 0, 1),
     "this capability is already mapped, at entry 9 of its x86_64_pt; copy it or unmap it first"),
    ("mapped", [], PT, MapTable(PD, 7),
     "this capability is already mapped, at entry 0 of its x86_64_pd; copy it or unmap it first"),
    ("table-in-use", [(PT, Copy(FREE))], FREE, MapTable(PD, 7),
     "this x86_64_pt is already mapped, by another capability to it"),
    ("not-mapped", [], FRAME, Unmap(), "this capability is not mapped"),
    ("not-mapped", [], FRAME, Protect(1), "this capability is not mapped"),
    ("wrong-level", [], FRAME, Map(PML4, 0, 1), "Frame cannot be mapped in x86_64_pml4"),
    ("wrong-level", [(PT, Unmap())], PT, MapTable(PDPT, 1), "x86_64_pt cannot be mapped in x86_64_pdpt"),
    ("wrong-level", [], L3, MapTable(PD, 1), "aarch64_l3 cannot be mapped in x86_64_pd"),
    ("wrong-level", [], L3, MapTable(REGIONS, 1), "aarch64_l3 cannot be mapped in mpu_regions"),
    ("bad-count", [], FRAME, Map(PT, 0, 1, 0, 0), "at least one page is needed, not 0"),
    ("bad-index", [], FRAME, Map(PT, 511, 1, 0, 2), "x86_64_pt has entries 0 to 511 for user mode, not 511 to 512"),
    ("bad-index", [], FRAME, Map(PT, -1, 1), "x86_64_pt has entries 0 to 511 for user mode, not -1 to -1"),
    ("bad-index", [(PDPT, Unmap())], PDPT, MapTable(PML4, 256),
     "x86_64_pml4 has entries 0 to 255 for user mode, not 256 to 256"),
    ("bad-index", [], FRAME, Map(REGIONS, 16, 1), "mpu_regions has entries 0 to 15 for user mode, not 16 to 16"),
    ("entry-taken", [(FRAME, Map(PT, 9, 1))], READ_ONLY, Map(PT, 8, 1, 0, 2),
     "entry 9 of this x86_64_pt is in use; unmap it first"),
    ("frame-range", [], FRAME, Map(PT, 0, 1, 0x1000, 4),
     "0x4000 bytes from offset 0x1000 are not in this Frame of 0x4000"),
    ("frame-range", [], FRAME, Map(PT, 0, 1, -0x1000),
     "0x1000 bytes from offset -0x1000 are not in this Frame of 0x4000"),
    ("frame-range", [], FRAME, Map(PD, 1, 1), "0x200000 bytes from offset 0x0 are not in this Frame of 0x4000"),
    ("frame-align", [], FRAME, Map(PT, 0, 1, 0x800), "0x40010800 is not where a page of 0x1000 bytes can start"),
    ("frame-align", [(RAM, Retype(FREE, T.FRAME, 0x20_0000, 0x10_0000))], FREE, Map(PD, 1, 1),
     "0x40100000 is not where a page of 0x200000 bytes can start"),
    ("frame-align", [], FRAME, Map(REGIONS, 0, 1, 0x1000, 2),
     "0x40011000 is not where a page of 0x2000 bytes can start"),
    ("region-size", [], FRAME, Map(REGIONS, 0, 1, 0, 3), "an MPU region is a power of two, not 0x3000 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "before", "address", "request_", "text"), CASES)
def test_refusal(
    kernel, code: str, before: list[tuple[int, CapRequest]], address: int, request_: CapRequest, text: str
) -> None:
    for where, earlier in before:
        kernel.do(where, earlier)
    state, tables = kernel.state(), kernel.memory.read(kernel.BASE, 0x6000)
    with pytest.raises(CapabilityError) as caught:
        kernel.do(address, request_)
    assert (caught.value.code, str(caught.value)) == (code, text)
    assert kernel.state() == state
    assert kernel.memory.read(kernel.BASE, 0x6000) == tables


def test_a_number_that_is_no_type_is_refused(kernel) -> None:
    """Code on a core can put any number into a request; the checker would not let a test do it openly."""
    request = Retype(FREE, T.FRAME)
    object.__setattr__(request, "target", 99)
    with pytest.raises(CapabilityError) as caught:
        kernel.do(RAM, request)
    assert (caught.value.code, str(caught.value)) == ("unknown-type", "no such capability type: 99")


def test_what_the_driver_itself_cannot_do(kernel) -> None:
    with pytest.raises(CapabilityError) as caught:
        CSpace(kernel.space.capability(RAM))
    assert str(caught.value) == "this RAM cannot be used as a capability space"
    for kind, base, size in ((T.FRAME, kernel.BASE + 0x1_3000, 0x2000), (T.DEV_FRAME, kernel.BASE - 0x1000, 0x2000)):
        with pytest.raises(CapabilityError) as caught:
            endow(kernel.mdb, kernel.space.slot(cptr(0, 42)), kind, base, size)
        assert caught.value.code == "occupied"
    with pytest.raises(CapabilityError) as caught:
        boot_cspace(kernel.mdb, kernel.BASE + 0x1_0000)
    assert str(caught.value) == "bytes 0x40010000-0x40014000 cannot be given out as CNode: there is a Frame"
    endow(kernel.mdb, kernel.space.slot(cptr(0, 42)), T.DEV_FRAME, 0x1_0000_0000, 0x1000)
    with pytest.raises(CapabilityError) as caught:
        kernel.do(cptr(0, 42), Map(REGIONS, 0, 1))
    assert str(caught.value) == "0x100000fff is above the 32-bit physical addresses of armv7-r"


def test_every_refusal_is_tested() -> None:
    elsewhere = {"too-high", "occupied", "unknown-type"}
    assert {case[0] for case in CASES} | elsewhere == set(REFUSALS)
