"""The conformance suite fails on transports that break their promises, each in the test meant for it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from mk_ncring.transport import NonCoherentRing
from mk_ump.transport import Ump, UmpEndpoint
from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import ChannelMemory, Lines, RingReceiver, RingSender, Watch
from multikernel.system import ring
from multikernel.system.words import EVERY, NATIVE, Registers, Words, lay_down, pick_up
from multikernel.testing.memory import LostWakeUp
from multikernel.testing.transports import TransportConformance


class Faulty(UmpEndpoint):
    """An endpoint over rings; subclasses break one thing."""

    def __init__(self, sender: RingSender, receiver: RingReceiver, slots: int, lines: Lines) -> None:
        super().__init__(sender, receiver, slots)
        self.good_send, self.good_poll = sender.put, receiver.take
        self.lines, self.slots, self.count = lines, slots, 0
        for name in ("try_send", "poll"):  # UmpEndpoint binds the halves' own methods
            broken: Callable[..., Awaitable[object]] | None = getattr(self, f"broken_{name}", None)
            if broken is not None:
                setattr(self, name, broken)


class Loses(Faulty):
    async def broken_try_send(self, payload: bytes) -> bool:
        self.count += 1
        return True if self.count % 7 == 0 and len(payload) <= 56 else await self.good_send(payload)


class Doubles(Faulty):
    held: bytes | None = None

    async def broken_poll(self) -> bytes | None:
        if self.held is not None:
            payload, self.held = self.held, None
            return payload
        payload = await self.good_poll()
        self.count += payload is not None
        if self.count % 5 == 4:
            self.held = payload
        return payload


class Swaps(Faulty):
    async def broken_poll(self) -> bytes | None:
        first = await self.good_poll()
        second = await self.good_poll() if first is not None else None
        if second is None:
            return first
        self.held = first
        return second


class RefusesAfterWriting(Faulty):
    async def broken_try_send(self, payload: bytes) -> bool:
        accepted = await self.good_send(payload)
        if not accepted:
            await self.lines.store(0, b"\x01" * 64)
        return accepted


class Truncates(Faulty):
    async def broken_try_send(self, payload: bytes) -> bool:
        return await self.good_send(payload[:56])


class Strips(Faulty):
    async def broken_poll(self) -> bytes | None:
        payload = await self.good_poll()
        return payload if payload is None else payload.rstrip(b"\0")


class Dozes(Faulty):
    def watch(self) -> Watch:
        return replace(super().watch(), index=self.slots)  # the ack line: true too late


class Spins(Faulty):
    def watch(self) -> Watch:
        return replace(super().watch(), word=1 << 63)


class NeverHasRoom(Faulty):
    def room(self) -> Watch:
        return replace(super().room(), index=0)


class Trusts(Faulty):
    async def broken_poll(self) -> bytes | None:
        try:
            return await self.good_poll()
        except PeerError:
            return None


class Crashes(Faulty):
    async def broken_poll(self) -> bytes | None:
        try:
            return await self.good_poll()
        except PeerError as error:
            raise KeyError(str(error)) from None


class Boasts(Faulty):
    def __init__(self, sender: RingSender, receiver: RingReceiver, slots: int, lines: Lines) -> None:
        super().__init__(sender, receiver, slots, lines)
        self.ack_interval = 1


def suite(endpoint: type[Faulty]) -> TransportConformance:
    class Transport(Ump):
        def open(self, memory: ChannelMemory, slots: int, side: int) -> UmpEndpoint:
            mine, theirs = (0, ring.direction(slots)) if side == 0 else (ring.direction(slots), 0)
            return endpoint(memory.sender(mine, slots), memory.receiver(theirs, slots), slots, memory.lines)

    return type("Suite", (TransportConformance,), {"factory": Transport})()


def interleaved(conformance: TransportConformance, examples: int = 200) -> None:
    """What hypothesis does, without its search for the smallest example."""
    draw, kinds = random.Random(1), random.Random(2)
    body = TransportConformance.test_messages_arrive_once_in_order_however_the_sides_interleave
    for _ in range(examples):
        there, back = ([draw.randbytes(draw.randrange(57)) for _ in range(draw.randrange(30))] for _ in range(2))
        choices = [draw.randrange(8 * 64) for _ in range(draw.randrange(300))]
        slots, coherent = draw.choice([1, 2, 3, 4, 8]), draw.random() < 0.5
        peers = (kinds.choice(EVERY), kinds.choice(EVERY))
        body.hypothesis.inner_test(conformance, there, back, slots, choices, coherent, peers)


def queues(conformance: TransportConformance, examples: int = 200) -> None:
    draw = random.Random(1)
    for _ in range(examples):
        steps = [(draw.randrange(4), draw.randbytes(draw.randrange(57))) for _ in range(120)]
        body = TransportConformance.test_a_channel_is_two_queues
        peers = (draw.choice(EVERY), draw.choice(EVERY))
        body.hypothesis.inner_test(conformance, steps, draw.choice([1, 2, 3, 4, 8]), peers)


@pytest.mark.parametrize("fault", [Loses, Doubles, Swaps])
def test_faults_of_delivery(fault: type[Faulty]) -> None:
    with pytest.raises(AssertionError):
        interleaved(suite(fault))
    with pytest.raises(AssertionError):
        queues(suite(fault))


def test_stripped_zeros() -> None:
    with pytest.raises(AssertionError):
        suite(Strips).test_every_length_arrives()


def test_writing_what_was_refused() -> None:
    with pytest.raises(AssertionError):
        suite(RefusesAfterWriting).test_a_full_window_refuses_and_writes_nothing(3)


def test_payloads_cut_short() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        suite(Truncates).test_a_payload_of_more_than_a_line_is_refused()


def test_lost_wake_ups() -> None:
    for fault in (Dozes, NeverHasRoom):
        with pytest.raises(LostWakeUp):
            interleaved(suite(fault))
    with pytest.raises(AssertionError, match="would not be woken"):
        suite(Dozes).test_the_watch_is_true_when_a_message_is_there_and_not_before(3)


def test_a_watch_that_is_always_true() -> None:
    with pytest.raises(AssertionError, match="would not block"):
        suite(Spins).test_the_watch_is_true_when_a_message_is_there_and_not_before(3)


def test_garbage_taken_for_silence() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        suite(Trusts).test_a_line_of_no_message_is_told(b"\xff")


def test_garbage_that_crashes() -> None:
    body = TransportConformance.test_garbage_is_the_peers_fault_or_nothing
    with pytest.raises(KeyError):
        body.hypothesis.inner_test(suite(Crashes), b"\xff" * 64, 4, 1, (NATIVE, NATIVE))


def test_an_interval_that_is_not_kept() -> None:
    with pytest.raises(AssertionError, match="no room after 1"):
        suite(Boasts).test_the_interval_of_acknowledgement_is_true(8)


def test_a_ring_for_coherent_memory_fails_where_there_is_none() -> None:
    careless = type("Suite", (TransportConformance,), {"factory": Ump, "non_coherent": True})()
    with pytest.raises(AssertionError):
        interleaved(careless)


@pytest.mark.parametrize("forgotten", ["clean", "invalidate"])
def test_maintenance_forgotten(forgotten: str) -> None:
    class Lazy:
        coherent = False

        def __init__(self, lines: Lines) -> None:
            self._lines, self.count = lines, lines.count
            self.load, self.store, self.fence = lines.load, lines.store, lines.fence
            self.clean, self.invalidate = lines.clean, lines.invalidate
            setattr(self, forgotten, self._nothing)

        async def _nothing(self, index: int) -> None:
            return

    class Transport(NonCoherentRing):
        def open(self, memory: ChannelMemory, slots: int, side: int):  # type: ignore[no-untyped-def]
            return super().open(ring.LinesMemory(Lazy(memory.lines)), slots, side)

    careless = type("Suite", (TransportConformance,), {"factory": Transport, "non_coherent": True})()
    with pytest.raises(AssertionError):
        interleaved(careless)


class Unturned(Registers):
    """A big-endian core's conversion without turning bytes round."""

    __slots__ = ()

    def split(self, line: bytes) -> Words:
        return Registers(self.bits, "little").split(line)

    def join(self, words: Sequence[int]) -> bytes:
        return Registers(self.bits, "little").join(words)


class HighFirst(Registers):
    """A 32-bit core's, with the halves of a wire word the wrong way about."""

    __slots__ = ()

    def split(self, line: bytes) -> Words:
        return exchanged(super().split(line))

    def join(self, words: Sequence[int]) -> bytes:
        return super().join(exchanged(words))


class LowOnly(Registers):
    """A 32-bit core's that keeps what fits one register of a wire word."""

    __slots__ = ()

    def split(self, line: bytes) -> Words:
        return tuple(0 if place % 2 else word for place, word in enumerate(super().split(line)))


class Unconverted(Registers):
    """None at all: the line's bytes as a C program would copy them, read again as its own integers."""

    __slots__ = ()

    def join(self, words: Sequence[int]) -> bytes:
        size = self.bits // 8
        return b"".join(word.to_bytes(size, "little") for word in words)

    def split(self, line: bytes) -> Words:
        size = self.bits // 8
        return tuple(int.from_bytes(line[at : at + size], "little") for at in range(0, 64, size))


def exchanged(words: Sequence[int]) -> Words:
    return tuple(word for at in range(0, len(words), 2) for word in (words[at + 1], words[at]))


@pytest.mark.parametrize(
    "broken",
    [
        Unturned(64, "big"),
        Unturned(32, "big"),
        HighFirst(32, "little"),
        HighFirst(32, "big"),
        LowOnly(32, "little"),
        LowOnly(32, "big"),
        Unconverted(64, "big"),
        Unconverted(32, "big"),
    ],
    ids=lambda broken: f"{type(broken).__name__}-{broken.endian}{broken.bits}",
)
@pytest.mark.parametrize("transport", [Ump, NonCoherentRing])
def test_a_conversion_left_out_or_broken(broken: Registers, transport: type[Ump] | type[NonCoherentRing]) -> None:
    """Also when both sides leave it out alike, and would understand each other."""
    conformance = type("Suite", (TransportConformance,), {"factory": transport})()
    body = conformance.test_cores_of_any_word_size_and_byte_order_understand_each_other
    for peers in ((broken, NATIVE), (NATIVE, broken), (broken, broken)):
        with pytest.raises((AssertionError, PeerError)):
            body(*peers)


@pytest.mark.parametrize("own", EVERY, ids=lambda own: f"{own.endian}{own.bits}")
def test_words_are_what_the_cores_instructions_move(own: Registers) -> None:
    """By hand: the first wire word is 0x0706050403020100, and lies there lowest byte first."""
    first = {
        (64, "little"): (0x0706050403020100,),
        (64, "big"): (0x0001020304050607,),
        (32, "little"): (0x03020100, 0x07060504),
        (32, "big"): (0x00010203, 0x04050607),
    }[own]
    line = bytes(range(64))
    assert own.split(line)[: len(first)] == first
    assert lay_down(own, own.split(line)) == line
    assert own.join(pick_up(own, line)) == line
    assert own.first(line) == 0x0706050403020100
    for words in ((1 << own.bits, *own.split(line)[1:]), (-1, *own.split(line)[1:])):
        with pytest.raises(LocalMisuse, match="does not fit a register"):
            lay_down(own, words)
    with pytest.raises(LocalMisuse, match="words of"):
        lay_down(own, own.split(line)[1:])


def test_a_sound_transport_passes_them_all() -> None:
    sound = suite(Faulty)
    sound.test_cores_of_any_word_size_and_byte_order_understand_each_other(EVERY[1], EVERY[2])
    interleaved(sound)
    queues(sound)
