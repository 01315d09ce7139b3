"""Sparse memory is a large array of bytes that takes room only for what was written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.system.physical_memory import SparseMemory

SIZE = 5 * 4096
addresses = st.one_of(st.integers(0, SIZE), st.sampled_from((0, 4095, 4096, 8191, 8192, 8193, 12288)))
lengths = st.one_of(st.integers(0, 2 * 4096), st.sampled_from((0, 1, 8, 4096, 8192)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), addresses, lengths, st.integers(1, 255)), max_size=8))
def test_against_one_array(script: list[tuple[bool, int, int, int]]) -> None:
    memory, array = SparseMemory(), bytearray(2 * SIZE)
    for zero, address, length, value in script:
        if zero:
            memory.zero(address, length)
            array[address : address + length] = bytes(length)
        else:
            memory.write(address, bytes([value]) * length)
            array[address : address + length] = bytes([value]) * length
        assert memory.read(0, len(array)) == array
        assert memory.read(address, 8) == array[address : address + 8]


def test_room() -> None:
    memory = SparseMemory()
    memory.write(1 << 40, bytes(range(256)) * 32)
    assert len(memory) == 2
    memory.zero(0, 1 << 41)
    assert len(memory) == 0
