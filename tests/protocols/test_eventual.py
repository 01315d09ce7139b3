"""Gossip: answered at once, spread around whoever is dead, merged in any order, asked for again after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from mk_eventual.gossip import ASK, FIRST, GATHER, HEARD, LAST, LIFE, NEWS, ROUND, TIMERS, Eventual
from multikernel.errors import PeerError
from multikernel.system.group import Answer, Arm, Elapsed, Execute, Executed, Heard, Reconfigured, Submitted, Tell
from tests.protocols.mergeable import MergeableCluster

QUIET_US = 1_000_000


class Cuttable(MergeableCluster):
    """The same, with links that carry nothing: pairs of cores, the lower first."""

    def __init__(self, cores: int, seed: int = 0) -> None:
        super().__init__(Eventual(), range(cores), cores, seed)
        self.cut: dict[tuple[int, int], None] = {}
        self.told: list[tuple[int, int, Heard]] = []

    def _tell(self, core: int, target: int, event: Heard) -> None:
        self.told.append((core, target, event))
        if (min(core, target), max(core, target)) not in self.cut:
            super()._tell(core, target, event)


def alike(cluster: MergeableCluster, registers: dict[int, int]) -> None:
    """All that live hold these values by core."""
    cluster.settle(QUIET_US)
    assert cluster.differences() == []
    held = cluster.registers[cluster.live()[0]]
    assert {core: value for core, (_, value) in held.items()} == registers


def test_it_is_carried_out_and_answered_before_anybody_is_told() -> None:
    peer = Eventual().start(1, range(4), 0)
    effects = list(peer.step(Submitted(1, 9)))
    assert effects[0] == Execute(1, 1, 1, 9)
    assert list(peer.step(Executed(1, 33))) == [Answer(1, 33)]
    assert effects[1:3] == [Tell(2, NEWS, (1, 1, 1, 9)), Arm(1, FIRST)]
    assert {effect.target for effect in effects if isinstance(effect, Tell)} == set(peer.neighbours()) == {0, 2, 3}


@pytest.mark.parametrize("cores", [1, 2, 3, 5, 12, 48])
def test_what_one_submits_all_come_to_hold(cores: int) -> None:
    cluster = Cuttable(cores)
    for core in range(0, cores, 3):
        cluster.submit(core, 100 + core)
    alike(cluster, {core: 100 + core for core in range(0, cores, 3)})


def test_it_goes_around_any_one_dead_core_and_then_rests() -> None:
    for dead in range(1, 12):
        cluster = Cuttable(12, dead)
        cluster.stop(dead)
        cluster.submit(0, 7)
        alike(cluster, {0: 7})
        assert sum(target == dead for _, target, _ in cluster.told) <= 8 * len(
            Eventual().start(dead, range(12), 0).neighbours()
        )


def test_the_newest_alone_is_told() -> None:
    cluster = Cuttable(5)
    for value in range(200):
        cluster.submit(0, value)
        cluster.submit(3, 1000 + value)
    alike(cluster, {0: 199, 3: 1199})
    assert cluster.sent < 100


@pytest.mark.parametrize(("cores", "most"), [(16, 800), (64, 7000)])
def test_messages_go_with_registers_and_neighbours_not_with_updates(cores: int, most: int) -> None:
    """In a round a neighbour is sent each register once at most, some eight to a message, each message heard."""
    cluster = Cuttable(cores)
    for _ in range(20):
        for core in range(cores):
            cluster.submit(core, 7)
        cluster.run(10)
    alike(cluster, dict.fromkeys(range(cores), 7))
    assert cluster.sent < most


def test_registers_share_a_message() -> None:
    cluster = Cuttable(16)
    for core in range(16):
        cluster.submit(core, core)
    alike(cluster, {core: core for core in range(16)})
    shared = [event for _, _, event in cluster.told if len(event.numbers) > 4]
    assert shared
    assert len(cluster.told) < 16 * 16 * 4


@pytest.mark.parametrize("large", [0, 2**64 - 16])
def test_what_does_not_fit_a_message_goes_in_the_next(large: int) -> None:
    peer = Eventual().start(0, range(2), 0)
    peer.step(Submitted(1, 5))
    entries = {core: (7, large + core % 16) for core in range(1, 40)}
    told: dict[int, tuple[int, int]] = {}
    for core, entry in entries.items():
        for effect in peer.step(Heard(1, NEWS, (core, core, *entry))):
            assert not isinstance(effect, Tell) or effect == Tell(1, HEARD, (core,)), "who told it need not be told"
    effects = list(peer.step(Heard(1, ASK, (99,))))
    assert effects == [Tell(1, HEARD, (99,))]
    serial = 1
    while True:
        news = [effect for effect in peer.step(Heard(1, HEARD, (serial,))) if isinstance(effect, Tell)]
        news = news or [effect for effect in peer.step(Elapsed(ROUND)) if isinstance(effect, Tell)]
        if not news:
            break
        serial, *numbers = news[0].numbers
        told.update({numbers[at]: (numbers[at + 1], numbers[at + 2]) for at in range(0, len(numbers), 3)})
    assert told == {0: (1, 5), **entries}


def test_older_news_are_heard_and_not_taken() -> None:
    peer = Eventual().start(0, range(3), 0)
    peer.step(Heard(1, NEWS, (1, 1, 5, 50)))
    for serial, version in ((2, 5), (3, 4)):
        assert list(peer.step(Heard(2, NEWS, (serial, 1, version, 49)))) == [Tell(2, HEARD, (serial,))]


def test_it_counts_as_heard_by_the_message_under_way_alone() -> None:
    peer = Eventual().start(0, range(2), 0)
    assert Tell(1, NEWS, (1, 0, 1, 5)) in peer.step(Submitted(1, 5))
    assert not any(isinstance(effect, Tell) for effect in peer.step(Submitted(2, 6)))
    assert list(peer.step(Heard(1, HEARD, (1,)))) == [Arm(1, 0)], "what is newer waits until the round is over"
    over = list(peer.step(Elapsed(ROUND)))
    assert over == [Tell(1, NEWS, (2, 0, 2, 6)), Arm(1, FIRST), Arm(ROUND, GATHER)]
    assert list(peer.step(Heard(1, HEARD, (1,)))) == [], "the first, said a second time"
    assert Tell(1, NEWS, (2, 0, 2, 6)) in peer.step(Elapsed(1))
    assert list(peer.step(Heard(1, HEARD, (2,)))) == [Arm(1, 0)]
    assert list(peer.step(Elapsed(ROUND))) == [], "nothing was gathered, nothing is armed"


def test_who_does_not_answer_is_left_alone_and_told_when_it_speaks() -> None:
    peer = Eventual().start(0, range(2), 0)
    peer.step(Submitted(1, 5))
    assert list(peer.step(Elapsed(ROUND))) == []
    waits = []
    while effects := list(peer.step(Elapsed(1))):
        assert effects[0] == Tell(1, NEWS, (1, 0, 1, 5))
        assert isinstance(effects[1], Arm)
        waits.append(effects[1].ticks)
    assert waits == [8, 16, 32, 64, 128, 256, 512]
    assert waits[-1] == LAST
    news = [effect for effect in peer.step(Submitted(2, 6)) if not isinstance(effect, Execute)]
    assert news == [Tell(1, NEWS, (1, 0, 1, 5)), Arm(ROUND, GATHER)], "once, and nobody waits for it"
    assert [type(effect) for effect in peer.step(Submitted(3, 7))] == [Execute]
    assert list(peer.step(Elapsed(ROUND))) == news, "and once for all that became newer in a round"
    assert list(peer.step(Elapsed(ROUND))) == []
    back = list(peer.step(Heard(1, NEWS, (1, 1, 1, 8))))
    assert back == [Execute(4, 1, 1, 8), Tell(1, HEARD, (1,)), Tell(1, NEWS, (1, 0, 1, 5)), Arm(1, FIRST)]


def test_parts_that_were_cut_off_come_together_with_the_first_news() -> None:
    cluster = Cuttable(4)
    cluster.cut = {(a, b): None for a in (0, 1) for b in (2, 3)}
    for core in range(4):
        cluster.submit(core, core)
    cluster.settle(QUIET_US)
    assert len(cluster.differences()) == 2
    cluster.cut = {}
    cluster.submit(1, 9)
    alike(cluster, {0: 0, 1: 9, 2: 2, 3: 3})


def test_who_is_restarted_asks_and_goes_on_above_its_life_before() -> None:
    cluster = Cuttable(6)
    for core in range(6):
        for value in range(3):
            cluster.submit(core, 10 * core + value)
    cluster.settle(QUIET_US)
    cluster.restart(2)
    alike(cluster, {core: 10 * core + 2 for core in range(6)})
    cluster.submit(2, 99)
    alike(cluster, {**{core: 10 * core + 2 for core in range(6)}, 2: 99})
    assert cluster.registers[5][2] == (1 << LIFE | 1, 99)


def test_who_is_restarted_asks_until_it_is_answered() -> None:
    cluster = Cuttable(3)
    cluster.submit(0, 5)
    cluster.settle(QUIET_US)
    cluster.cut = {(0, 1): None, (1, 2): None}
    cluster.restart(1)
    cluster.run(3_000)
    assert {event.phase for core, _, event in cluster.told if core == 1 and event.numbers[0] >= 1 << LIFE} == {ASK}
    cluster.cut = {}
    alike(cluster, {0: 5})


def test_it_withstands_all_at_once() -> None:
    for seed in range(40):
        random = Random(seed)
        cluster = Cuttable(7, seed)
        cluster.losing, cluster.doubling, cluster.slow = 0.3, 0.3, 400
        for value in range(60):
            core = random.randrange(7)
            if core not in cluster.live() or value % 20 == 19:
                cluster.restart(core)
            elif value % 20 == 9:
                cluster.stop(core, random.randrange(4))
            else:
                cluster.submit(core, value)
            cluster.run(random.randrange(800))
        cluster.settle(QUIET_US)
        assert cluster.differences() == []


def test_neighbours_are_few_and_their_timers_named() -> None:
    for cores in (2, 3, 4, 5, 16, 17, 1000, 4096):
        near = [Eventual().start(core, range(cores), 0).neighbours() for core in (0, 1, cores - 1)]
        assert all(len(each) == len(set(each)) <= min(cores - 1, TIMERS) for each in near)
        assert all(core not in each for core, each in zip((0, 1, cores - 1), near, strict=True))
    assert len(Eventual().start(0, range(4096), 0).neighbours()) == TIMERS


@pytest.mark.parametrize(
    "message",
    [Heard(2, NEWS, (1, 2, 1)), Heard(2, NEWS, (1,)), Heard(2, NEWS, ()), Heard(2, HEARD, (1, 1)), Heard(2, 9, (1,)),
     Heard(3, HEARD, (1,)), Heard(2, ASK, (1, 2))],
    ids=str,
)  # fmt: skip
def test_what_no_peer_would_send_is_refused(message: Heard) -> None:
    with pytest.raises(PeerError):
        Eventual().start(0, range(9), 0).step(message)


def test_members_do_not_change() -> None:
    assert list(Eventual().start(0, range(3), 0).step(Reconfigured(1, 2, False))) == [Answer(1, 0, False)]


def hops(cores: int) -> int:
    """How many hops it takes until all have heard of what core 0 submits."""
    near: Sequence[Sequence[int]] = [Eventual().start(core, range(cores), 0).neighbours() for core in range(cores)]
    reached, edge, count = {0}, [0], 0
    while len(reached) < cores:
        edge = sorted({other for core in edge for other in near[core]} - reached)
        reached.update(edge)
        count += 1
    return count


@pytest.mark.parametrize(("cores", "most"), [(16, 3), (48, 5), (256, 6), (4096, 9)])
def test_hops_are_logarithmic(cores: int, most: int) -> None:
    assert hops(cores) <= most
