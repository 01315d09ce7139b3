"""A channel over a carrier: back-pressure, and a bell rung for what the other side may sleep for."""

from __future__ import annotations

from collections import deque

import pytest

from multikernel.errors import Busy, PeerError
from multikernel.system.channels import Bell, Channel, PeerBell
from multikernel.testing.memory import SharedMemory, run


class Queue:
    """A carrier with a window; what is sent comes back."""

    ack_interval = 2

    def __init__(self, window: int) -> None:
        self.window = window
        self.messages: deque[bytes] = deque()

    async def try_send(self, payload: bytes) -> bool:
        if len(self.messages) >= self.window:
            return False
        self.messages.append(payload)
        return True

    async def poll(self) -> bytes | None:
        return self.messages.popleft() if self.messages else None


class Rig:
    """A channel, and a record of every ring and wait."""

    def __init__(self, window: int) -> None:
        self.carrier = Queue(window)
        self.log: list[str] = []
        memory = SharedMemory(1, coherent=True)
        peer = PeerBell(memory.side(0), True, self._interrupt)
        self.bell = Bell([memory.side(1)], True)
        self.channel = Channel(self.carrier, 3, peer, self._message, self._room)
        run(self.bell.up())

    async def _interrupt(self) -> None:
        self.log.append(f"ring {len(self.carrier.messages)}")

    async def _message(self) -> None:
        self.log.append("wait for a message")
        self.carrier.messages.append(b"late")

    async def _room(self) -> None:
        self.log.append("wait for room")
        self.carrier.messages.popleft()


def test_try_send_refuses_at_once() -> None:
    rig = Rig(1)
    run(rig.channel.try_send(b"a"))
    with pytest.raises(Busy, match="window is full"):
        run(rig.channel.try_send(b"b"))
    assert list(rig.carrier.messages) == [b"a"]
    assert rig.log == ["ring 1"]


def test_send_rings_before_it_waits_for_room() -> None:
    """The receiver may sleep: if it is not woken there is never room."""
    rig = Rig(1)
    run(rig.channel.send(b"a"))
    run(rig.channel.send(b"b"))
    assert rig.log == ["ring 1", "ring 1", "wait for room", "ring 1"]
    assert list(rig.carrier.messages) == [b"b"]


def test_a_batch_rings_once_for_what_found_room() -> None:
    rig = Rig(3)
    run(rig.channel.send_batch([b"a", b"b", b"c"]))
    assert rig.log == ["ring 3"]
    run(rig.channel.send_batch([b"d", b"e"]))
    assert rig.log[1:] == ["ring 3", "wait for room", "ring 3", "wait for room", "ring 3"]


def test_a_receiver_rings_with_each_acknowledgement() -> None:
    """Whoever waits for room is told when there is some, and not more often."""
    rig = Rig(8)
    rig.carrier.messages.extend([b"1", b"2", b"3", b"4", b"5"])
    assert [run(rig.channel.poll()) for _ in range(6)] == [b"1", b"2", b"3", b"4", b"5", None]
    assert rig.log == ["ring 3", "ring 1"]
    assert run(rig.channel.recv()) == b"late"
    assert rig.log == ["ring 3", "ring 1", "wait for a message", "ring 0"]


def test_nobody_is_interrupted_who_looks() -> None:
    rig = Rig(8)
    run(rig.bell.down())
    run(rig.channel.send(b"a"))
    assert rig.log == []


@pytest.mark.parametrize("shared", [True, False])
def test_a_bell_is_seen_whatever_the_caches_held(shared: bool) -> None:
    memory = SharedMemory(1, coherent=shared)
    rung: list[str] = []

    async def interrupt() -> None:
        rung.append("rung")

    bell, peer = Bell([memory.side(1)], shared), PeerBell(memory.side(0), shared, interrupt)
    run(peer.ring())
    assert rung == [], "the peer's cache may hold the line from now on"
    run(bell.up())
    run(peer.ring())
    assert rung == ["rung"]
    run(bell.down())
    run(peer.ring())
    assert rung == ["rung"]


def test_what_had_come_is_taken_before_the_death_is_told() -> None:
    rig = Rig(4)
    run(rig.channel.send_batch([b"a", b"b"]))  # they come back
    rig.channel.lose()
    assert [run(rig.channel.recv()), run(rig.channel.poll())] == [b"a", b"b"]
    for refused in (rig.channel.recv(), rig.channel.poll()):
        with pytest.raises(PeerError, match="core 3, at the other end of the channel, has died"):
            run(refused)
    assert "wait for a message" not in rig.log


def test_nothing_is_sent_to_who_has_died() -> None:
    rig = Rig(4)
    rig.channel.lose()
    for refused in (rig.channel.try_send(b"a"), rig.channel.send(b"a"), rig.channel.send_batch([b"a"])):
        with pytest.raises(PeerError, match="has died"):
            run(refused)
    assert not rig.carrier.messages


def test_who_waited_for_room_sends_nothing_to_who_died_meanwhile() -> None:
    rig = Rig(1)
    run(rig.channel.send(b"a"))
    room = rig.carrier.messages

    async def dies() -> None:
        rig.channel.lose()
        room.popleft()

    rig.channel = Channel(rig.carrier, 3, None, dies, dies)
    with pytest.raises(PeerError, match="has died"):
        run(rig.channel.send(b"b"))
    assert not room
