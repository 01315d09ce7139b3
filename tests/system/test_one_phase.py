"""One-phase agreement, in every order of delivery over trees of every shape: an acknowledgement says that the
value is applied, and completion that everybody concerned has applied it, once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk_shootdown.one_phase import ACK, BROADCAST, VALUE, OnePhase
from multikernel.errors import PeerError
from multikernel.system.protocol import (
    ALL,
    EVERYBODY,
    Applied,
    Apply,
    Branch,
    Complete,
    Effect,
    Member,
    Received,
    ReplicaState,
    Send,
    prune,
)

TREE = 1


class Cluster:
    """Cores that run the protocol, a queue for each pair of them, and the rules checked at each step."""

    def __init__(self, parents: Sequence[int], tree: int) -> None:
        """Core n + 1's parent is `parents[n]`; core 0 is the root."""
        children: dict[int, list[int]] = {core: [] for core in range(len(parents) + 1)}
        for core, parent in enumerate(parents, 1):
            children[parent].append(core)
        places = {core: place for below in children.values() for place, core in enumerate(below)}
        self.parents = {0: -1, **dict(enumerate(parents, 1))}
        self.members = {
            core: Member(self.parents[core], places.get(core, 0), tuple(below)) for core, below in children.items()
        }
        self.tree = tree
        self.protocol = OnePhase()
        self.states = {core: ReplicaState(core, (member,) * (tree + 1)) for core, member in self.members.items()}
        self.queues: dict[tuple[int, int], deque[Received]] = {}
        self.effects: deque[tuple[int, Effect]] = deque()
        self.applied: dict[int, list[int]] = {}
        self.completed: list[int] = []

    def begin(self, operation: int, cores: Sequence[int], absent: Sequence[int] = ()) -> None:
        branches = prune(self.members.__getitem__, 0, cores, absent)
        self.carry_out(0, self.protocol.begin(self.states[0], operation, 100 + operation, self.tree, branches))

    def carry_out(self, core: int, effects: Sequence[Effect]) -> None:
        """In order; an application is finished before the next effect."""
        for effect in effects:
            match effect:
                case Send(target, operation, phase, value, tree, among):
                    if phase == ACK:
                        assert core in self.applied.get(operation, []), "acknowledged before it was applied"
                        below = [child for child in self.members[core].children if self.reached(operation, child)]
                        assert all(child in self.applied[operation] for child in below)
                    targets = [c for c in self.states if c != core] if target == EVERYBODY else [target]
                    for peer in targets:
                        received = Received(core, operation, phase, value, tree, among)
                        self.queues.setdefault((core, peer), deque()).append(received)
                case Apply(operation, value):
                    assert value == 100 + operation
                    assert core not in self.applied.setdefault(operation, []), "applied twice"
                    self.applied[operation].append(core)
                    self.carry_out(core, self.protocol.step(self.states[core], Applied(operation)))
                case Complete(operation):
                    assert core == 0
                    assert operation not in self.completed, "completed twice"
                    self.completed.append(operation)
                    self.at_completion(operation)

    def reached(self, operation: int, core: int) -> bool:
        return core in self.applied[operation] or operation in self.states[core].awaited

    def at_completion(self, operation: int) -> None:
        return

    def deliver(self, choice: int) -> bool:
        """One message of one of the queues that hold some; each queue is in order."""
        ready = [pair for pair, queue in sorted(self.queues.items()) if queue]
        if not ready:
            return False
        source, target = ready[choice % len(ready)]
        event = self.queues[source, target].popleft()
        self.carry_out(target, self.protocol.step(self.states[target], event))
        return True


class Watched(Cluster):
    """Knows which cores each operation concerns."""

    def __init__(self, parents: Sequence[int], tree: int) -> None:
        super().__init__(parents, tree)
        self.concerned: dict[int, set[int]] = {}

    def at_completion(self, operation: int) -> None:
        assert set(self.applied[operation]) >= self.concerned[operation], "completed before all had applied it"


def two_level(draw: st.DrawFn) -> list[int]:
    """A tree as the blueprints have: some heads below the root, the others below those, no deeper."""
    count = draw(st.integers(0, 9))
    heads: list[int] = []
    parents: list[int] = []
    for core in range(1, count + 1):
        parent = draw(st.sampled_from([0, *heads]))
        if parent == 0:
            heads.append(core)
        parents.append(parent)
    return parents


two_level_trees = st.composite(two_level)()
any_trees = st.integers(0, 9).flatmap(
    lambda count: st.tuples(*(st.integers(0, core) for core in range(count))).map(list)
)
orders = st.lists(st.integers(0, 50), max_size=150)


def settle(cluster: Cluster, order: list[int], operations: dict[int, set[int]]) -> None:
    for choice in order:
        cluster.deliver(choice)
    while cluster.deliver(0):
        pass
    assert sorted(cluster.completed) == sorted(operations)
    for state in cluster.states.values():
        assert not state.awaited
        assert not state.owed


@settings(deadline=None)
@given(parents=any_trees, order=orders, operations=st.integers(1, 3))
def test_everybody_over_any_tree(parents: list[int], order: list[int], operations: int) -> None:
    cluster = Watched(parents, TREE)
    everybody = set(cluster.states)
    for operation in range(operations):
        cluster.concerned[operation] = everybody
        cluster.begin(operation, sorted(everybody))
    settle(cluster, order, cluster.concerned)
    assert all(set(cores) == everybody for cores in cluster.applied.values())


@settings(deadline=None)
@given(parents=two_level_trees, order=orders, data=st.data())
def test_only_those_concerned_over_trees_of_two_levels(
    parents: list[int], order: list[int], data: st.DataObject
) -> None:
    """Some cores are absent; a core that only passes on applies it too, nobody else does."""
    cluster = Watched(parents, TREE)
    others = sorted(set(cluster.states) - {0})
    absent = data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    wanted = set(data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []) - set(absent)
    cluster.concerned[7] = {0, *wanted}
    cluster.begin(7, sorted(wanted), absent)
    settle(cluster, order, cluster.concerned)
    passing = {cluster.parents[core] for core in wanted} - set(absent)
    assert set(cluster.applied[7]) == {0} | wanted | passing


@settings(deadline=None)
@given(count=st.integers(0, 9), order=orders, data=st.data())
def test_only_those_concerned_over_a_broadcast(count: int, order: list[int], data: st.DataObject) -> None:
    cluster = Watched([0] * count, BROADCAST)
    wanted = data.draw(st.sets(st.integers(1, count))) if count else set()
    cluster.concerned[7] = {0, *wanted}
    cluster.begin(7, sorted(wanted))
    settle(cluster, order, cluster.concerned)
    assert set(cluster.applied[7]) == {0, *wanted}


def test_alone_it_completes_at_once() -> None:
    cluster = Watched([], TREE)
    cluster.concerned[1] = {0}
    cluster.begin(1, [0])
    assert cluster.completed == [1]


def test_the_children_are_told_before_the_value_is_applied() -> None:
    """So that they work meanwhile."""
    member = Member(-1, 0, (1, 2))
    effects = OnePhase().begin(ReplicaState(0, (member, member)), 1, 5, TREE, [Branch(1, ALL), Branch(2, 0)])
    assert [type(effect) for effect in effects] == [Send, Send, Apply]
    assert [(effect.target, effect.among) for effect in effects if isinstance(effect, Send)] == [(1, ALL), (2, 0)]


def test_what_a_peer_may_not_send() -> None:
    protocol, member = OnePhase(), Member(0, 0, (4,))
    state = ReplicaState(3, (member, member))
    with pytest.raises(PeerError, match="core 0 sent phase 2 of operation 9, not under way"):
        protocol.step(state, Received(0, 9, ACK, 0, 0, 0))
    with pytest.raises(PeerError, match="phase 5"):
        protocol.step(state, Received(0, 9, 5, 0, 0, 0))
    protocol.step(state, Received(0, 9, VALUE, 1, TREE, ALL))
    with pytest.raises(PeerError, match="operation 9 twice"):
        protocol.step(state, Received(0, 9, VALUE, 1, TREE, ALL))


@settings(deadline=None)
@given(parents=two_level_trees, data=st.data())
def test_pruned_branches_lead_to_the_cores_and_to_no_other(parents: list[int], data: st.DataObject) -> None:
    members = Cluster(parents, TREE).members
    others = sorted(set(members) - {0})
    absent = set(data.draw(st.lists(st.sampled_from(others))) if others else [])
    cores = set(data.draw(st.lists(st.sampled_from(others))) if others else []) - absent
    branches = prune(members.__getitem__, 0, cores, absent)
    reached: set[int] = set()
    for child, among in branches:
        assert child not in absent
        assert child not in reached, "twice"
        reached.add(child)
        reached.update(members[child].among(among))
    assert cores <= reached
    assert reached - cores <= {core for core, member in members.items() if member.children}
