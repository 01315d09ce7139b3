"""Circuits from end to end over real relays: windows, credits, order, ends; against a model, in any order of events."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from multikernel.errors import LocalMisuse
from multikernel.interfaces import PAYLOAD
from multikernel.system.messages import (
    CircuitClosed,
    CircuitCredit,
    CircuitOpened,
    Granted,
    OpenCircuit,
    decode,
    encode,
)
from multikernel.system.monitor import flow
from multikernel.system.monitor.circuits import DATA
from multikernel.system.monitor.events import Sender
from multikernel.system.monitor.relay import LONGEST, PIECE, Pieces, split
from tests.circuits.boards import CHAIN
from tests.circuits.net import End, Net
from tests.promises.kernels import blueprint


@pytest.fixture
def net() -> Net:
    return Net(blueprint(CHAIN))


def message(number: int, length: int = PAYLOAD) -> bytes:
    return number.to_bytes(2, "little")[: min(length, 2)] + bytes([number % 251]) * max(0, length - 2)


# Pieces


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, PAYLOAD + 5, LONGEST])
def test_a_message_is_itself_again_after_its_pieces(length: int) -> None:
    whole = bytes(range(length))
    pieces, got = Pieces(), []
    for piece in split(3, 0, whole):
        assert len(piece) <= PAYLOAD
        got.append(pieces.add(3, piece[9], piece[10:]))
    assert [item for item in got if item is not None] == [whole]
    assert got[-1] == whole


def test_pieces_of_several_senders_do_not_mix_and_what_is_too_long_is_dropped() -> None:
    pieces = Pieces()
    assert pieces.add(1, 1, b"one") is None
    assert pieces.add(2, 1, b"two") is None
    assert pieces.add(1, 0, b" and a half") == b"one and a half"
    assert pieces.add(2, 1, bytes(LONGEST)) is None
    assert pieces.add(2, 0, b"x") == b"x"


def test_what_is_relayed_comes_from_who_sent_it(net: Net) -> None:
    heard = []

    async def hear(sender: Sender, payload: bytes) -> None:
        heard.append((sender, payload))

    net.cores[3].events.raw(31, hear)
    long = bytes([31]) + bytes(60)
    for payload in (long, b"\x1fshort"):
        net.run(0, net.cores[0].relay.send(3, payload))
    net.settle()
    assert heard == [(Sender(0, 0), long), (Sender(0, 0), b"\x1fshort")]


@pytest.mark.parametrize("piece", [b"\x12", split(9, 0, b"x")[0], split(0, 9, b"x")[0], split(1, 3, b"x")[0][:9]])
def test_what_is_no_piece_is_dropped(net: Net, piece: bytes) -> None:
    net.run(1, net.cores[1].events.deliver(Sender(0, 0), piece))
    assert not any(net.wires.values())


# Credits


def test_credits_are_a_window_and_no_more() -> None:
    end = flow.begin(3)
    assert [flow.send(end) for _ in range(4)] == [True, True, True, False]
    assert flow.credit(end, 2) == 2
    assert [flow.send(end) for _ in range(3)] == [True, True, False]
    assert flow.credit(end, 5) == 3, "no more than were sent"
    other = flow.begin(2)
    assert [flow.receive(other) for _ in range(3)] == [True, True, False]
    assert [flow.read(other, 1), flow.read(other, 9), flow.read(other, 1)] == [1, 1, 0]


def test_a_window_goes_without_a_reader_and_the_rest_when_it_reads(net: Net) -> None:
    a, b = net.connect(0, 3)
    assert a.slots == b.slots == 16
    sent = 0
    while a.send(message(sent)):
        sent += 1
    assert sent == 16
    net.settle()
    assert not a.send(b"more"), "nobody has read"
    assert [b.poll() for _ in range(8)] == [message(number) for number in range(8)]
    net.settle()
    assert [a.send(message(number)) for number in range(16, 25)] == [True] * 8 + [False]
    net.settle()
    assert b.read() == [message(number) for number in range(8, 24)]
    net.settle()
    assert [a.send(b"") for _ in range(17)] == [True] * 16 + [False], "all credits are back"


def test_every_length_goes_both_ways(net: Net) -> None:
    a, b = net.connect(1, 3)
    for length in range(PAYLOAD + 1):
        assert a.send(message(length, length))
        assert b.send(message(length + 1, length))
        net.settle()
        assert b.read() == [message(length, length)]
        assert a.read() == [message(length + 1, length)]
    with pytest.raises(LocalMisuse, match="at most 56 bytes"):
        a.send(bytes(PAYLOAD + 1))


def test_circuits_of_one_pair_do_not_wait_for_each_other(net: Net) -> None:
    pairs = [net.connect(0, 3) for _ in range(5)]
    for number, (a, _) in enumerate(pairs):
        while a.send(message(number)):
            pass
    net.settle()
    a, b = pairs[3]
    assert b.read() == [message(3)] * 16
    net.settle()
    assert a.send(b"on")
    assert [len(other.read()) for _, other in pairs[:3]] == [16] * 3


def test_a_dispatcher_that_takes_no_heed_of_credits_is_held_to_them(net: Net) -> None:
    a, b = net.connect(0, 3)
    into = net.cores[0].endpoints[a.dispatcher, a.told.frame & 0xFFFF_FFFF]
    for _ in range(5):
        while into.accept(b"pushed"):
            pass
        net.settle()
    assert len(into.messages) == into.slots, "its own monitor takes no more"
    assert len(b.read()) == 16


def test_credits_for_what_never_came_are_nobody_s(net: Net) -> None:
    a, b = net.connect(0, 3)
    for _ in range(3):
        net.cores[3].endpoints[b.dispatcher, b.told.bells].accept(encode(Granted(16)))
        net.settle()
    assert [a.send(b"") for _ in range(17)] == [True] * 16 + [False]


# Ends


def test_what_was_sent_before_the_end_arrives_and_nothing_is_left(net: Net) -> None:
    a, b = net.connect(0, 3)
    for number in range(10):
        assert a.send(message(number))
    a.finish()
    net.settle()
    assert b.read() == [message(number) for number in range(10)]
    assert [b.send(b"") for _ in range(20)] == [True] * 16 + [False] * 4, "like a ring that nobody reads"
    net.settle()
    left = [core for core in net.cores.values() if core.events.inboxes or core.endpoints]
    assert left == [], "no inbox, no EndPoint on either side"


def test_both_may_end_at_once(net: Net) -> None:
    a, b = net.connect(0, 3)
    assert b.send(b"unread")
    a.finish()
    b.finish()
    net.settle()
    assert not any(core.events.inboxes or core.endpoints for core in net.cores.values())
    assert not any(net.wires.values())


def test_an_asker_that_ends_before_the_answer_leaves_no_circuit(net: Net) -> None:
    client, server = net.cores[0].start(), net.cores[3].start()
    net.cores[3].exports["late"] = server
    net.ask(0, 3, client, "late")
    net.end(0, client)
    net.settle()
    assert len(net.cores[3].told[server]) == 1, "the exporter was told of a client"
    assert not any(core.events.inboxes or core.endpoints for core in net.cores.values())


def test_no_service_and_no_core_refuse_who_asked(net: Net) -> None:
    client = net.cores[0].start()
    net.ask(0, 3, client, "nobody's")
    payload = net.wires[0, 1][0][10:]
    net.settle()
    assert net.cores[0].refused == [7]
    net.run(0, net.cores[0].unreachable[0](3, decode(payload)))
    assert net.cores[0].refused == [7], "answered once"
    net.ask(0, 2, client, "lost")
    net.run(0, net.cores[0].unreachable[0](2, decode(net.wires[0, 1].popleft()[10:])))
    assert net.cores[0].refused == [7, 7]


def test_a_core_speaks_only_for_its_own_circuits(net: Net) -> None:
    _, b = net.connect(0, 3)
    forged = bytes([DATA]) + (1).to_bytes(4, "little") + b"forged"
    for number in range(1, 4):
        net.run(3, net.cores[3].events.deliver(Sender(1, 0), forged[:1] + number.to_bytes(4, "little") + forged[5:]))
    assert b.read() == []


@pytest.mark.parametrize("sender", [Sender(3, 9), Sender(1, 0)])
def test_what_monitors_say_to_each_other_nobody_else_may(net: Net, sender: Sender) -> None:
    client = net.cores[3].start()
    net.cores[3].exports["here"] = client
    net.ask(3, 0, client, "there")
    for item in (CircuitOpened(1, 1), CircuitCredit(1, 1), CircuitClosed(1)):
        net.run(3, net.cores[3].events.deliver(sender, encode(item)))
    assert client not in net.cores[3].told
    if sender.dispatcher:
        net.run(3, net.cores[3].events.deliver(sender, encode(OpenCircuit(1, 16, "here"))))
        assert client not in net.cores[3].told
    net.cores[0].exports["there"] = net.cores[0].start()
    net.settle()
    assert len(net.cores[3].told[client]) == 1, "who was asked answers"


# Any order of events


class Traffic(RuleBasedStateMachine):
    """Three circuits between two pairs of cores, one of them the longest there is, in any order of events."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net(blueprint(CHAIN))
        self.pairs = [self.net.connect(0, 3), self.net.connect(3, 0), self.net.connect(1, 3)]
        self.ways: list[tuple[End, End]] = [way for a, b in self.pairs for way in ((a, b), (b, a))]
        self.sent: list[list[bytes]] = [[] for _ in self.ways]
        self.got: list[list[bytes]] = [[] for _ in self.ways]
        self.over: set[int] = set()
        self.count = 0

    @rule(way=st.integers(0, 5), length=st.integers(0, PAYLOAD), burst=st.integers(1, 17))
    def send(self, way: int, length: int, burst: int) -> None:
        if way // 2 in self.over:
            return
        for _ in range(burst):
            self.count += 1
            payload = message(self.count, length)
            if not self.ways[way][0].send(payload):
                break
            self.sent[way].append(payload)
        else:
            return
        self.net.settle()
        if self.ways[way][0].send(payload):  # credits were on their way
            self.sent[way].append(payload)
        else:
            assert len(self.sent[way]) - len(self.got[way]) > 16 - self.ways[way][0].carrier.ack_interval

    @rule(way=st.integers(0, 5), most=st.integers(1, 17))
    def read(self, way: int, most: int) -> None:
        if way // 2 in self.over:
            return
        for _ in range(most):
            payload = self.ways[way][1].poll()
            if payload is not None:
                self.got[way].append(payload)

    @rule(link=st.integers(0, 5), most=st.integers(1, 9))
    def hop(self, link: int, most: int) -> None:
        for _ in range(most):
            self.net.hop(*list(self.net.wires)[link])

    @rule(core=st.integers(0, 3))
    def pump(self, core: int) -> None:
        self.net.pump(core)

    @precondition(lambda self: len(self.over) < 2)
    @rule(pair=st.integers(0, 2), side=st.integers(0, 1))
    def end(self, pair: int, side: int) -> None:
        """One dispatcher of a pair ends; what it sent still comes, in order."""
        if pair in self.over:
            return
        self.over.add(pair)
        self.pairs[pair][side].finish()
        self.net.settle()
        way = 2 * pair + side
        self.got[way] += self.ways[way][1].read()
        assert self.got[way] == self.sent[way]

    @invariant()
    def in_order_and_within_the_window(self) -> None:
        for sent, got in zip(self.sent, self.got, strict=True):
            assert got == sent[: len(got)]
            assert len(sent) - len(got) <= 16
        waiting = sum(map(len, self.net.wires.values()))
        assert waiting <= 6 * 2 * (16 + 16), "pieces of a window each way, and as many credits at most"

    def teardown(self) -> None:
        for _ in range(4):
            self.net.settle()
            for way, (_, receiver) in enumerate(self.ways):
                if way // 2 not in self.over:
                    self.got[way] += receiver.read()
        for way, (sent, got) in enumerate(zip(self.sent, self.got, strict=True)):
            assert sent == got or way // 2 in self.over
        for a, b in (self.pairs[pair] for pair in range(3) if pair not in self.over):
            a.finish()
            b.finish()
        self.net.settle()
        for pair in self.over:
            for end in self.pairs[pair]:
                if end.dispatcher in self.net.cores[end.core].buffers:
                    end.finish()
        assert not any(core.events.inboxes or core.endpoints for core in self.net.cores.values())


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
