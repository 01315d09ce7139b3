"""What every transport must do, as a test class to subclass.

    from multikernel.testing.transports import TransportConformance

    class TestMine(TransportConformance):
        factory = Mine                  # Callable[[], Transport]
        name = "mine"                   # as installed; adds the tests in a booted kernel
        non_coherent = True             # it promises to work where caches are not kept coherent
        over = DmaMemory                # over a device: its model and each side's memory (`testing/devices.py`)

The first tests run the endpoints over a model of channel memory (`testing/memory.py`), with the two sides
interleaved at every access, stores that become visible late and, where caches are not coherent, stale
copies and lines fetched or given up at any time; a queue is what the channel is compared with.  The sides'
cores have registers of every word size and byte order, each side behind its own conversion
(`system/words.py`), and what lies in memory has to be the same whatever they are.  The last boots a kernel
and runs the program `conform` in it.  Its board is `board`, where NAME stands for the transport; set another
for a transport that does not serve coherent cores of one machine.

Needs pytest and hypothesis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multikernel.errors import LocalMisuse, PeerError, PlatformError
from multikernel.interfaces import LINE, PAYLOAD, Endpoint, Transport
from multikernel.system.words import EVERY, NATIVE, Registers
from multikernel.testing.memory import Schedule, SharedMemory, Waiting, run

CHOICES = st.lists(st.integers(0, 8 * 64 - 1), max_size=300)
PAYLOADS = st.lists(st.binary(max_size=PAYLOAD), max_size=30)
WINDOWS = st.sampled_from([1, 2, 3, 4, 8])
PEERS = st.tuples(st.sampled_from(EVERY), st.sampled_from(EVERY))
# The same inherited tests run for each subclass; that is the purpose.
_settings = settings(
    deadline=None,
    max_examples=60,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.differing_executors],
)

BOARD = "extends: x86-qemu\nname: conformance\nbind: {transport: NAME}\n"
"""Two nodes of cores, every pair over the transport under test."""


class TransportConformance:
    """See the module."""

    factory: ClassVar[Callable[[], Transport]]
    name: ClassVar[str] = ""
    non_coherent: ClassVar[bool] = False
    board: ClassVar[str] = BOARD
    over: ClassVar[type[SharedMemory]] = SharedMemory

    def channel(
        self, slots: int, coherent: bool = True, peers: tuple[Registers, Registers] = (NATIVE, NATIVE)
    ) -> tuple[SharedMemory, Endpoint, Endpoint]:
        """A fresh channel between cores with the registers `peers`: its memory and both endpoints."""
        transport = type(self).factory()
        memory = type(self).over(transport.lines(slots), coherent, peers)
        a, b = (transport.open(memory.channel(side), slots, side) for side in (0, 1))
        return memory, a, b

    def memories(self) -> tuple[bool, ...]:
        """The kinds of memory promised: coherent, and not."""
        return (True, False) if self.non_coherent else (True,)

    # Delivery

    @_settings
    @given(there=PAYLOADS, back=PAYLOADS, slots=WINDOWS, choices=CHOICES, coherent=st.booleans(), peers=PEERS)
    def test_messages_arrive_once_in_order_however_the_sides_interleave(
        self,
        there: list[bytes],
        back: list[bytes],
        slots: int,
        choices: list[int],
        coherent: bool,
        peers: tuple[Registers, Registers],
    ) -> None:
        memory, a, b = self.channel(slots, coherent or not self.non_coherent, peers)
        got: tuple[list[bytes], list[bytes]] = ([], [])
        sides = (_talk(a, there, got[0], len(back)), _talk(b, back, got[1], len(there)))
        Schedule(memory, sides).run(choices)
        assert got[1] == there
        assert got[0] == back

    @_settings
    @given(
        steps=st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=PAYLOAD)), max_size=120),
        slots=WINDOWS,
        peers=PEERS,
    )
    def test_a_channel_is_two_queues(
        self, steps: list[tuple[int, bytes]], slots: int, peers: tuple[Registers, Registers]
    ) -> None:
        """Every call alone, against a queue each way; what may be refused is said by the queue."""
        for coherent in self.memories():
            memory, *ends = self.channel(slots, coherent, peers)
            queues: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
            taken = [0, 0]
            for step, payload in steps:
                side, receives = step % 2, step // 2
                endpoint = ends[side]
                if receives:
                    expected = queues[1 - side].popleft() if queues[1 - side] else None
                    assert run(endpoint.poll()) == expected
                    taken[1 - side] += expected is not None
                else:
                    unacknowledged = len(queues[side]) + taken[side] % endpoint.ack_interval
                    if run(endpoint.try_send(payload)):
                        queues[side].append(payload)
                        assert len(queues[side]) <= slots, "more is under way than the window holds"
                    else:
                        assert unacknowledged >= slots, "refused although there was room"
                memory.settle()

    def test_every_length_arrives(self) -> None:
        for coherent in self.memories():
            memory, a, b = self.channel(4, coherent)
            for length in range(PAYLOAD + 1):
                for payload in (bytes(length), b"\xff" * length):
                    assert run(a.try_send(payload))
                    memory.settle()
                    assert run(b.poll()) == payload

    @pytest.mark.parametrize("there", EVERY, ids=lambda own: f"{own.endian}{own.bits}")
    @pytest.mark.parametrize("here", EVERY, ids=lambda own: f"{own.endian}{own.bits}")
    def test_cores_of_any_word_size_and_byte_order_understand_each_other(
        self, here: Registers, there: Registers
    ) -> None:
        """Messages both ways between cores with registers `here` and `there`; memory holds the same bytes as
        between two cores whose registers are the wire's."""
        for coherent in self.memories():
            memory, a, b = self.channel(2, coherent, (here, there))
            plain, plain_a, plain_b = self.channel(2, coherent)
            for length in range(PAYLOAD + 1):
                payload = bytes(range(length + 1, 2 * length + 1))
                for side, sender, receiver, like in ((1, a, b, plain_a), (0, b, a, plain_b)):
                    assert run(receiver.poll()) is None
                    assert not memory.true(side, receiver.watch()), "the receiver would not block but spin"
                    assert run(sender.try_send(payload)), "refused although there was room"
                    run(like.try_send(payload))
                    memory.settle()
                    plain.settle()
                    assert memory.true(side, receiver.watch()), "the receiver would not be woken"
                    assert memory.snapshot() == plain.snapshot(), "memory does not hold wire order"
                    assert run(receiver.poll()) == payload
                    run((plain_b if side else plain_a).poll())
                    memory.settle()
                    plain.settle()

    # Refusal

    @pytest.mark.parametrize("slots", [1, 2, 3, 8])
    def test_a_full_window_refuses_and_writes_nothing(self, slots: int) -> None:
        for coherent in self.memories():
            memory, a, b = self.channel(slots, coherent)
            for number in range(slots):
                assert run(a.try_send(b"%d" % number)), f"message {number} of a window of {slots} was refused"
            memory.settle()
            before = memory.snapshot()
            for _ in range(3):
                assert run(a.try_send(b"over")) is False
                assert memory.snapshot() == before
            assert [run(b.poll()) for _ in range(slots)] == [b"%d" % number for number in range(slots)]
            assert run(b.poll()) is None

    @pytest.mark.parametrize("slots", [1, 2, 3, 8])
    def test_the_interval_of_acknowledgement_is_true(self, slots: int) -> None:
        for coherent in self.memories():
            memory, a, b = self.channel(slots, coherent)
            assert a.ack_interval == b.ack_interval
            assert 1 <= b.ack_interval <= slots, "a full window would never open again"
            for _ in range(slots):
                assert run(a.try_send(b"fill"))
            memory.settle()
            for _ in range(3 * slots):
                assert run(a.try_send(b"over")) is False
                room = a.room()
                assert not memory.true(0, room), "the sender would not wait for room but spin"
                for _ in range(b.ack_interval):
                    assert run(b.poll()) == b"fill"
                memory.settle()
                assert memory.true(0, room), f"no room after {b.ack_interval} messages were taken"
                for _ in range(b.ack_interval):
                    assert run(a.try_send(b"fill"))
                memory.settle()

    def test_a_payload_of_more_than_a_line_is_refused(self) -> None:
        for coherent in self.memories():
            memory, a, b = self.channel(4, coherent)
            before = memory.snapshot()
            for length in (PAYLOAD + 1, LINE, 4096):
                with pytest.raises(LocalMisuse, match=str(PAYLOAD)):
                    run(a.try_send(bytes(length)))
            assert memory.snapshot() == before
            assert run(b.poll()) is None

    # Waiting

    @pytest.mark.parametrize("slots", [1, 3, 8])
    def test_the_watch_is_true_when_a_message_is_there_and_not_before(self, slots: int) -> None:
        for coherent in self.memories():
            memory, a, b = self.channel(slots, coherent)
            for number in range(4 * slots):
                assert run(b.poll()) is None
                watch = b.watch()
                assert not memory.true(1, watch), "the receiver would not block but spin"
                assert run(a.try_send(b"%d" % number))
                memory.settle()
                assert memory.true(1, watch), "the receiver would not be woken"
                assert run(b.poll()) == b"%d" % number
                memory.settle()

    @pytest.mark.parametrize("slots", [2, 3, 8])
    def test_the_watch_is_true_while_messages_are_left(self, slots: int) -> None:
        """Of several that came at once, one is taken before the receiver waits again."""
        for coherent in self.memories():
            memory, a, b = self.channel(slots, coherent)
            assert run(b.poll()) is None
            for number in range(slots):
                assert run(a.try_send(b"%d" % number))
            memory.settle()
            for number in range(slots):
                assert memory.true(1, b.watch()), "the receiver would not be woken"
                assert run(b.poll()) == b"%d" % number
                memory.settle()

    # A peer that breaks the rules

    @_settings
    @given(garbage=st.binary(min_size=LINE, max_size=LINE), slots=WINDOWS, sent=st.integers(0, 3), peers=PEERS)
    def test_garbage_is_the_peers_fault_or_nothing(
        self, garbage: bytes, slots: int, sent: int, peers: tuple[Registers, Registers]
    ) -> None:
        """Any line may hold anything: the only errors are PeerErrors."""
        for place in range(self.channel(slots)[0].places):
            memory, a, b = self.channel(slots, peers=peers)
            for _ in range(min(sent, slots)):
                run(a.try_send(b"x"))
            memory.settle()
            memory.spoil(place, garbage)
            for _ in range(slots + 1):
                try:
                    payload = run(b.poll())
                    run(b.try_send(b"y"))
                except PeerError:
                    break
                assert payload is None or len(payload) <= PAYLOAD

    @pytest.mark.parametrize("byte", [b"\xff", b"\xa5"])
    def test_a_line_of_no_message_is_told(self, byte: bytes) -> None:
        for coherent in self.memories():
            memory, _, b = self.channel(4, coherent)
            assert run(b.poll()) is None
            memory.spoil(memory.place(1, b.watch()), byte * LINE)
            with pytest.raises(PeerError):
                run(b.poll())

    # In a kernel

    def test_in_a_kernel(self, tmp_path: Path) -> None:
        """Over every pair class of a board that uses the transport, on each platform that runs here."""
        if not self.name:
            return
        from multikernel import Multikernel, assemble
        from multikernel.registry import Registry

        registry = Registry.load()
        board = tmp_path / "conformance.yaml"
        board.write_text(self.board.replace("NAME", self.name))
        ran: list[str] = []
        for platform in registry.platforms:
            if platform.kind not in registry.transports.get(self.name).platforms:  # on qemu transports are C
                continue
            blueprint = assemble(str(board), registry, platform.kind)
            assert self.name in {entry.transport for entry in blueprint.pair_classes}
            kernel = Multikernel(blueprint, registry)
            try:
                kernel.boot(platform.name)
            except PlatformError:
                continue
            try:
                rows = kernel.run("conform")
            finally:
                kernel.stop()
            assert self.name in rows.column("transport")
            ran.append(platform.name)
        assert "sim" in ran


async def _talk(endpoint: Endpoint, messages: list[bytes], got: list[bytes], expected: int) -> None:
    """Send all of `messages` and receive `expected`, waiting when nothing else can be done."""
    pending = deque(messages)
    while pending or len(got) < expected:
        progress = False
        if pending and await endpoint.try_send(pending[0]):
            pending.popleft()
            progress = True
        payload = await endpoint.poll()
        if payload is not None:
            got.append(payload)
            progress = True
        if not progress:
            await Waiting(endpoint.watch(), *([endpoint.room()] if pending else []))
