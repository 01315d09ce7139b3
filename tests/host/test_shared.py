"""The C extension and its Python twin: the same behaviour, the same bytes in memory, and each with the other."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mk_host
from mk_host import _ring, fallback
from mk_host.shared import RingModule, load_backend
from multikernel.errors import LocalMisuse, PeerError, PlatformError
from multikernel.interfaces import LINE, PAYLOAD

MODULES: dict[str, RingModule] = {"c": _ring, "python": fallback}
"""The extension must be there: without it most of this file would test nothing, so it fails."""
Fork = Callable[[Callable[[], None]], int]
MS = 1_000_000
pairs = pytest.mark.parametrize(
    ("writer", "reader"), [pytest.param(w, r, id=f"{w}-to-{r}") for w in sorted(MODULES) for r in sorted(MODULES)]
)


@pytest.fixture(params=sorted(MODULES))
def ring(request: pytest.FixtureRequest) -> RingModule:
    """Each of the two modules."""
    return MODULES[request.param]


def test_the_extension_was_compiled_from_this_source() -> None:
    source = Path(mk_host.__file__).with_name("_ring.c").read_bytes()
    assert hashlib.sha256(source).hexdigest() == _ring.SOURCE_HASH


class TestBackend:
    """Which of the two is used, and why."""

    def test_the_extension_where_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MKIT_NO_C", raising=False)
        assert load_backend().native
        assert load_backend().finding.startswith("native")

    def test_the_twin_when_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MKIT_REQUIRE_C", raising=False)
        monkeypatch.setenv("MKIT_NO_C", "1")
        assert not load_backend().native
        assert "MKIT_NO_C=1" in load_backend().finding

    def test_the_twin_is_an_error_when_the_extension_is_required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MKIT_NO_C", "1")
        monkeypatch.setenv("MKIT_REQUIRE_C", "1")
        with pytest.raises(PlatformError, match="MKIT_REQUIRE_C=1"):
            load_backend()

    def test_no_ring_in_python_where_stores_are_not_ordered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MKIT_REQUIRE_C", raising=False)
        monkeypatch.setenv("MKIT_NO_C", "1")
        monkeypatch.setattr("platform.machine", lambda: "aarch64")
        with pytest.raises(PlatformError, match="needs its C extension on aarch64"):
            load_backend()


class TestLines:
    def test_a_line_is_read_as_it_was_written(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 128, 2)
        line = bytes(range(LINE))
        lines.store(1, line)
        assert lines.load(1) == line == mapping[192:256]
        assert lines.load(0) == bytes(LINE)
        assert lines.word(1) == int.from_bytes(line[:8], "little")

    def test_words_by_byte_offset(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 64, 1)
        lines.store_word(56, 2**64 - 1)
        assert lines.load_word(56) == 2**64 - 1
        assert mapping[120:128] == b"\xff" * 8
        assert not lines.compare_and_swap(56, 1, 2)
        assert lines.compare_and_swap(56, 2**64 - 1, 2)
        assert lines.load_word(56) == 2

    @pytest.mark.parametrize(("offset", "count"), [(0, 1025), (64, 1024), (-64, 1), (0, 0), (1, 1), (65536, 1)])
    def test_lines_that_do_not_fit_are_refused(
        self, ring: RingModule, mapping: mmap.mmap, offset: int, count: int
    ) -> None:
        with pytest.raises(ValueError, match=r"do not fit|is not on a line"):
            ring.Lines(mapping, offset, count)

    def test_read_only_memory_is_refused(self, ring: RingModule) -> None:
        with pytest.raises(BufferError):
            ring.Lines(memoryview(bytes(64)), 0, 1)

    def test_bad_places_and_values(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 0, 2)
        for index in (-1, 2):
            with pytest.raises(IndexError, match=f"line {index} of a window of 2"):
                lines.load(index)
            with pytest.raises(IndexError):
                lines.store(index, bytes(LINE))
        for offset in (-8, 4, 128):
            with pytest.raises(IndexError, match="no word at byte"):
                lines.load_word(offset)
        with pytest.raises(ValueError, match="a line is 64 bytes, not 63"):
            lines.store(0, bytes(63))
        with pytest.raises(OverflowError):
            lines.store_word(0, 1 << 64)

    def test_compare_and_swap_is_atomic_between_processes(
        self, ring: RingModule, mapping: mmap.mmap, fork: Fork
    ) -> None:
        lines = ring.Lines(mapping, 0, 1)

        def add() -> None:
            for _ in range(300):
                while not lines.compare_and_swap(0, word := lines.load_word(0), word + 1):
                    pass

        children = [fork(add) for _ in range(3)]
        for child in children:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert lines.load_word(0) == 900


class TestRing:
    """Rings with every writer and every reader."""

    @pairs
    @settings(max_examples=60, deadline=None)
    @given(
        slots=st.integers(1, 9),
        start=st.sampled_from([0, 2**32 - 3, 2**40]),
        steps=st.lists(st.one_of(st.none(), st.binary(max_size=PAYLOAD), st.integers(0, 12)), max_size=60),
    )
    def test_order_window_and_watches(
        self, writer: str, reader: str, slots: int, start: int, steps: list[bytes | int | None]
    ) -> None:
        """A payload is put, None takes one, a number puts and then takes batches of that many."""
        memory = bytearray(64 * 14)
        into, out_of = (MODULES[name].Lines(memory_lines(memory), 0, 12) for name in (writer, reader))
        into.store(1 + slots, start.to_bytes(8, "little").ljust(LINE, b"\0"))
        sender = MODULES[writer].Sender(into, 1, slots, None, start)
        receiver = MODULES[reader].Receiver(out_of, 1, slots, None, start)
        flight: deque[bytes] = deque()
        sent = start
        for step in steps:
            acked = into.word(1 + slots)
            if step is None:
                expected = flight.popleft() if flight else None
                assert receiver.take() == expected
                if expected is None:
                    index, word = receiver.watch()
                    assert out_of.word(index) == word
            elif isinstance(step, bytes):
                assert sender.put(step) is (sent - acked < slots)
                if sent - acked < slots:
                    sent += 1
                    flight.append(step)
                    index, word = receiver.watch()
                    assert out_of.word(index) != word
                else:
                    index, word = sender.room()
                    assert into.word(index) == word
            else:
                batch = [bytes([n]) for n in range(step)]
                count = sender.put_batch(batch)
                assert count == min(step, slots - (sent - acked))
                sent += count
                flight.extend(batch[:count])
                taken = receiver.take_batch(step)
                assert taken == [flight.popleft() for _ in range(min(step, len(flight)))]
        assert receiver.take_batch(slots) == list(flight)
        assert into.word(0) == 0

    @pairs
    def test_between_processes(self, writer: str, reader: str, mapping: mmap.mmap, fork: Fork) -> None:
        """A stream there and back through rings of 5 slots, every payload of its own length."""
        count = 2000

        def echo() -> None:
            ring = MODULES[reader]
            lines = ring.Lines(mapping, 0, 12)
            receiver, sender = ring.Receiver(lines, 0, 5), ring.Sender(lines, 6, 5)
            for _ in range(count):
                while (payload := receiver.take()) is None:
                    os.sched_yield()
                while not sender.put(payload):
                    os.sched_yield()

        fork(echo)
        ring = MODULES[writer]
        lines = ring.Lines(mapping, 0, 12)
        sender, receiver = ring.Sender(lines, 0, 5), ring.Receiver(lines, 6, 5)
        sent = [number.to_bytes(4, "little") * (number % 15) for number in range(count)]
        received: list[bytes] = []
        pending = iter(sent)
        payload = next(pending, None)
        end = time.monotonic() + 60
        while len(received) < count and time.monotonic() < end:
            if payload is not None and sender.put(payload):
                payload = next(pending, None)
            elif (came := receiver.take()) is not None:
                received.append(came)
            else:
                os.sched_yield()
        assert received == sent

    def test_misuse_and_faults(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 0, 8)
        sender = ring.Sender(lines, 0, 2)
        with pytest.raises(LocalMisuse, match="at most 56 bytes, not 57"):
            sender.put(bytes(57))
        with pytest.raises(LocalMisuse):
            sender.put_batch([b"", bytes(57)])
        assert lines.word(0) == 1
        lines.store(2, (9).to_bytes(8, "little").ljust(LINE, b"\0"))
        assert sender.put(b"")
        with pytest.raises(PeerError, match="acknowledged 9 messages, after 0 of 2 sent"):
            sender.put(b"")
        for word in (2, 1 | 57 << 32, 1 | 1 << 40, 1 << 32):
            lines.store(4, word.to_bytes(8, "little").ljust(LINE, b"\0"))
            with pytest.raises(PeerError, match=f"line 0 of the ring holds header {word:#x}, expected message 1"):
                ring.Receiver(lines, 4, 2).take()

    def test_a_fault_behind_good_messages_is_raised_by_the_next_batch(
        self, ring: RingModule, mapping: mmap.mmap
    ) -> None:
        lines = ring.Lines(mapping, 0, 8)
        assert ring.Sender(lines, 0, 4).put_batch([b"a", b"b"]) == 2
        lines.store_word(2 * LINE, 3 | 57 << 32)
        receiver = ring.Receiver(lines, 0, 4)
        assert receiver.take_batch(4) == [b"a", b"b"]
        with pytest.raises(PeerError, match="line 2 of the ring"):
            receiver.take_batch(4)

    @pytest.mark.parametrize(("first", "slots"), [(0, 8), (7, 1), (-1, 1), (0, 0)])
    def test_a_ring_that_does_not_fit_is_refused(
        self, ring: RingModule, mapping: mmap.mmap, first: int, slots: int
    ) -> None:
        lines = ring.Lines(mapping, 0, 8)
        with pytest.raises(ValueError, match="does not fit"):
            ring.Sender(lines, first, slots)
        with pytest.raises(ValueError, match="does not fit"):
            ring.Receiver(lines, first, slots)

    def test_a_half_keeps_its_memory(self, ring: RingModule) -> None:
        memory = bytearray(1024)
        sender = ring.Sender(ring.Lines(memory_lines(memory), 0, 8), 0, 4)
        assert sender.put(b"still there")
        with pytest.raises(BufferError):
            memory.clear()


def memory_lines(memory: bytearray) -> memoryview:
    """The part of `memory` that begins on a line."""
    view = memoryview(memory)
    skip = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % LINE
    return view[skip : len(view) - LINE + skip]


class TestPoller:
    def test_a_watch_is_true_once_its_word_differs(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 0, 16)
        poller = ring.Poller()
        assert poller.poll(0) == ring.TIMEOUT
        for key in range(12):
            poller.arm(key, lines, key, 0)
        assert poller.poll(1000) == ring.TIMEOUT
        lines.store_word(64 * 7, 5)
        assert poller.poll(0) == 7
        poller.arm(7, lines, 7, 5)
        assert poller.poll(0) == ring.TIMEOUT
        lines.store_word(64 * 7, 0)
        assert poller.poll(0) == 7
        assert poller.disarm(7)
        assert not poller.disarm(7)
        assert poller.poll(0) == ring.TIMEOUT

    def test_none_starves(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 0, 5)
        poller = ring.Poller()
        for key in range(5):
            poller.arm(key, lines, key, 1)
        assert sorted(poller.poll(0) for _ in range(5)) == [0, 1, 2, 3, 4]

    def test_misuse(self, ring: RingModule, mapping: mmap.mmap) -> None:
        lines = ring.Lines(mapping, 0, 1)
        poller = ring.Poller()
        with pytest.raises(ValueError, match="a key is not negative, -1 is"):
            poller.arm(-1, lines, 0, 0)
        with pytest.raises(IndexError):
            poller.arm(0, lines, 1, 0)
        other = next(module for module in MODULES.values() if module is not ring)
        with pytest.raises(TypeError):
            poller.arm(0, other.Lines(mapping, 0, 1), 0, 0)


def waited_for_cpu_ns() -> int:
    """How long this process has been runnable without running; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1])
    except FileNotFoundError:
        return 0


class TestBell:
    def test_interrupts_are_pending_until_taken(self, ring: RingModule, mapping: mmap.mmap) -> None:
        bell = ring.Bell(ring.Lines(mapping, 0, 2), 1)
        assert bell.take() == 0
        assert bell.wait(None, 0, 0, 0) == ring.TIMEOUT
        for kind in (0, 7, 7):
            bell.post(kind)
        assert bell.wait(None, 0, 0, 10 * MS) == ring.PENDING
        assert bell.take() == 0b1000_0001
        assert bell.take() == 0
        with pytest.raises(ValueError, match="interrupt 8, there are 8"):
            bell.post(8)

    @pairs
    @pytest.mark.parametrize("spin_ns", [0, 200_000])
    def test_two_sleepers_wake_each_other(
        self, writer: str, reader: str, spin_ns: int, mapping: mmap.mmap, fork: Fork
    ) -> None:
        """Two processes bounce a message, each asleep while the other has it."""

        def bounce(name: str, mine: int, rounds: int) -> None:
            ring = MODULES[name]
            lines = ring.Lines(mapping, 0, 16)
            bell, other = ring.Bell(lines, 14 + mine), ring.Bell(lines, 15 - mine)
            sender = ring.Sender(lines, 3 * mine, 2, other)
            receiver = ring.Receiver(lines, 3 * (1 - mine), 2, other)
            poller = ring.Poller()
            if mine == 0:
                assert sender.put(b"ball")
            for _ in range(rounds):
                while (payload := receiver.take()) is None:
                    index, word = receiver.watch()
                    poller.arm(3, lines, index, word)
                    assert bell.wait(poller, spin_ns, 2, 60_000 * MS) == 3
                assert payload == b"ball"
                assert sender.put(payload)

        rounds = 400
        begin = time.monotonic()
        fork(lambda: bounce(reader, 1, rounds))
        bounce(writer, 0, rounds)
        assert time.monotonic() - begin < 20  # were none to wake the other: 800 sleeps of 50 ms

    def test_no_wake_up_is_lost_between_looking_and_sleeping(self, mapping: mmap.mmap, fork: Fork) -> None:
        """A message comes at every moment around the falling asleep.  One that is lost is found only when
        the sleep ends by itself, after 50 ms.  A busy machine is as slow: what counts is the time since the
        sender rang, without what the sleeper waited for its CPU.  (The twin's sleeps end after 1 ms, so that
        what it can lose is not seen.)"""
        trials = 6000
        lines = _ring.Lines(mapping, 0, 4)
        cpus = sorted(os.sched_getaffinity(0))

        def send() -> None:
            os.sched_setaffinity(0, {cpus[-1]})
            bell = _ring.Bell(lines, 3)
            for trial in range(1, trials + 1):
                while lines.word(0) != trial:
                    pass
                for _ in range(trial % 7):
                    pass
                lines.store_word(LINE, trial)
                bell.ring()
                lines.store_word(2 * LINE, time.monotonic_ns())

        def sleep() -> None:
            os.sched_setaffinity(0, {cpus[0]})
            bell, poller = _ring.Bell(lines, 3), _ring.Poller()
            late = 0
            for trial in range(1, trials + 1):
                poller.arm(0, lines, 1, trial - 1)
                waited = waited_for_cpu_ns()
                begin = time.monotonic_ns()
                lines.store_word(0, trial)
                assert bell.wait(poller, 0, 0, 60_000 * MS) == 0
                end = time.monotonic_ns()
                rung = lines.load_word(2 * LINE)
                late += rung > begin and end - rung - (waited_for_cpu_ns() - waited) > 20 * MS
            assert late <= 2

        fork(send)
        ended = os.waitid(os.P_PID, fork(sleep), os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.si_status == 0

    def test_a_message_between_the_last_look_and_the_sleep_wakes(self, mapping: mmap.mmap) -> None:
        """A signal that comes while a core polls has its handler run where the polling has ended and the core has not
        said yet that it sleeps.  What the handler sends is seen at once, and not after a sleep of 50 ms."""
        lines = _ring.Lines(mapping, 0, 4)
        bell, poller = _ring.Bell(lines, 3), _ring.Poller()
        sent: list[int] = []

        def send(number: int, frame: FrameType | None) -> None:
            lines.store_word(LINE, len(sent) + 1)
            bell.ring()
            sent.append(time.monotonic_ns())

        before = signal.signal(signal.SIGALRM, send)
        trials, late = 20, 0
        try:
            for trial in range(trials):
                poller.arm(0, lines, 1, trial)
                waited = waited_for_cpu_ns()
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                assert bell.wait(poller, 5 * MS, 0, 60_000 * MS) == 0
                assert len(sent) == trial + 1
                late += time.monotonic_ns() - sent[-1] - (waited_for_cpu_ns() - waited) > 20 * MS
        finally:
            signal.signal(signal.SIGALRM, before)
        assert late <= trials // 4

    def test_a_sleeper_is_interrupted(self, ring: RingModule, mapping: mmap.mmap, fork: Fork) -> None:
        def post_later() -> None:
            bell = ring.Bell(ring.Lines(mapping, 0, 1), 0)
            time.sleep(0.02)
            bell.post(2)

        bell = ring.Bell(ring.Lines(mapping, 0, 1), 0)
        fork(post_later)
        assert bell.wait(None, 0, 0, 60_000 * MS) == ring.PENDING
        assert bell.take() == 1 << 2

    def test_a_wait_ends_in_time(self, ring: RingModule, mapping: mmap.mmap) -> None:
        bell = ring.Bell(ring.Lines(mapping, 0, 1), 0)
        begin = time.monotonic_ns()
        assert bell.wait(ring.Poller(), 1000, 16, 80 * MS) == ring.TIMEOUT
        assert 80 * MS <= time.monotonic_ns() - begin < 30_000 * MS
        with pytest.raises(ValueError, match="a wait is bounded"):
            bell.wait(None, 0, 0, -1)

    @pytest.mark.parametrize("spin_ns", [0, 60_000 * MS])
    def test_ctrl_c_ends_a_wait(self, ring: RingModule, mapping: mmap.mmap, spin_ns: int) -> None:
        def interrupt(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        bell = ring.Bell(ring.Lines(mapping, 0, 1), 0)
        before = signal.signal(signal.SIGALRM, interrupt)
        begin = time.monotonic()
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            with pytest.raises(KeyboardInterrupt):
                bell.wait(ring.Poller(), spin_ns, 0, 60_000 * MS)
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            with pytest.raises(KeyboardInterrupt):
                ring.Poller().poll(60_000 * MS)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert time.monotonic() - begin < 30
