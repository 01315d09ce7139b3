"""The Python twin of `_ring.c`, name for name, for hosts without a C compiler.

Sound on x86-64 only.  What it relies on: assigning to an item of a memoryview of format Q is one
8-byte store, x86 makes a process's stores visible in their order, and the interpreter, a compiled
program, does not reorder what two bytecodes do.  Acquiring a lock is a locked instruction, a full fence.

It has no membarrier, so no sleep is longer than `BLIND_NS`: a wake-up that crossed a falling asleep
costs at most that.  Compare-and-swap holds a lock on this very file meanwhile (flock), which the C
extension does not: the cores of one kernel all use the one or the other for it.

May not know: cores, processes, what is sent.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from collections.abc import Sequence
from threading import Lock
from typing import Final

from mk_host.shared import Buffer, RawBell, RawLines, RawPoller
from multikernel.errors import PeerError
from multikernel.interfaces import LINE, PAYLOAD
from multikernel.system import ring

TIMEOUT: int = -1
PENDING: int = -2
BLIND_NS = 1_000_000
"""Longest sleep; see above."""
KINDS = 8
_SYS_FUTEX, _FUTEX_WAIT, _FUTEX_WAKE = 202, 0, 1
"""x86-64: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/linux/futex.h."""
_WORDS: Final = LINE // 8
_FUTEX: Final = 2
"""Index of the futex among a line's 4-byte words."""
_SEQUENCES: Final = (1 << 32) - 1

_libc = ctypes.CDLL(None, use_errno=True)
_fencing = Lock()


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def fence() -> None:
    """Every store before it is visible."""
    with _fencing:
        pass


class Lines:
    """See `shared.RawLines`."""

    def __init__(self, buffer: Buffer, offset: int, count: int) -> None:
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise BufferError("the buffer is not writable")
        if offset < 0 or count < 1 or count > (len(view) - offset) // LINE:
            raise ValueError(f"{count} lines at offset {offset} do not fit a buffer of {len(view)} bytes")
        if offset % LINE:
            raise ValueError(f"offset {offset} is not on a line of {LINE} bytes")
        self.view = view[offset : offset + count * LINE]
        self.words = self.view.cast("Q")
        self.count = count

    def _line(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"line {index} of a window of {self.count}")
        return index * LINE

    def _word(self, offset: int) -> int:
        if offset % 8 or not 0 <= offset < self.count * LINE:
            raise IndexError(f"no word at byte {offset} of {self.count * LINE}")
        return offset // 8

    def load(self, index: int, /) -> bytes:
        at = self._line(index)
        word = self.words[at // 8]
        return word.to_bytes(8, "little") + self.view[at + 8 : at + LINE].tobytes()

    def store(self, index: int, line: bytes, /) -> None:
        at = self._line(index)
        if len(line) != LINE:
            raise ValueError(f"a line is {LINE} bytes, not {len(line)}")
        self.view[at + 8 : at + LINE] = line[8:]
        self.words[at // 8] = int.from_bytes(line[:8], "little")

    def word(self, index: int, /) -> int:
        return self.words[self._line(index) // 8]

    def load_word(self, offset: int, /) -> int:
        return self.words[self._word(offset)]

    def store_word(self, offset: int, word: int, /) -> None:
        at = self._word(offset)
        if not 0 <= word < 1 << 64:
            raise OverflowError(f"{word} is not an unsigned 64-bit word")
        self.words[at] = word

    def compare_and_swap(self, offset: int, old: int, new: int, /) -> bool:
        at = self._word(offset)
        lock = os.open(__file__, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.words[at] != old:
                return False
            self.store_word(offset, new)
            return True
        finally:
            os.close(lock)


def _own(lines: RawLines) -> Lines:
    if not isinstance(lines, Lines):
        raise TypeError(f"lines of {__name__}, not {lines!r}")
    return lines


class Poller:
    """See `shared.RawPoller`."""

    def __init__(self) -> None:
        self._armed: dict[int, tuple[memoryview, int, int]] = {}

    def arm(self, key: int, lines: RawLines, index: int, word: int, /) -> None:
        own = _own(lines)
        if key < 0:
            raise ValueError(f"a key is not negative, {key} is")
        own.word(index)
        self._armed[key] = (own.words, index * _WORDS, word)

    def disarm(self, key: int, /) -> bool:
        return self._armed.pop(key, None) is not None

    def look(self) -> int:
        """One scan.  A hit goes to the end, so that none starves."""
        for key, watch in self._armed.items():
            words, at, word = watch
            if words[at] != word:
                del self._armed[key]
                self._armed[key] = watch
                return key
        return TIMEOUT

    def poll(self, spin_ns: int, /) -> int:
        key = self.look()
        if key == TIMEOUT and spin_ns > 0:
            end = time.monotonic_ns() + spin_ns
            while (key := self.look()) == TIMEOUT and time.monotonic_ns() < end:
                pass
        return key


class Bell:
    """See `shared.RawBell`; the layout is told in `_ring.c`."""

    def __init__(self, lines: RawLines, index: int) -> None:
        own = _own(lines)
        own.word(index)
        line = own.view[index * LINE : (index + 1) * LINE]
        self._line = line
        self._pending = line.cast("Q")
        self._futexes = line.cast("I")
        self._held = ctypes.c_uint32.from_buffer(line, 4 * _FUTEX)
        self._address = ctypes.c_void_p(ctypes.addressof(self._held))

    def post(self, kind: int, /) -> None:
        if not 0 <= kind < KINDS:
            raise ValueError(f"interrupt {kind}, there are {KINDS}")
        self._line[kind] = 1
        self.ring()

    def ring(self) -> None:
        if self._futexes[_FUTEX]:
            self._futexes[_FUTEX] = 0
            _libc.syscall(_SYS_FUTEX, self._address, _FUTEX_WAKE, 1, None, None, 0)

    def take(self) -> int:
        mask = 0
        if self._pending[0]:
            for kind in range(KINDS):
                if self._line[kind]:
                    self._line[kind] = 0
                    mask |= 1 << kind
            fence()
        return mask

    def _look(self, poller: Poller | None) -> int:
        if self._pending[0]:
            return PENDING
        return poller.look() if poller else TIMEOUT

    def _sleep(self, poller: Poller | None, ns: int) -> int:
        self._futexes[_FUTEX] = 1
        fence()
        key = self._look(poller)
        if key == TIMEOUT:
            limit = _Timespec(0, min(ns, BLIND_NS))
            _libc.syscall(_SYS_FUTEX, self._address, _FUTEX_WAIT, 1, ctypes.byref(limit), None, 0)
        self._futexes[_FUTEX] = 0
        return self._look(poller) if key == TIMEOUT else key

    def wait(self, poller: RawPoller | None, spin_ns: int, yields: int, timeout_ns: int, /) -> int:
        if poller is not None and not isinstance(poller, Poller):
            raise TypeError(f"a Poller of {__name__} or None, not {poller!r}")
        if timeout_ns < 0:
            raise ValueError(f"a wait is bounded: timeout_ns {timeout_ns}")
        key = self._look(poller)
        now = time.monotonic_ns()
        end = now + timeout_ns
        spun = now + min(spin_ns, timeout_ns)
        while key == TIMEOUT and time.monotonic_ns() < spun:
            key = self._look(poller)
        for _ in range(yields if timeout_ns else 0):
            if key != TIMEOUT:
                return key
            os.sched_yield()
            key = self._look(poller)
        while key == TIMEOUT and (left := end - time.monotonic_ns()) > 0:
            key = self._sleep(poller, left)
        return key


def _own_bell(bell: RawBell | None) -> Bell | None:
    if bell is not None and not isinstance(bell, Bell):
        raise TypeError(f"a Bell of {__name__} or None, not {bell!r}")
    return bell


def _direction(lines: RawLines, first: int, slots: int) -> Lines:
    own = _own(lines)
    if slots < 1 or first < 0 or first + ring.direction(slots) > own.count:
        raise ValueError(f"a ring of {slots} slots does not fit at line {first} of {own.count}")
    return own


class Sender:
    """See `shared.RawSender`."""

    def __init__(self, lines: RawLines, first: int, slots: int, bell: RawBell | None = None, start: int = 0) -> None:
        own = _direction(lines, first, slots)
        self._words = own.words
        self._view = own.view
        self._bell = _own_bell(bell)
        self._first = first
        self._slots = slots
        self._sent = start
        self._acked = start
        self._slot = start % slots

    def put(self, payload: bytes, /) -> bool:
        if not self._write(payload):
            return False
        if self._bell is not None:
            self._bell.ring()
        return True

    def put_batch(self, payloads: Sequence[bytes], /) -> int:
        count = 0
        try:
            for payload in payloads:
                if not self._write(payload):
                    break
                count += 1
        finally:
            if count and self._bell is not None:
                self._bell.ring()
        return count

    def _write(self, payload: bytes) -> bool:
        length = len(payload)
        if length > PAYLOAD:
            ring.check_payload(payload)
        sent = self._sent
        if sent - self._acked == self._slots:
            word = self._words[(self._first + self._slots) * _WORDS]
            self._acked = ring.acknowledged(word, self._acked, sent)
            if sent - self._acked == self._slots:
                return False
        line = self._first + self._slot
        at = line * LINE + 8
        self._view[at : at + length] = payload
        self._words[line * _WORDS] = sent % _SEQUENCES + 1 | length << 32
        self._sent = sent + 1
        self._slot = self._slot + 1 if self._slot + 1 < self._slots else 0
        return True

    def room(self) -> tuple[int, int]:
        return self._first + self._slots, self._acked


class Receiver:
    """See `shared.RawReceiver`."""

    def __init__(self, lines: RawLines, first: int, slots: int, bell: RawBell | None = None, start: int = 0) -> None:
        own = _direction(lines, first, slots)
        self._words = own.words
        self._view = own.view
        self._bell = _own_bell(bell)
        self._first = first
        self._slots = slots
        self._interval = ring.ack_interval(slots)
        self._taken = start
        self._slot = start % slots
        self._seen = 0

    def take(self) -> bytes | None:
        taken = self._taken
        line = self._first + self._slot
        word = self._words[line * _WORDS]
        if word == self._seen:
            return None
        length = ring.arrived(word, taken, self._slots)
        if length < 0:
            self._seen = word
            return None
        at = line * LINE + 8
        payload = self._view[at : at + length].tobytes()
        self._seen = 0
        self._taken = taken + 1
        self._slot = self._slot + 1 if self._slot + 1 < self._slots else 0
        if self._taken % self._interval == 0:
            self._words[(self._first + self._slots) * _WORDS] = self._taken
            if self._bell is not None:
                self._bell.ring()
        return payload

    def take_batch(self, most: int, /) -> list[bytes]:
        taken: list[bytes] = []
        try:
            while len(taken) < min(most, self._slots) and (payload := self.take()) is not None:
                taken.append(payload)
        except PeerError:
            if not taken:
                raise
        return taken

    def count(self) -> int:
        return self._taken

    def watch(self) -> tuple[int, int]:
        return self._first + self._slot, self._seen
