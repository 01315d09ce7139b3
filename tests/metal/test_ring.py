"""The C ring and the Python ring over the same lines: one layout.

The C is the image's own source, compiled for this machine and called in this process.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar

import pytest

from multikernel.interfaces import LINE, PAYLOAD
from multikernel.system.ring import Receiver, Sender, direction
from tests.metal.machines import PLUGINS

T = TypeVar("T")
EMPTY, BROKEN = -1, -2
SLOTS = [1, 2, 3, 8]


class Channel(ctypes.Structure):
    """struct mk_channel of mk.h"""

    _fields_ = [
        *((name, ctypes.c_uint32) for name in ("id", "a", "b", "slots")),
        ("address_a", ctypes.c_uint64),
        ("address_b", ctypes.c_uint64),
    ]


class EndpointStruct(ctypes.Structure):
    """struct mk_endpoint of channel.h"""

    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("out", "in", "slots", "sent", "acked", "taken")),
        ("peer", ctypes.c_uint32),
    ]


class CEndpoint:
    """Side 0 or 1 of a channel, in C."""

    def __init__(self, library: ctypes.CDLL, memory: ctypes.Array[ctypes.c_char], slots: int, side: int) -> None:
        self._library = library
        self._endpoint = EndpointStruct()
        at = ctypes.addressof(memory)
        channel = Channel(0, 0, 1, slots, at, at)
        library.mk_open(ctypes.byref(self._endpoint), ctypes.byref(channel), side)

    def put(self, payload: bytes) -> bool:
        words = ctypes.create_string_buffer(payload.ljust(PAYLOAD, b"\0"), PAYLOAD)
        return bool(self._library.mk_try_send(ctypes.byref(self._endpoint), words, len(payload)) & 1)

    def take(self) -> bytes | int:
        words = ctypes.create_string_buffer(PAYLOAD)
        length: int = self._library.mk_poll(ctypes.byref(self._endpoint), words)
        return words.raw[:length] if length >= 0 else length


class ArrayLines:
    """Lines over plain memory."""

    coherent = True

    def __init__(self, memory: ctypes.Array[ctypes.c_char]) -> None:
        self._memory = memory
        self.count = len(memory) // LINE

    async def load(self, index: int) -> bytes:
        return self._memory.raw[index * LINE : (index + 1) * LINE]

    async def store(self, index: int, line: bytes) -> None:
        self._memory[index * LINE : (index + 1) * LINE] = line

    async def clean(self, index: int) -> None: ...
    async def invalidate(self, index: int) -> None: ...
    async def fence(self) -> None: ...


def now(step: Coroutine[object, None, T]) -> T:
    """What a coroutine that waits for nothing returns."""
    with pytest.raises(StopIteration) as done:
        step.send(None)
    value: T = done.value.value
    return value


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    target = tmp_path_factory.mktemp("ring") / "ump.so"
    source = PLUGINS / "mk_ump" / "metal" / "ump.c"
    include = f"-I{PLUGINS / 'mk_qemu' / 'metal'}"
    command: list[str | Path] = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", include, source, "-o", target]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def memory_of(slots: int) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(2 * direction(slots) * LINE)


def message(number: int) -> bytes:
    return bytes((number + i) % 251 for i in range(number % (PAYLOAD + 1)))


@pytest.mark.parametrize("slots", SLOTS)
def test_python_reads_what_c_writes(library: ctypes.CDLL, slots: int) -> None:
    memory = memory_of(slots)
    sender, receiver = CEndpoint(library, memory, slots, 0), Receiver(ArrayLines(memory), 0, slots)
    assert now(receiver.take()) is None
    for number in range(10 * slots + 60):
        assert sender.put(message(number))
        assert now(receiver.take()) == message(number)
        assert now(receiver.take()) is None


@pytest.mark.parametrize("slots", SLOTS)
def test_c_reads_what_python_writes(library: ctypes.CDLL, slots: int) -> None:
    memory = memory_of(slots)
    lines = ArrayLines(memory)
    receiver, sender = CEndpoint(library, memory, slots, 0), Sender(lines, direction(slots), slots)
    assert receiver.take() == EMPTY
    for number in range(10 * slots + 60):
        assert now(sender.put(message(number)))
        assert receiver.take() == message(number)
        assert receiver.take() == EMPTY


@pytest.mark.parametrize("slots", SLOTS)
def test_the_lines_are_the_same_bytes(library: ctypes.CDLL, slots: int) -> None:
    written, expected = memory_of(slots), memory_of(slots)
    c, python = CEndpoint(library, written, slots, 1), Sender(ArrayLines(expected), direction(slots), slots)
    for number in range(slots):
        assert c.put(message(number + 8)) is now(python.put(message(number + 8))) is True
    assert written.raw == expected.raw


@pytest.mark.parametrize("slots", SLOTS)
def test_the_window_is_the_same(library: ctypes.CDLL, slots: int) -> None:
    """Full after `slots` messages; acknowledged in the same batches by either reader."""
    written, expected = memory_of(slots), memory_of(slots)
    c, python = CEndpoint(library, written, slots, 0), Sender(ArrayLines(expected), 0, slots)
    c_reader, python_reader = CEndpoint(library, written, slots, 1), Receiver(ArrayLines(expected), 0, slots)
    sent = taken = 0
    for step in range(40 * slots):
        if step % 5 != 4:
            room = now(python.put(message(sent)))
            assert c.put(message(sent)) is room
            assert not room or sent - taken < slots  # acknowledgements lag, so it may refuse early
            sent += room
        else:
            payload = now(python_reader.take())
            assert c_reader.take() == (EMPTY if payload is None else payload)
            taken += payload is not None
    assert sent > 10 * slots // 5
    assert written.raw == expected.raw


def test_a_line_no_sender_writes_is_told(library: ctypes.CDLL) -> None:
    memory = memory_of(8)
    receiver = CEndpoint(library, memory, 8, 1)
    memory[0:8] = (2).to_bytes(8, "little")  # message 2 where message 1 belongs
    assert receiver.take() == BROKEN
    memory[0:8] = (1 | 57 << 32).to_bytes(8, "little")  # longer than a line holds
    assert receiver.take() == BROKEN
