"""The memory server's allocator: nothing twice, near memory first, shortage said in figures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.system.caps.cspace import cptr
from multikernel.system.caps.effects import ReturnMemory
from multikernel.system.caps.memory_regions import Grant, RamAllocator, RamRegion, Shortage
from multikernel.system.caps.requests import Delete, Retype
from multikernel.system.caps.types import CapType

PAGE = 4096
REGIONS = (
    RamRegion(0, 0x5000, 21 * PAGE, 11),
    RamRegion(0, 0x5000 + 21 * PAGE, 8 * PAGE, 12),
    RamRegion(1, 0x40_0000, 32 * PAGE, 13),
    RamRegion(3, 0x80_0000, 4 * PAGE, 14),
)


class Allocation(RuleBasedStateMachine):
    """Pages in a dictionary: granted to nobody or to somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.allocator = RamAllocator(REGIONS)
        self.node = {r.base + at: r.node for r in REGIONS for at in range(0, r.size, PAGE)}
        self.taken: list[int] = []

    def run_of(self, size: int, node: int) -> bool:
        """Whether an aligned free block for `size` is on `node`."""
        need = 1 << (-(-size // PAGE) - 1).bit_length()
        return any(
            at % (need * PAGE) == 0 and at >= r.base and at + need * PAGE <= r.base + r.size
            and not any(at + n * PAGE in self.taken for n in range(need))
            for r in REGIONS if r.node == node for at in range(r.base, r.base + r.size, PAGE)
        )  # fmt: skip

    @rule(size=st.integers(1, 9 * PAGE), near=st.sampled_from((0, 1, 3)), local=st.booleans())
    def allocate(self, size: int, near: int, local: bool) -> None:
        answer = self.allocator.allocate(size, near, local)
        order = [near] if local else [near, *(n for n in (0, 1, 3) if n != near)]
        able = [node for node in order if self.run_of(size, node)]
        if isinstance(answer, Shortage):
            assert not able
            left = {n: sum(v == n for at, v in self.node.items() if at not in self.taken) * PAGE for n in order}
            assert answer.left == tuple(left.items())
            assert answer.largest < size <= answer.size
            assert answer.largest == 0 or any(self.run_of(answer.largest, node) for node in order)
            return
        assert answer.node == able[0], "the nearest that has it"
        assert answer.size == -(-size // PAGE) * PAGE
        region = next(r for r in REGIONS if r.cptr == answer.cptr)
        assert answer.base == region.base + answer.offset
        pages = range(answer.base, answer.base + answer.size, PAGE)
        assert not any(at in self.taken for at in pages)
        assert all(region.base <= at < region.base + region.size for at in pages)
        self.taken.extend(pages)

    @rule(pick=st.integers(0, 60), count=st.integers(1, 4))
    def free(self, pick: int, count: int) -> None:
        """Any run of pages goes back, whoever had it; refused whole if one was free or elsewhere."""
        if not self.taken:
            return
        base = sorted(self.taken)[pick % len(self.taken)]
        pages = [base + n * PAGE for n in range(count)]
        inside = any(r.base <= base and pages[-1] < r.base + r.size for r in REGIONS)
        if inside and all(at in self.taken for at in pages):
            self.allocator.free(base, count * PAGE)
            self.taken = [at for at in self.taken if at not in pages]
        else:
            with pytest.raises(LocalMisuse) as caught:
                self.allocator.free(base, count * PAGE)
            assert caught.value.code == ("double-free" if inside else "not-ours")

    @invariant()
    def nothing_is_lost(self) -> None:
        left = {n: sum(v == n for at, v in self.node.items() if at not in self.taken) * PAGE for n in (0, 1, 3)}
        assert self.allocator.left() == tuple(left.items())


TestAllocation = Allocation.TestCase
TestAllocation.settings = settings(deadline=None)


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_everything_given_back_is_one_again(sizes: list[int], order) -> None:
    allocator = RamAllocator([RamRegion(0, 1 << 20, 256 * PAGE, 1)])
    grants = [g for g in (allocator.allocate(size * PAGE, 0) for size in sizes) if isinstance(g, Grant)]
    order.shuffle(grants)
    for grant in grants:
        allocator.free(grant.base, grant.size)
    assert allocator.allocate(256 * PAGE, 0) == Grant(0, 1, 0, 1 << 20, 256 * PAGE)


def test_nearest_node_by_distance() -> None:
    regions = [RamRegion(node, (node + 1) << 20, 4 * PAGE, node) for node in range(4)]
    allocator = RamAllocator(regions, ((10, 16, 22, 16), (16, 10, 16, 22), (22, 16, 10, 16), (16, 22, 16, 10)))
    nodes = [allocator.allocate(4 * PAGE, 2) for _ in range(4)]
    assert [grant.node for grant in nodes if isinstance(grant, Grant)] == [2, 1, 3, 0]
    assert str(allocator.allocate(1, 2)) == (
        "no 4 KiB of memory in one piece; largest 0 KiB; "
        "free on node 2: 0 KiB, node 1: 0 KiB, node 3: 0 KiB, node 0: 0 KiB"
    )


def test_local_memory_alone() -> None:
    allocator = RamAllocator([RamRegion(0, 0, 4 * PAGE, 1), RamRegion(1, 1 << 20, 8 * PAGE, 2)])
    assert allocator.allocate(8 * PAGE, 0, local=True) == Shortage(8 * PAGE, 4 * PAGE, ((0, 4 * PAGE),))
    assert allocator.allocate(8 * PAGE, 0) == Grant(1, 2, 0, 1 << 20, 8 * PAGE)


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        (lambda a: a.allocate(0, 0), "bad-size", "cannot allocate 0 bytes"),
        (lambda a: a.allocate(1, 2), "bad-node", "no memory on a node 2; nodes: 0, 1, 3"),
        (lambda a: a.free(0x5000, PAGE), "double-free", "some of 0x5000+0x1000 is free already"),
        (lambda a: a.free(0x4000, PAGE), "not-ours", "0x4000+0x1000 is not in pages of one region of this allocator"),
        (lambda a: a.free(0x5800, PAGE), "not-ours", "0x5800+0x1000 is not in pages of one region of this allocator"),
        (lambda a: a.free(0x5000, 0), "not-ours", "0x5000+0x0 is not in pages of one region of this allocator"),
        (lambda a: RamAllocator([*REGIONS, RamRegion(0, 0x6000, PAGE, 15)]), "bad-region",
         "region 0x6000+0x1000 overlaps another or is not in pages of 4 KiB"),
        (lambda a: RamAllocator([RamRegion(0, 0x800, PAGE, 15)]), "bad-region",
         "region 0x800+0x1000 overlaps another or is not in pages of 4 KiB"),
    ],
)  # fmt: skip
def test_misuse(call, code: str, text: str) -> None:
    allocator = RamAllocator(REGIONS)
    with pytest.raises(LocalMisuse) as caught:
        call(allocator)
    assert (caught.value.code, str(caught.value)) == (code, text)


def test_with_the_capabilities_it_is_for(kernel) -> None:
    """A memory server's loop: allocate, retype, delete, take back what the driver says came back."""
    server = cptr(0, 30)
    kernel.do(kernel.RAM, Retype(server, CapType.RAM, 64 * PAGE, 0x10_0000))
    allocator = RamAllocator([RamRegion(0, kernel.base(server), 64 * PAGE, server)])
    slots = [cptr(0, 40 + n) for n in range(7)]
    for slot in slots:
        grant = allocator.allocate(9 * PAGE, 0)
        if isinstance(grant, Shortage):
            break
        kernel.do(grant.cptr, Retype(slot, CapType.RAM, grant.size, grant.offset))
        kernel.do(slot, Retype(cptr(0, 100), CapType.FRAME, PAGE, 2 * PAGE))
        kernel.do(cptr(0, 100), Delete())
    assert allocator.left() == ((0, 64 * PAGE - 4 * 9 * PAGE),)
    for slot in slots:
        try:
            effects = kernel.do(slot, Delete()).effects
        except CapabilityError:
            continue
        for effect in effects:
            assert isinstance(effect, ReturnMemory)
            allocator.free(effect.base, effect.size)
    assert allocator.left() == ((0, 64 * PAGE),)
