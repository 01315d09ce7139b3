"""The ring's layout and its reference halves, against a model that is a deque."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Coroutine
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import LINE, PAYLOAD, Watch
from multikernel.system.ring import Receiver, Sender, ack_interval, direction, header, sequence

T = TypeVar("T")


def run(coroutine: Awaitable[T]) -> T:
    """The result of a coroutine that never suspends."""
    assert isinstance(coroutine, Coroutine)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it suspended")


class PlainLines:
    """Coherent lines in a list, on which every operation is done at once."""

    coherent = True

    def __init__(self, count: int) -> None:
        self.count = count
        self.lines = [bytes(LINE)] * count
        self.loads = 0

    async def load(self, index: int) -> bytes:
        self.loads += 1
        return self.lines[index]

    async def store(self, index: int, line: bytes) -> None:
        assert len(line) == LINE
        self.lines[index] = line

    async def clean(self, index: int) -> None:
        raise AssertionError("a ring over coherent lines cleans nothing")

    async def invalidate(self, index: int) -> None:
        raise AssertionError("a ring over coherent lines invalidates nothing")

    async def fence(self) -> None:
        raise AssertionError("a ring needs no fence")


def fires(watch: Watch) -> bool:
    assert isinstance(watch.lines, PlainLines)
    return int.from_bytes(watch.lines.lines[watch.index][:8], "little") != watch.word


class RingMachine(RuleBasedStateMachine):
    """Sender and receiver against a deque: in order, once, never lost, refused exactly when full."""

    @initialize(
        slots=st.integers(1, 9), first=st.integers(0, 3), start=st.sampled_from([0, 1, 2**32 - 7, 2**32 - 2, 2**33])
    )
    def make(self, slots: int, first: int, start: int) -> None:
        self.slots = slots
        self.lines = PlainLines(first + direction(slots) + 2)
        self.ack = first + slots
        self.lines.lines[self.ack] = start.to_bytes(8, "little").ljust(LINE, b"\0")
        self.untouched = [*range(first), *range(self.ack + 1, self.lines.count)]
        self.sender = Sender(self.lines, first, slots, start)
        self.receiver = Receiver(self.lines, first, slots, start)
        self.flight: deque[bytes] = deque()
        self.sent = self.taken = start

    def acked(self) -> int:
        return int.from_bytes(self.lines.lines[self.ack][:8], "little")

    @rule(payload=st.binary(max_size=PAYLOAD))
    def put(self, payload: bytes) -> None:
        full = self.sent - self.acked() == self.slots
        assert run(self.sender.put(payload)) is not full
        if full:
            assert not fires(self.sender.room())
        else:
            self.flight.append(payload)
            self.sent += 1

    @rule()
    def take(self) -> None:
        expected = self.flight.popleft() if self.flight else None
        assert run(self.receiver.take()) == expected
        if expected is None:
            assert not fires(self.receiver.watch())
        else:
            self.taken += 1

    @precondition(lambda self: self.flight)
    @rule()
    def a_message_is_seen(self) -> None:
        assert fires(self.receiver.watch())

    @rule()
    def drain(self) -> None:
        while self.flight:
            self.take()
        assert run(self.sender.put(b"after a drain there is room"))
        self.flight.append(b"after a drain there is room")
        self.sent += 1

    @invariant()
    def counts(self) -> None:
        if hasattr(self, "slots"):
            assert self.acked() <= self.taken <= self.sent <= self.acked() + self.slots
            assert self.taken - self.acked() < ack_interval(self.slots)
            assert all(self.lines.lines[index] == bytes(LINE) for index in self.untouched)


RingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRing = RingMachine.TestCase


@given(st.integers(0, 2**40), st.integers(0, PAYLOAD))
def test_a_header_holds_sequence_and_length_and_is_never_that_of_a_fresh_line(index: int, length: int) -> None:
    word = header(index, length)
    assert word & 0xFFFF_FFFF == sequence(index)
    assert word >> 32 == length
    assert 0 < word < 1 << 40


def test_sequence_numbers_begin_at_1_and_skip_0() -> None:
    assert [sequence(index) for index in (0, 1, 2**32 - 2, 2**32 - 1)] == [1, 2, 2**32 - 1, 1]


def test_the_bytes_of_a_message() -> None:
    lines = PlainLines(direction(2))
    sender = Sender(lines, 0, 2)
    for payload in (b"a", b"bc"):
        assert run(sender.put(payload))
    assert lines.lines[0] == bytes([1, 0, 0, 0, 1, 0, 0, 0]) + b"a" + bytes(55)
    assert lines.lines[1] == bytes([2, 0, 0, 0, 2, 0, 0, 0]) + b"bc" + bytes(54)
    assert lines.lines[2] == bytes(LINE)


def test_the_ack_line_is_read_only_when_the_window_is_full() -> None:
    lines = PlainLines(direction(4))
    sender = Sender(lines, 0, 4)
    for _ in range(4):
        assert run(sender.put(b""))
    assert lines.loads == 0
    assert not run(sender.put(b""))
    assert lines.loads == 1


def test_a_payload_of_57_bytes_is_refused_and_nothing_is_written() -> None:
    lines = PlainLines(direction(1))
    with pytest.raises(LocalMisuse, match="at most 56 bytes, not 57"):
        run(Sender(lines, 0, 1).put(bytes(57)))
    assert lines.lines == [bytes(LINE)] * 2


@pytest.mark.parametrize("word", [2, 1 | 57 << 32, 1 | 1 << 40, 1 << 32, 7])
def test_a_line_of_another_layout_is_the_peers_fault(word: int) -> None:
    lines = PlainLines(direction(4))
    lines.lines[0] = word.to_bytes(8, "little").ljust(LINE, b"\0")
    with pytest.raises(PeerError, match="line 0 of the ring holds header"):
        run(Receiver(lines, 0, 4).take())


def test_an_acknowledgement_of_what_was_not_sent_is_the_peers_fault() -> None:
    lines = PlainLines(direction(1))
    sender = Sender(lines, 0, 1)
    assert run(sender.put(b""))
    lines.lines[1] = (2).to_bytes(8, "little").ljust(LINE, b"\0")
    with pytest.raises(PeerError, match="acknowledged 2 messages, after 0 of 1 sent"):
        run(sender.put(b""))
