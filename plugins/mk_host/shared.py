"""The host's channel memory: what `_ring` (C) and `fallback` (Python) both offer, and which one is used.

    load_backend() -> Backend     the C extension, or the Python twin and why
    Backend.ring                  the module: Lines, Bell, Sender, Receiver, Poller, fence

Both have the same layout in memory, so that a process with one talks to a process with the other.
`MKIT_NO_C=1` forces the twin, `MKIT_REQUIRE_C=1` makes needing it an error.

May not know: cores, processes, what is sent.
"""

from __future__ import annotations

import mmap
import platform
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

from multikernel.errors import PlatformError
from multikernel.native import load_native, require

Buffer: TypeAlias = bytearray | memoryview | mmap.mmap


class RawLines(Protocol):
    """64-byte lines of a shared mapping.  A line's first word is written last and read first."""

    def load(self, index: int, /) -> bytes: ...
    def store(self, index: int, line: bytes, /) -> None: ...
    def word(self, index: int, /) -> int: ...
    def load_word(self, offset: int, /) -> int: ...
    def store_word(self, offset: int, word: int, /) -> None: ...
    def compare_and_swap(self, offset: int, old: int, new: int, /) -> bool: ...


class RawPoller(Protocol):
    """Watches over lines.  `poll` gives the key of one whose first word is no longer `word`, or TIMEOUT."""

    def arm(self, key: int, lines: RawLines, index: int, word: int, /) -> None: ...
    def disarm(self, key: int, /) -> bool: ...
    def poll(self, spin_ns: int, /) -> int: ...


class RawBell(Protocol):
    """How a core is interrupted and woken.  Interrupts are 0 to 7.  To be made in the process that uses it."""

    def post(self, kind: int, /) -> None: ...
    def ring(self) -> None: ...
    def take(self) -> int: ...
    def wait(self, poller: RawPoller | None, spin_ns: int, yields: int, timeout_ns: int, /) -> int: ...


class RawSender(Protocol):
    """The writing half of a ring; see `multikernel.system.ring`."""

    def put(self, payload: bytes, /) -> bool: ...
    def put_batch(self, payloads: Sequence[bytes], /) -> int: ...
    def room(self) -> tuple[int, int]: ...


class RawReceiver(Protocol):
    """The reading half of a ring; see `multikernel.system.ring`.  A batch is at most a window; a fault
    behind good messages is raised by the next call."""

    def take(self) -> bytes | None: ...
    def take_batch(self, most: int, /) -> list[bytes]: ...
    def watch(self) -> tuple[int, int]: ...
    def count(self) -> int: ...


class RingModule(Protocol):
    """The module itself.  `bell` is that of the core at the other end; with none nobody is woken."""

    TIMEOUT: int
    PENDING: int

    def Lines(self, buffer: Buffer, offset: int, count: int) -> RawLines: ...
    def Poller(self) -> RawPoller: ...
    def Bell(self, lines: RawLines, index: int) -> RawBell: ...
    def Sender(
        self, lines: RawLines, first: int, slots: int, bell: RawBell | None = None, start: int = 0
    ) -> RawSender: ...
    def Receiver(
        self, lines: RawLines, first: int, slots: int, bell: RawBell | None = None, start: int = 0
    ) -> RawReceiver: ...
    def fence(self) -> None: ...


class Backend(NamedTuple):
    """`native` is whether `ring` is the C extension; `finding` is a line for a person."""

    ring: RingModule
    native: bool
    finding: str


def load_backend() -> Backend:
    """The C extension if it is there and was compiled from the source beside it, else its Python twin.

    Raises PlatformError where the twin is not sound (its stores are ordered only on x86), or where it
    would be used although MKIT_REQUIRE_C=1."""
    found = load_native("mk_host", "_ring")
    if found.module is None:
        require(found, "the host platform")
        return _twin(found.finding)
    from mk_host import _ring

    return Backend(_ring, True, f"native: {found.finding}")


def _twin(reason: str) -> Backend:
    machine = platform.machine()
    if machine not in ("x86_64", "AMD64"):
        raise PlatformError(
            f"the host platform needs its C extension on {machine}, "
            f"because rings in Python are ordered only on x86-64 ({reason})"
        )
    from mk_host import fallback

    return Backend(fallback, False, f"fallback: rings in Python, about six times slower ({reason})")
