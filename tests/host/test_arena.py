"""Memory shared by processes: physical memory, the start of a core, input."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from mk_host import _ring, fallback
from mk_host.arena import IPI, LARGEST_INPUT, PAGE, Arena
from mk_host.shared import RingModule
from multikernel.errors import LocalMisuse

Fork = Callable[[Callable[[], None]], int]
MIB = 1 << 20


@pytest.fixture(params=[_ring, fallback], ids=["c", "python"])
def ring(request: pytest.FixtureRequest) -> RingModule:
    module: RingModule = request.param
    return module


def test_memory_is_zero_shared_and_takes_room_only_when_written(ring: RingModule, fork: Fork) -> None:
    arena = Arena(ring, range(2), 1 << 36)

    def write() -> None:
        arena.write((1 << 36) - 3, b"end")
        arena.memory.store_word(64, 7)

    os.waitid(os.P_PID, fork(write), os.WEXITED | os.WNOWAIT)
    assert arena.read((1 << 36) - 5, 5) == b"\0\0end"
    assert arena.lines(64, 1).load(0) == (7).to_bytes(64, "little")
    for address, size in ((-1, 1), ((1 << 36) - 1, 2)):
        with pytest.raises(LookupError, match="no memory for"):
            arena.read(address, size)
    with pytest.raises(LookupError, match="no memory for 2 lines"):
        arena.lines((1 << 36) - 64, 2)


@pytest.mark.parametrize(("address", "size"), [(5, 100), (PAGE - 7, 3 * MIB + 9), (PAGE, MIB)])
def test_zero_clears_just_that(address: int, size: int) -> None:
    arena = Arena(_ring, [0], 4 * MIB)
    arena.write(0, b"\xff" * 4 * MIB)
    arena.zero(address, size)
    assert arena.read(0, 4 * MIB) == b"\xff" * address + bytes(size) + b"\xff" * (4 * MIB - address - size)


def test_a_core_begins_when_released_and_finds_its_channel(ring: RingModule, fork: Fork) -> None:
    arena = Arena(ring, [3, 70, 5], PAGE)

    def begin() -> None:
        began = arena.await_release(70)
        assert began is not None
        arena.memory.store_word(0, began.channel)
        arena.memory.store_word(8, began.slots)

    arena.bell(70).post(IPI)
    child = fork(begin)
    arena.release(3, 1, 1)
    time.sleep(0.02)
    assert arena.memory.load_word(0) == 0
    arena.release(70, 1 << 40, 16)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert (arena.memory.load_word(0), arena.memory.load_word(8)) == (1 << 40, 16)


def test_one_input_at_a_time() -> None:
    arena = Arena(_ring, [0], PAGE)
    assert arena.take_input() == b""
    assert arena.put_input(b"first")
    assert not arena.put_input(b"second")
    assert arena.take_input() == b"first"
    assert arena.take_input() == b""
    assert arena.put_input(bytes(LARGEST_INPUT))
    for length in (0, LARGEST_INPUT + 1):
        with pytest.raises(LocalMisuse, match="an input has 1 to"):
            arena.put_input(bytes(length))


def test_nothing_is_left_of_it() -> None:
    before = len(os.listdir("/proc/self/fd")), os.listdir("/dev/shm")
    arena = Arena(_ring, [0], PAGE)
    arena.write(0, b"x")
    del arena
    assert (len(os.listdir("/proc/self/fd")), os.listdir("/dev/shm")) == before
