"""The halves of rings in C against those of `ring.py`: the same answers, errors, loads and stores.

Here every load and store leaves, and is on record; `test_hand.py` has whole kernels, where most do not.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import mk_sim.engine as chosen
from mk_sim.coherence import Coherence
from mk_sim.engine import Engine
from mk_sim.hand import Hand, HandMemory, HandWindow, hand_of
from mk_sim.parameters import derive
from multikernel import assemble
from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import RingReceiver, RingSender
from multikernel.system.operations import LoadLine, StoreLine
from multikernel.system.ring import Receiver, Sender, ack_interval, direction

pytestmark = pytest.mark.skipif(chosen.FOUND.module is None, reason="there are no halves in C here")
PARAMETERS = derive(assemble("x86-qemu", platform="sim"))
PAYLOADS = st.binary(max_size=56)


class Bench:
    """A window of a hand on core 0, and who carries out the operations that leave: memory of the test's own, so that
    each load and store is on record.  Nothing is in the caches, and no time slice is left, so everything leaves."""

    def __init__(self, count: int) -> None:
        engine = Engine(0)
        coherence = Coherence(engine, PARAMETERS)
        hand = hand_of(coherence, 0, engine.actor(0), {}, {}, {}, 1000, plain=True)
        assert isinstance(hand, Hand)
        hand.pending = True
        window = hand.window(0, count, True)
        assert isinstance(window, HandWindow)
        self.window = window
        self.lines = [bytes(64)] * count
        self.done: list[tuple[str, int, bytes]] = []

    def run(self, awaited: Awaitable[object]) -> object:
        """What it gives, or the error that it raises."""

        async def code() -> object:
            return await awaited

        steps, sent = code(), None
        while True:
            try:
                operation = steps.send(sent)
            except StopIteration as stop:
                return stop.value
            except (LocalMisuse, PeerError) as refusal:
                return type(refusal), str(refusal)
            index = operation.address // 64
            if isinstance(operation, StoreLine):
                self.lines[index], sent = operation.data, None
            else:
                assert isinstance(operation, LoadLine)
                sent = self.lines[index]
            self.done.append((type(operation).__name__, index, self.lines[index]))


class Pair(NamedTuple):
    """The halves of one ring, over a bench of their own."""

    bench: Bench
    sender: RingSender
    receiver: RingReceiver

    def watches(self) -> list[tuple[int, int]]:
        return [(watch.index, watch.word) for watch in (self.sender.room(), self.receiver.watch())]


def pair(slots: int, native: bool, first: int = 1) -> Pair:
    bench = Bench(first + direction(slots))
    if native:
        memory = HandMemory(bench.window)
        return Pair(bench, memory.sender(first, slots), memory.receiver(first, slots))
    return Pair(bench, Sender(bench.window, first, slots), Receiver(bench.window, first, slots))


STEPS = st.lists(st.one_of(st.none(), PAYLOADS, st.tuples(st.integers(0, 8), st.integers(0, 2**64 - 1))), max_size=30)
"""None takes, bytes are put, a pair is a word that somebody writes into a line."""


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 7), STEPS)
@example(2, [b"a", b"b", (3, 5), b"more was acknowledged than was sent"])
@example(2, [b"a", b"b", None, b"c", (3, 0), b"less was acknowledged than before"])
def test_whatever_happens_both_do_the_same(slots: int, steps: list[bytes | tuple[int, int] | None]) -> None:
    found = []
    for native in (True, False):
        ring, told = pair(slots, native), []
        for step in steps:
            if isinstance(step, tuple):
                line, word = step
                ring.bench.lines[line % len(ring.bench.lines)] = word.to_bytes(8, "little").ljust(64, b"\1")
            else:
                told.append(ring.bench.run(ring.receiver.take() if step is None else ring.sender.put(step)))
                told.append(ring.watches())
        found.append((told, ring.bench.done))
    assert found[0] == found[1]


@pytest.mark.parametrize("native", [True, False])
def test_a_window_goes_round(native: bool) -> None:
    ring, slots = pair(4, native), 4
    for number in range(40):
        assert ring.bench.run(ring.sender.put(bytes([number]))) is True
        assert ring.bench.run(ring.receiver.take()) == bytes([number])
        assert ring.bench.run(ring.receiver.take()) is None
    acks = [int.from_bytes(data[:8], "little") for kind, index, data in ring.bench.done
            if kind == "StoreLine" and index == 1 + slots]  # fmt: skip
    assert acks == list(range(ack_interval(slots), 41, ack_interval(slots)))


def test_one_thing_at_a_time() -> None:
    ring = pair(4, True)
    ring.sender.put(b"never awaited")
    with pytest.raises(LocalMisuse, match="does one thing at a time"):
        ring.sender.put(b"next")


def test_a_message_of_more_than_a_line_is_refused() -> None:
    ring = pair(4, True)
    with pytest.raises(LocalMisuse, match="at most 56 bytes, not 57"):
        ring.sender.put(bytes(57))
    assert ring.bench.run(ring.sender.put(bytes(56))) is True


@pytest.mark.parametrize(("first", "slots"), [(-1, 4), (0, 0), (3, 6), (9, 1)])
def test_a_ring_that_does_not_fit_is_refused(first: int, slots: int) -> None:
    memory = HandMemory(Bench(9).window)
    with pytest.raises(IndexError, match="does not fit a window of 9"):
        memory.sender(first, slots)
    with pytest.raises(IndexError, match="does not fit a window of 9"):
        memory.receiver(first, slots)
