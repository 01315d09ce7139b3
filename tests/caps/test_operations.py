"""What each operation returns: results, effects in order, costs by name."""

from __future__ import annotations

import pytest

from multikernel.errors import CapabilityError
from multikernel.system.caps.cspace import cptr, root_cptr
from multikernel.system.caps.effects import (
    COSTS,
    Charge,
    Identity,
    InvalidateTlb,
    ObjectGone,
    ReturnMemory,
    WritePte,
    ZeroMemory,
)
from multikernel.system.caps.invoke import boot_cspace, drop, endow, hold, release
from multikernel.system.caps.requests import (
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
from multikernel.system.caps.types import TYPES, CapType
from multikernel.system.page_tables import FORMATS

T = CapType
FREE = cptr(0, 40)


def test_identify(kernel) -> None:
    outcome = kernel.do(kernel.FRAME, Identify())
    assert outcome.result == Identity(T.FRAME, kernel.BASE + 0x1_0000, 0x4000, 31, 0, False)
    assert outcome.costs == (Charge("cap_identify", 1),)
    assert kernel.do(kernel.IRQ, Identify()).result == Identity(T.IRQ, 33, 0, 31, 0, False)
    kernel.do(kernel.FRAME, Map(kernel.PT, 0, 1))
    assert kernel.do(kernel.FRAME, Identify()).result.mapped


def test_retype_clears_memory(kernel) -> None:
    kernel.memory.write(kernel.BASE + 0x10_0FF8, b"password")
    outcome = kernel.do(kernel.RAM, Retype(FREE, T.FRAME, 0x1000, 0x10_0000, 2))
    assert outcome.effects == (ZeroMemory(kernel.BASE + 0x10_0000, 0x2000),)
    assert outcome.costs == (Charge("zero_page", 2), Charge("cap_retype", 2))
    assert kernel.memory.read(kernel.BASE + 0x10_0000, 0x2000) == bytes(0x2000)
    assert kernel.base(FREE + 1) == kernel.BASE + 0x10_1000


def test_unmap_and_delete_return_what_they_did(kernel) -> None:
    root, table, pa = (kernel.base(at) for at in (kernel.PML4, kernel.PT, kernel.FRAME))
    kernel.do(kernel.READ_ONLY, Delete())
    mapped = kernel.do(kernel.FRAME, Map(kernel.PT, 5, 3, 0x1000, 2))
    assert [e.pa for e in mapped.effects if isinstance(e, WritePte)] == [table + 40, table + 48]
    assert mapped.costs == (Charge("map_page", 2),)
    protected = kernel.do(kernel.FRAME, Protect(1))
    assert protected.effects[-1] == InvalidateTlb(root, 0x5000, 0x2000)
    assert protected.costs == (Charge("protect_page", 2),)
    gone = kernel.do(kernel.FRAME, Delete())
    assert gone.effects == (
        WritePte(table + 40, 0),
        WritePte(table + 48, 0),
        InvalidateTlb(root, 0x5000, 0x2000),
        ReturnMemory(pa, 0x4000, kernel.BASE, 0x80_0000),
    )
    assert gone.costs == (Charge("unmap_page", 2), Charge("cap_delete", 1))


def test_unmapping_a_table_takes_all_below_it_out_of_tlbs(kernel) -> None:
    root = kernel.base(kernel.PML4)
    empty = kernel.do(kernel.PT, Unmap())
    assert [type(e) for e in empty.effects] == [WritePte], "nothing can be cached of an empty table"
    kernel.do(kernel.PT, MapTable(kernel.PD, 3))
    kernel.do(kernel.FRAME, Map(kernel.PT, 5, 3))
    outcome = kernel.do(kernel.PT, Unmap())
    assert outcome.effects == (WritePte(kernel.base(kernel.PD) + 24, 0), InvalidateTlb(root, 3 << 21, 1 << 21))
    assert outcome.costs == (Charge("unmap_table", 1),)
    # The table keeps its entries; what happens to them outside any address space concerns no TLB.
    assert kernel.do(kernel.FRAME, Unmap()).effects == (WritePte(kernel.base(kernel.PT) + 40, 0),)


def test_deleting_a_table_unmaps_what_is_in_it(kernel) -> None:
    root = kernel.base(kernel.PML4)
    kernel.do(kernel.FRAME, Map(kernel.PT, 5, 3))
    kernel.do(kernel.PT, Delete())
    assert not kernel.do(kernel.FRAME, Identify()).result.mapped
    gone = kernel.do(kernel.PML4, Delete())
    assert gone.effects == (
        InvalidateTlb(root, 0, 1 << 47),
        ObjectGone(T.X86_64_PML4, root, 0),
        ReturnMemory(root, 0x1000, kernel.BASE, 0x80_0000),
    )
    with pytest.raises(CapabilityError, match="not mapped"):
        kernel.do(kernel.PDPT, Unmap())


def test_drop_takes_one_page_of_a_mapping(kernel) -> None:
    kernel.do(kernel.FRAME, Map(kernel.PT, 5, 3, 0, 3))
    root, held = kernel.base(kernel.PML4), hold(kernel.space.capability(kernel.PML4))
    middle = drop(held, kernel.memory, 0x6123)
    assert middle.effects == (WritePte(kernel.base(kernel.PT) + 48, 0), InvalidateTlb(root, 0x6000, 0x1000))
    assert middle.costs == (Charge("unmap_page", 1),)
    for nothing in (0x6000, 0x8000, 1 << 39, 1 << 50, -1):
        assert drop(held, kernel.memory, nothing) == (None, (), ())
    # Another mapping may take the hole, and keeps it when the first goes.
    kernel.do(kernel.READ_ONLY, Map(kernel.PT, 6, 1))
    assert len(kernel.do(kernel.FRAME, Protect(1)).effects) == 3
    assert kernel.do(kernel.FRAME, Unmap()).costs == (Charge("unmap_page", 2),)
    assert kernel.memory.read(kernel.base(kernel.PT) + 48, 8) != bytes(8)
    drop(held, kernel.memory, 0x6000)
    assert not kernel.do(kernel.READ_ONLY, Delete()).effects


def test_drop_of_an_mpu_region(kernel) -> None:
    pa, table = kernel.base(kernel.FRAME), kernel.base(kernel.REGIONS)
    kernel.do(kernel.FRAME, Map(kernel.REGIONS, 2, 3, 0, 4))
    held = hold(kernel.space.capability(kernel.REGIONS))
    assert drop(held, kernel.memory, pa + 0x4000).effects == ()
    assert drop(held, kernel.memory, pa + 0x3FFF).effects[-1] == InvalidateTlb(table, pa, 0x4000)
    assert kernel.memory.read(table, 256) == bytes(256)


def test_memory_comes_back_once_and_to_whom_it_belongs(kernel) -> None:
    start = kernel.BASE + 0x10_0000
    kernel.do(kernel.RAM, Retype(FREE, T.RAM, 0x8000, 0x10_0000))
    kernel.do(FREE, Retype(FREE + 1, T.FRAME, 0x2000, 0x2000))
    kernel.do(FREE, Retype(FREE + 2, T.CNODE, offset=0x4000))
    whole = (kernel.BASE, 0x80_0000)
    # The RAM goes: what nothing stands on is its ancestor's again.
    assert kernel.do(FREE, Delete()).effects == (ReturnMemory(start, 0x2000, *whole),)
    assert kernel.do(FREE + 1, Delete()).effects == (ReturnMemory(start + 0x2000, 0x2000, *whole),)
    assert kernel.do(FREE + 2, Delete()).effects == (
        ObjectGone(T.CNODE, start + 0x4000, 0),
        ReturnMemory(start + 0x4000, 0x4000, *whole),
    )
    kernel.do(kernel.RAM, Retype(FREE, T.RAM, 0x8000, 0x10_0000))


def test_memory_without_ancestor_is_reported(kernel) -> None:
    assert kernel.do(kernel.DEVICE, Delete()).effects == (ReturnMemory(0xFEE0_0000, 0x2000, 0, 0),)


def test_endpoints_keep_their_dispatcher_s_memory(kernel) -> None:
    base = kernel.base(kernel.DISPATCHER)
    kernel.do(kernel.ENDPOINT, Mint(FREE, 31, 7))
    assert kernel.do(FREE, Identify()).result == Identity(T.END_POINT, base, 0x400, 31, 7, False)
    kernel.do(FREE, Copy(FREE + 1))
    assert kernel.do(FREE, Delete()).effects == (), "there is a copy"
    assert kernel.do(kernel.DISPATCHER, Delete()).effects == (ObjectGone(T.DISPATCHER, base, 0),)
    assert kernel.do(kernel.ENDPOINT, Delete()).effects == (ObjectGone(T.END_POINT, base, 0),)
    last = kernel.do(FREE + 1, Delete())
    assert last.effects == (ObjectGone(T.END_POINT, base, 7), ReturnMemory(base, 0x400, kernel.BASE, 0x80_0000))


def test_an_endpoint_goes_back_to_a_living_dispatcher(kernel) -> None:
    base = kernel.base(kernel.DISPATCHER)
    assert kernel.do(kernel.ENDPOINT, Delete()).effects == (ObjectGone(T.END_POINT, base, 0),)


def test_revoke_takes_back_everything(kernel) -> None:
    kernel.do(kernel.FRAME, Map(kernel.PT, 0, 3))
    kernel.do(kernel.RAM, Copy(FREE))
    outcome = kernel.do(FREE, Revoke())
    returned = sum(e.size for e in outcome.effects if isinstance(e, ReturnMemory))
    assert returned == 6 * 0x1000 + 0x4000 + 0x400
    costs = dict(outcome.costs)
    assert (costs["cap_revoke"], costs["cap_delete"]) == (1, 6 + 2 + 2 + 2)
    for gone in (kernel.RAM, kernel.FRAME, kernel.PT, kernel.ENDPOINT, kernel.BLIND):
        with pytest.raises(CapabilityError, match="no capability"):
            kernel.do(gone, Identify())
    kernel.do(FREE, Retype(FREE + 1, T.FRAME, 0x80_0000))


def test_revoke_can_take_its_own_slot(kernel) -> None:
    """The RAM is kept in a CNode made from it: the CNode goes, and with it the RAM."""
    kernel.do(kernel.RAM, Retype(root_cptr(2), T.CNODE, offset=0x10_0000))
    kernel.do(kernel.RAM, Copy(cptr(2, 0)))
    kernel.do(cptr(2, 0), Revoke())
    assert sorted(r.info.name for r in kernel.mdb) == ["CNode", "CNode", "DevFrame", "IRQ", "PhysAddr"]


def test_deleting_a_cnode_deletes_what_it_holds(kernel) -> None:
    kernel.do(kernel.RAM, Retype(root_cptr(2), T.CNODE, offset=0x10_0000))
    kernel.do(root_cptr(2), Copy(cptr(2, 3)))
    kernel.do(kernel.RAM, Retype(cptr(2, 0), T.FRAME, 0x1000, 0x11_0000))
    kernel.do(cptr(2, 0), Map(kernel.PT, 0, 1))
    assert kernel.do(root_cptr(2), Delete()).effects == (), "a copy of it keeps it, though in itself"
    kernel.do(kernel.RAM, Retype(root_cptr(3), T.CNODE, offset=0x12_0000))
    kernel.do(kernel.RAM, Retype(cptr(3, 0), T.FRAME, 0x1000, 0x13_0000))
    kernel.do(cptr(3, 0), Map(kernel.PT, 1, 1))
    outcome = kernel.do(root_cptr(3), Delete())
    assert [type(e) for e in outcome.effects] == [ObjectGone, WritePte, InvalidateTlb, ReturnMemory, ReturnMemory]
    assert dict(outcome.costs)["cap_delete"] == 2


def test_what_is_held_outlives_its_slot(kernel) -> None:
    kernel.do(kernel.RAM, Retype(root_cptr(2), T.CNODE, offset=0x10_0000))
    kernel.do(kernel.RAM, Retype(cptr(2, 0), T.CNODE, offset=0x10_4000))
    held = hold(kernel.space.capability(root_cptr(2)))
    kernel.do(root_cptr(2), Delete())
    assert held.alive
    outcome = release(kernel.mdb, kernel.memory, held)
    assert [e.type for e in outcome.effects if isinstance(e, ObjectGone)] == [T.CNODE, T.CNODE]
    assert not held.alive
    assert release(kernel.mdb, kernel.memory, held).effects == ()


def test_a_second_space_stands_elsewhere(kernel) -> None:
    other = boot_cspace(kernel.mdb, 0x20_0000)
    endow(kernel.mdb, other.slot(root_cptr(0)), T.CNODE, 0x21_0000)
    with pytest.raises(CapabilityError, match="no capability at 0x2"):
        other.capability(kernel.FRAME)


def test_rights_never_grow(kernel) -> None:
    kernel.do(kernel.FRAME, Mint(FREE, 17))
    kernel.do(FREE, Mint(FREE + 1, 31))
    kernel.do(FREE + 1, Copy(FREE + 2))
    assert kernel.do(FREE + 2, Identify()).result.rights == 17
    kernel.do(kernel.RAM, Mint(FREE + 3, 18))
    kernel.do(FREE + 3, Retype(FREE + 4, T.FRAME, 0x1000, 0x10_0000))
    assert kernel.do(FREE + 4, Identify()).result.rights == 18


def test_the_table_of_types_is_consistent() -> None:
    """Every table type names a level of a format, by its own name; every type has a row."""
    assert set(TYPES) == set(CapType)
    for info in TYPES.values():
        if info.isa and info.isa != "armv7-r":
            assert FORMATS[info.isa].levels[info.level].name == info.name
        assert info.granule == 0 or info.granule & info.granule - 1 == 0


def test_every_cost_is_named(kernel) -> None:
    kernel.do(kernel.PT, Unmap())
    requests = (
        (kernel.PT, MapTable(kernel.PD, 0)), (kernel.FRAME, Copy(FREE)), (kernel.FRAME, Mint(FREE + 1, 1)),
        (FREE, Map(kernel.PT, 0, 3)), (FREE, Protect(1)), (FREE, Unmap()), (FREE, Identify()), (FREE, Delete()),
        (kernel.PT, Unmap()), (kernel.RAM, Revoke()), (kernel.RAM, Retype(FREE, T.FRAME, 0x1000)),
    )  # fmt: skip
    assert {charge.name for at, request in requests for charge in kernel.do(at, request).costs} == set(COSTS)
