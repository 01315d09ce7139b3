"""Ordered broadcast and chain replication: what the first member orders, in the order asked, once, come it twice.

Both rest on `system/ordered.py`.  What each promises of its own is at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mk_ordered_broadcast.broadcast import GATHER, SENT, OrderedBroadcast
from mk_replicated_log.chain import ReplicatedLog
from multikernel.errors import PeerError
from multikernel.system.group import (
    Answer,
    Arm,
    Elapsed,
    Execute,
    Executed,
    GroupProtocol,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
    Tell,
)
from tests.protocols.cluster import Broken, Cluster

ASK, REPLY, ORDER, UPDATE, STABLE = 1, 2, 3, 3, 4
LARGEST = 2**64 - 1
both = pytest.mark.parametrize("protocol", [OrderedBroadcast(), ReplicatedLog()], ids=["broadcast", "chain"])


def burst(cluster: Cluster, core: int, values: Sequence[int]) -> None:
    """All asked for at once."""
    for value in values:
        cluster.submit(core, value)


@both
@pytest.mark.parametrize("value", [1, LARGEST])
@pytest.mark.parametrize("core", [0, 1, 2, 3], ids=["first", "second", "last", "client"])
def test_of_a_burst_nothing_is_lost_and_messages_are_shared(protocol: GroupProtocol, core: int, value: int) -> None:
    cluster = Cluster(protocol, (0, 1, 2), 4)
    burst(cluster, core, [value - number % 2 for number in range(300)])
    cluster.settle(1_000_000)
    assert [what[1] for what in cluster.order] == list(range(1, 301))
    assert cluster.carried == [300, 300, 300, 0]
    if core:
        assert cluster.sent < 300 * (4 if value == LARGEST else 1)


@both
@pytest.mark.parametrize("core", [0, 1, 2, 3], ids=["first", "second", "last", "client"])
def test_what_comes_twice_counts_once(protocol: GroupProtocol, core: int) -> None:
    cluster = Cluster(protocol, (0, 1, 2), 4)
    cluster.doubling = 1.0
    for number in range(20):
        burst(cluster, core, (number, 1000 + number))
        cluster.run(number % 3 * 50)
    cluster.run(10_000)
    assert cluster.open() == []
    assert len(cluster.order) == 40


@both
def test_cores_share_one_order_and_each_asks_in_its_own(protocol: GroupProtocol) -> None:
    for seed in range(20):
        cluster = Cluster(protocol, (2, 0, 1), 5, seed)
        for number in range(60):
            cluster.submit(number * 7 % 5, number)
            cluster.run(number % 4 * 5)
        cluster.settle(1_000_000)
        for core in range(5):
            requests = [request for origin, request, _ in cluster.order if origin == core]
            assert requests == sorted(requests)
        assert len(cluster.order) == 60


@both
def test_changes_of_members_are_refused_and_leave_no_gap(protocol: GroupProtocol) -> None:
    cluster = Cluster(protocol, (0, 1, 2), 4)
    for core in range(4):
        burst(cluster, core, (1, 2))
        refused = cluster.reconfigure(core, 3, True)
        burst(cluster, core, (3, 4))
        assert cluster.answers[core, 0, refused] is None
    cluster.settle(1_000_000)
    assert len(cluster.order) == 16


@both
def test_who_was_restarted_takes_no_more_part_and_says_so(protocol: GroupProtocol) -> None:
    for core in range(4):
        peer = protocol.start(core, (0, 1, 2), 1)
        assert peer.step(Submitted(1, 5)) == [Answer(1, 0, False)]
        assert peer.step(Reconfigured(2, 1, False)) == [Answer(2, 0, False)]
        for phase in (ASK, REPLY, ORDER, STABLE):
            assert list(peer.step(Heard((core + 1) % 3, phase, (1, 1, 1, 1)))) == []


@both
@pytest.mark.parametrize(
    ("core", "message"),
    [
        (1, Heard(2, ASK, (1, 7))),
        (3, Heard(2, ASK, (1, 7))),
        (1, Heard(0, REPLY, (1, 7))),
        (3, Heard(1, REPLY, (1, 7))),
        (1, Heard(0, 9, (1, 7))),
        (3, Heard(0, ORDER, (1, 0, 1, 7))),
        (2, Heard(3, ORDER, (1, 0, 1, 7))),
        (0, Heard(1, ORDER, (1, 0, 1, 7))),
        (1, Heard(0, ORDER, ())),
        (1, Heard(0, ORDER, (2, 0, 1, 7))),
    ],
    ids=str,
)
def test_what_no_peer_would_send_is_refused(protocol: GroupProtocol, core: int, message: Heard) -> None:
    with pytest.raises(PeerError):
        protocol.start(core, (0, 1, 2), 0).step(message)


@both
def test_a_core_has_two_messages_under_way(protocol: GroupProtocol) -> None:
    peer = protocol.start(3, (0, 1, 2), 0)
    told = [list(peer.step(Submitted(number, number))) for number in range(1, 7)]
    assert told == [[Tell(0, ASK, (1, 1))], [Tell(0, ASK, (2, 2))], [], [], [], []]
    replier = 0 if isinstance(protocol, OrderedBroadcast) else 2
    assert list(peer.step(Heard(replier, REPLY, (1, 70)))) == [Answer(1, 70), Tell(0, ASK, (3, 3, 4, 5, 6))]


def finish(peer: Peer, effects: Sequence[object]) -> list[object]:
    """The effects and what follows from their being carried out, in order."""
    found: list[object] = []
    for effect in effects:
        found.append(effect)
        if isinstance(effect, Execute):
            found += finish(peer, list(peer.step(Executed(effect.place, 50 + effect.place))))
    return found


def test_a_member_answers_when_it_has_carried_out() -> None:
    peer = OrderedBroadcast().start(1, (0, 1, 2), 0)
    peer.step(Submitted(1, 7))
    done = finish(peer, peer.step(Heard(0, ORDER, (1, 1, 1, 7))))
    assert done == [Execute(1, 1, 1, 7), Answer(1, 51)]


def test_the_sequencer_tells_all_the_same_before_it_carries_out() -> None:
    peer = OrderedBroadcast().start(0, (0, 1, 2), 0)
    done = finish(peer, peer.step(Heard(3, ASK, (1, 7, 8))))
    order = (1, 3, 1, 7, 3, 2, 8)
    assert done[:2] == [Tell(1, ORDER, order), Tell(2, ORDER, order)]
    assert done[2:] == [Execute(1, 3, 1, 7), Execute(2, 3, 2, 8), Tell(3, REPLY, (1, 51, 52)), Arm(GATHER, 1)]


def test_what_comes_to_the_sequencer_when_it_has_sent_much_in_a_tick_shares_the_next_message() -> None:
    members = range(SENT)
    sequencer = OrderedBroadcast().start(0, members, 0)
    assert sequencer.step(Heard(1, ASK, (1, 10)))[-1] == Arm(GATHER, 1)
    for core in range(2, 7):
        assert list(sequencer.step(Heard(core, ASK, (1, 10 * core)))) == []
    together = finish(sequencer, sequencer.step(Elapsed(GATHER)))
    order = (2, 2, 1, 20, 3, 1, 30, 4, 1, 40, 5, 1, 50, 6, 1, 60)
    assert together[: SENT - 1] == [Tell(core, ORDER, order) for core in range(1, SENT)]
    assert together[SENT - 1 :] == [*(Execute(core, core, 1, 10 * core) for core in range(2, 7)), Arm(GATHER, 1)]
    assert list(sequencer.step(Elapsed(GATHER))) == [], "and it rests"
    assert sequencer.step(Heard(7, ASK, (1, 70)))[0] == Tell(1, ORDER, (7, 7, 1, 70))


@pytest.mark.parametrize("core", [1, 2, 3])
def test_broadcast_no_stop_but_the_sequencers_blocks_anybody(core: int) -> None:
    cluster = Cluster(OrderedBroadcast(), (0, 1, 2), 4)
    for other in range(4):
        burst(cluster, other, range(10))
    cluster.stop(core)
    cluster.settle(1_000_000)


@both
def test_after_the_stop_of_the_first_nothing_new_is_ordered(protocol: GroupProtocol) -> None:
    cluster = Cluster(protocol, (0, 1, 2), 4)
    burst(cluster, 1, range(4))
    cluster.settle(1_000_000)
    cluster.stop(0)
    cluster.submit(1, 9)
    with pytest.raises(Broken, match="progress"):
        cluster.settle(1_000_000)
    assert len(cluster.order) == 4


def test_chain_a_replica_shows_nothing_that_one_behind_it_lacks() -> None:
    for seed in range(30):
        cluster = Cluster(ReplicatedLog(), (0, 1, 2, 3), 5, seed)
        stops = seed % 4
        for number in range(40):
            if cluster.peers[number % 5] is not None:
                cluster.submit(number % 5, number)
            cluster.run(seed % 5 * 4)
            if number == 20:
                cluster.stop(stops, 1 + seed % 3)
            assert cluster.carried[:4] == sorted(cluster.carried[:4])


def test_chain_the_tail_carries_out_before_it_says_that_it_is_stable() -> None:
    tail = ReplicatedLog().start(2, (0, 1, 2), 0)
    done = finish(tail, tail.step(Heard(1, UPDATE, (1, 2, 1, 7, 3, 1, 8))))
    assert done == [
        Execute(1, 2, 1, 7),
        Answer(1, 51),
        Execute(2, 3, 1, 8),
        Tell(3, REPLY, (1, 52)),
        Tell(1, STABLE, (2,)),
    ]


def test_chain_the_middle_carries_out_what_is_stable_and_no_more() -> None:
    middle = ReplicatedLog().start(1, (0, 1, 2), 0)
    update = (1, 0, 1, 7, 1, 1, 8, 1, 2, 9)
    assert middle.step(Heard(0, UPDATE, update)) == [Tell(2, UPDATE, update)]
    assert finish(middle, middle.step(Heard(2, STABLE, (2,)))) == [
        Execute(1, 0, 1, 7),
        Execute(2, 1, 1, 8),
        Answer(1, 52),
        Tell(0, STABLE, (2,)),
    ]
    assert list(middle.step(Heard(2, STABLE, (1,)))) == []
    with pytest.raises(PeerError, match="not for core 1, middle"):
        middle.step(Heard(2, STABLE, (4,)))


def test_chain_the_head_has_two_messages_a_link_under_way_and_gathers_the_rest() -> None:
    head = ReplicatedLog().start(0, (0, 1, 2), 0)
    told = [effect for core in (3, 4, 5, 6, 7, 8) for effect in head.step(Heard(core, ASK, (1, core)))]
    assert told == [Tell(1, UPDATE, (place, core, 1, core)) for place, core in enumerate((3, 4, 5, 6), 1)]
    done = head.step(Heard(1, STABLE, (1,)))
    assert list(done) == [Tell(1, UPDATE, (5, 7, 1, 7, 8, 1, 8)), Execute(1, 3, 1, 3)]


@pytest.mark.parametrize(("stops", "messages", "answered"), [(0, 2, [3]), (1, 2, []), (2, 2, []), (1, 3, [3])])
def test_chain_who_waits_after_a_stop(stops: int, messages: int, answered: list[int]) -> None:
    """What a member passed down before it stopped is carried out behind it and answered there, and not before it."""
    cluster = Cluster(ReplicatedLog(), (0, 1, 2), 4)
    cluster.submit(3, 7)
    while cluster.sent < messages:
        cluster.run(1)
    cluster.stop(stops)
    cluster.run(10_000)
    assert [core for core, _, _ in cluster.answers] == answered
    assert cluster.carried == [0, int(bool(answered) and stops == 0), int(bool(answered)), 0]
