"""Monitors' messages: C and Python write the same bytes.  The C is the image's own, called in this process."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from multikernel.interfaces import PAYLOAD
from multikernel.system.messages import Hello, Welcome, decode, encode
from tests.metal.machines import PLUGINS

WORDS = ctypes.c_uint64 * 7
HELLO, WELCOME, START, ROW, BYE = 1, 2, 201, 203, 207
MESSAGES = [(Hello(5), (HELLO, 5)), (Hello(2**40 + 7), (HELLO, 2**40 + 7)), (Welcome(32), (WELCOME, 32))]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    target = tmp_path_factory.mktemp("wire") / "wire.so"
    source = PLUGINS / "mk_monitor" / "metal" / "wire.c"
    include = f"-I{PLUGINS / 'mk_qemu' / 'metal'}"
    command: list[str | Path] = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", include, source, "-o", target]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def encoded(library: ctypes.CDLL, words: tuple[int, ...]) -> bytes:
    payload = ctypes.create_string_buffer(PAYLOAD)
    length = library.wire_encode(ctypes.byref(WORDS(*words)), payload)
    assert payload.raw[length:] == bytes(PAYLOAD - length)
    return payload.raw[:length]


def decoded(library: ctypes.CDLL, payload: bytes) -> tuple[int, ...] | None:
    words = WORDS()
    buffer = ctypes.create_string_buffer(payload.ljust(PAYLOAD, b"\0"), PAYLOAD)
    good = library.wire_decode(buffer, len(payload), ctypes.byref(words)) & 1
    return tuple(words) if good else None


@pytest.mark.parametrize(("message", "words"), MESSAGES)
def test_c_writes_what_python_writes(
    library: ctypes.CDLL, message: tuple[int | str, ...], words: tuple[int, ...]
) -> None:
    assert encoded(library, words) == encode(message)
    assert decode(encoded(library, words)) == message


@pytest.mark.parametrize(("message", "words"), MESSAGES)
def test_c_reads_what_python_writes(
    library: ctypes.CDLL, message: tuple[int | str, ...], words: tuple[int, ...]
) -> None:
    assert decoded(library, encode(message)) == words + (0,) * (7 - len(words))


@pytest.mark.parametrize("words", [(START, 1, 2, 0), (ROW, 1, 2, 3, 4, 5, 2**64 - 1), (BYE, 9)])
def test_what_c_writes_it_reads(library: ctypes.CDLL, words: tuple[int, ...]) -> None:
    assert decoded(library, encoded(library, words)) == words + (0,) * (7 - len(words))


@pytest.mark.parametrize("payload", [b"", b"\0", b"\x01", encode(Hello(1))[:-1], encode(Hello(1)) + b"\0", b"\x63"])
def test_what_is_no_message_is_refused(library: ctypes.CDLL, payload: bytes) -> None:
    assert decoded(library, payload) is None
