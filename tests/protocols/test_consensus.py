"""Consensus among several peers: in schedules drawn from a seed, with all that it withstands at once."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mk_consensus.entries import core_of
from mk_consensus.peer import Consensus, ConsensusPeer
from tests.protocols.cluster import Cluster

SETTLE_US = 20_000_000


class Group(Cluster):
    """Consensus, and what its members say of each other."""

    def __init__(self, members: int, cores: int, seed: int = 0) -> None:
        super().__init__(Consensus(), range(members), cores, seed)

    def state(self, core: int) -> ConsensusPeer:
        peer = self.peer(core)
        assert isinstance(peer, ConsensusPeer)
        return peer

    def sound(self, core: int) -> bool:
        """Whether it lives and is not about to stop."""
        return self.peers[core] is not None and core not in self._cut

    def spares(self, core: int) -> bool:
        """Whether a majority lives without `core`, by whatever configuration somebody may go by: who is away counts as
        a member that does not live, until it is one again."""
        for other in self.live():
            for config in self.state(other).configs[-2:]:
                alive = [
                    who
                    for who in config.who
                    if core_of(who) != core
                    and self.sound(core_of(who))
                    and self.incarnations[core_of(who)] == who >> 16
                ]
                if len(alive) <= (len(config.who) + len(config.away)) // 2:
                    return False
        return True

    def leaders(self) -> list[int]:
        return [core for core in self.live() if self.peer(core).role() == "leader"]

    def answered(self, us: int) -> int:
        """Until all that is asked for is answered; how many microseconds that took."""
        begun = self.now
        while self.open():
            assert self.now < begun + us, f"progress: {self.open()} are not answered"
            self.run(50)
        return self.now - begun


def faulty(seed: int, members: int, cores: int, moves: int = 60, changes: bool = False) -> Group:
    """A schedule with losses, doubles, stops and restarts, of a minority at a time; it ends well."""
    group = Group(members, cores, seed)
    draw = group.random
    group.losing, group.doubling = draw.choice([0, 0, 0.05, 0.2]), draw.choice([0, 0.1])
    group.slow = draw.choice([5, 20, 100, 1000])
    for _ in range(draw.randint(5, moves)):
        core, kind = draw.randrange(cores), draw.random()
        if kind < 0.55:
            for _ in range(draw.choice([1, 1, 1, 5])):
                if group.peers[core] is not None:
                    group.submit(core, draw.randrange(1 << draw.choice([4, 64])))
        elif 0.55 <= kind < 0.65 and group.spares(core):
            group.stop(core, draw.choice([0, 1, 2, 3]))
        elif 0.65 <= kind < 0.78 and (group.peers[core] is None or group.spares(core)):
            group.restart(core)
        elif kind >= 0.9 and changes and group.peers[core] is not None:
            member, present = draw.randrange(cores), draw.random() < 0.6
            if group.sound(member) if present else group.spares(member):
                losing, group.losing = group.losing, 0
                group.reconfigure(core, member, present)
                group.answered(SETTLE_US)
                group.losing = losing
        group.run(draw.choice([0, 5, 50, 500, 5000]))
    group.settle(SETTLE_US)
    return group


def test_what_an_update_costs() -> None:
    """Messages, in a group of three: asked of the leader itself, of another member, of a core that is none."""
    costs = []
    for core in (0, 1, 3):
        group = Group(3, 4)
        group.submit(core, 7)
        group.settle(SETTLE_US)
        costs.append(group.sent)
    assert costs == [6, 7, 8]


def test_many_under_way_cost_less() -> None:
    group = Group(3, 4)
    for value in range(400):
        group.submit(0, value)
    group.settle(SETTLE_US)
    assert group.carried[:3] == [400, 400, 400]
    assert group.sent < 400


def test_a_dead_leader_is_noticed_by_the_next_who_asks() -> None:
    group = Group(3, 4)
    group.submit(3, 1)
    group.settle(SETTLE_US)
    group.stop(0)
    sent = group.sent
    group.run(1_000_000)
    assert group.sent == sent
    group.submit(2, 2)
    assert group.answered(SETTLE_US) < 10_000
    assert group.leaders() != []


def test_a_dead_minority_keeps_nobody_awake() -> None:
    group = Group(5, 6)
    group.stop(1)
    group.stop(2)
    group.submit(5, 1)
    assert group.answered(SETTLE_US) < 1000
    group.settle(SETTLE_US)
    sent = group.sent
    group.run(10_000_000)
    assert group.sent == sent


def test_who_is_left_of_a_majority_comes_to_rest_when_nobody_asks() -> None:
    group = Group(5, 6)
    group.submit(5, 1)
    group.settle(SETTLE_US)
    for core in (1, 2, 3):
        group.stop(core)
    group.submit(5, 2)
    group.run(1000)
    group.stop(5)
    group.settle(SETTLE_US)
    assert group.leaders() == [0]
    assert group.carried[4] == 1


@pytest.mark.parametrize("stopped", range(3))
@pytest.mark.parametrize("asked", range(4))
def test_any_one_of_three_may_stop_at_any_effect(stopped: int, asked: int) -> None:
    for effects in range(1, 12):
        for before in (0, 5, 15, 30):
            if stopped == asked:
                continue
            group = Group(3, 4, seed=effects)
            group.stop(stopped, effects)
            group.submit(asked, 1)
            group.run(before)
            group.submit(asked, 2)
            group.run(before)
            group.stop(stopped)
            group.submit(asked, 3)
            group.answered(SETTLE_US)
            group.settle(SETTLE_US)
            assert [value for _, _, value in group.order] == sorted(value for _, _, value in group.order)


@pytest.mark.parametrize("core", range(3))
def test_who_starts_anew_is_a_member_again_and_can_stand_in_for_another(core: int) -> None:
    group = Group(3, 4)
    group.submit(3, 1)
    group.settle(SETTLE_US)
    group.restart(core)
    group.settle(SETTLE_US)
    group.submit(3, 2)
    group.answered(SETTLE_US)
    group.settle(SETTLE_US)
    assert group.state(core).member
    group.stop((core + 1) % 3)
    group.submit(3, 3)
    group.answered(SETTLE_US)
    group.settle(SETTLE_US)
    assert group.carried[core] == 3


def test_who_starts_anew_forgets_that_it_led() -> None:
    group = Group(3, 4)
    group.submit(3, 1)
    group.settle(SETTLE_US)
    group.restart(0)
    group.submit(0, 2)
    group.submit(3, 3)
    group.settle(SETTLE_US)
    assert group.leaders() in ([1], [2])
    assert group.carried == [3, 3, 3, 0]


def test_all_members_may_be_exchanged() -> None:
    group = Group(3, 6)
    group.submit(1, 1)
    for old in range(3):
        group.reconfigure(5, old + 3, True)
        group.answered(SETTLE_US)
        group.reconfigure(4, old, False)
        group.answered(SETTLE_US)
    for core in (0, 1, 2):
        group.submit(core, core + 10)
    group.settle(SETTLE_US)
    assert sorted(core_of(who) for who in group.state(5).members.who) == [3, 4, 5]
    assert group.carried[3:] == [4, 4, 4]


def test_members_change_under_load() -> None:
    group = Group(3, 6, seed=3)
    for turn in range(60):
        group.submit(turn % 6, turn)
        if turn % 10 == 5:
            group.reconfigure(turn % 6, turn // 10 % 3 + 3, turn < 30)
        group.run(20)
    group.settle(SETTLE_US)
    assert len(group.order) == 60
    assert group.carried[:3] == [60, 60, 60]


@pytest.mark.parametrize("first", range(0, 200, 50))
@pytest.mark.parametrize("members", [3, 5])
def test_a_minority_at_a_time_may_fail_in_every_way(members: int, first: int) -> None:
    for seed in range(first, first + 50):
        faulty(seed, members, members + 1)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_so_it_may_while_members_change(first: int) -> None:
    for seed in range(first, first + 50):
        faulty(seed, (3, 5, 2, 1, 4)[seed % 5], 6, changes=True)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(200, 5200, 500))
def test_in_thousands_of_schedules(first: int) -> None:
    for seed in range(first, first + 500):
        faulty(seed, (3, 5, 2, 1, 4)[seed % 5], 6, changes=seed % 3 == 0)


def wild(seed: int, members: int, cores: int) -> Group:
    """Whoever fails, and whenever timers run out: what holds must hold, though nothing may be answered."""
    group = Group(members, cores, seed)
    draw = group.random
    group.losing, group.doubling = draw.choice([0, 0.1, 0.3]), draw.choice([0, 0.2])
    group.slow = draw.choice([20, 1000, 3000])
    often = draw.choice([0.02, 0.05, 0.1])
    for _ in range(100):
        core, kind = draw.randrange(cores), draw.random()
        lives = group.peers[core] is not None
        if kind < 0.25 and lives:
            group.submit(core, draw.randrange(100))
        elif kind < 0.6:
            group.hurry()
        elif kind < 0.6 + often:
            group.restart(core)
        elif kind < 0.6 + 2 * often and lives:
            group.stop(core, draw.choice([0, 1, 2]))
        elif kind < 0.6 + 3 * often and lives:
            group.reconfigure(core, draw.randrange(cores), draw.random() < 0.6)
        group.run(draw.choice([0, 1, 10, 100, 1000]))
    return group


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_what_is_carried_out_is_the_same_whoever_fails(first: int) -> None:
    assert sum(len(wild(seed, 3 + seed % 2 * 2, 4 + seed % 2 * 2).order) for seed in range(first, first + 50)) > 100


class Consenting(RuleBasedStateMachine):
    """Five members and a client, as hypothesis would have them."""

    def __init__(self) -> None:
        super().__init__()
        self.group = Group(5, 6)

    @initialize(seed=st.integers(0, 2**32), slow=st.sampled_from((5, 100, 1000)), loss=st.sampled_from((0.0, 0.1)))
    def begin(self, seed: int, slow: int, loss: float) -> None:
        self.group = Group(5, 6, seed)
        self.group.slow, self.group.losing, self.group.doubling = slow, loss, loss

    @rule(core=st.integers(0, 5), value=st.integers(0, 2**64 - 1))
    def submit(self, core: int, value: int) -> None:
        if core in self.group.live():
            self.group.submit(core, value)

    @rule(us=st.sampled_from((1, 10, 100, 2000)))
    def run_on(self, us: int) -> None:
        self.group.run(us)

    @rule(core=st.integers(0, 5), effects=st.integers(0, 3))
    def stop(self, core: int, effects: int) -> None:
        if core in self.group.live() and self.group.spares(core):
            self.group.stop(core, effects)

    @rule(core=st.integers(0, 5))
    def restart(self, core: int) -> None:
        if core not in self.group.live() or self.group.spares(core):
            self.group.restart(core)

    @precondition(lambda self: self.group.deadlines)
    @rule()
    def hurry(self) -> None:
        self.group.hurry()

    @invariant()
    def one_leader_a_term(self) -> None:
        terms = [self.group.state(core).term for core in self.group.leaders()]
        assert len(terms) == len(dict.fromkeys(terms))

    def teardown(self) -> None:
        self.group.settle(SETTLE_US)


TestConsenting = Consenting.TestCase
TestConsenting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.determinism
def test_a_schedule_is_the_same_everywhere() -> None:
    group = faulty(11, 5, 6, changes=True)
    assert (group.sent, group.now, len(group.order)) == (1353, 80350, 54)
