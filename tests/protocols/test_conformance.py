"""What every installed protocol among equals must do, in schedules drawn with the faults that it says it withstands.

it keeps what its order promises, whatever happens                        (the clusters check each effect)
it goes on where it says that it survives, then comes to rest             progress, rest
a peer is what `freeze` says, and `thaw` makes it so                      each step is taken twice
in the end all that live hold the same, where nothing was lost for good
who is not asked for anything sends nothing and arms nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.group import Arm, GroupEffect, GroupEvent, GroupProtocol, Heard, Peer
from tests.protocols.cluster import Cluster
from tests.protocols.mergeable import MergeableCluster

SPECS = [spec for spec in Registry.load().consistency_protocols if isinstance(spec.factory(), GroupProtocol)]
SETTLE_US = 5_000_000
every = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


@dataclass
class Twin(Peer):
    """Takes each step with a peer, and with another one thawed from what it was."""

    peer: Peer
    other: Peer

    def neighbours(self) -> Sequence[int]:
        return self.peer.neighbours()

    def starts(self) -> Sequence[Arm]:
        return self.peer.starts()

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        frozen = self.peer.freeze()
        hash(frozen)
        self.other.thaw(frozen)
        effects = list(self.peer.step(event))
        assert list(self.other.step(event)) == effects
        assert self.other.freeze() == self.peer.freeze()
        return effects


class Twins:
    """Makes twins."""

    def __init__(self, spec: ConsistencyProtocolSpec) -> None:
        protocol = spec.factory()
        assert isinstance(protocol, GroupProtocol)
        self._protocol: GroupProtocol = protocol

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        peer, other = (self._protocol.start(core, members, incarnation) for _ in range(2))
        assert peer.role()
        return Twin(core, peer, other)


def cluster(spec: ConsistencyProtocolSpec, members: int, clients: int = 0, seed: int = 0) -> Cluster:
    """A cluster of a protocol's twins."""
    made = MergeableCluster if spec.order == "eventual" else Cluster
    return made(Twins(spec), range(members), members + clients, seed)


def most(spec: ConsistencyProtocolSpec, members: int) -> int:
    """How many members may stop and the others go on."""
    return {"none": 0, "minority": (members - 1) // 2, "any": members - 1}[spec.survives]


def settled_alike(made: Cluster) -> None:
    """All is answered and at rest; who lives holds the same."""
    made.settle(SETTLE_US)
    if isinstance(made, MergeableCluster):
        assert made.differences() == []


@every
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    members=st.integers(1, 5),
    clients=st.integers(0, 2),
    work=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2**64 - 1), st.sampled_from((0, 0, 0, 3, 40)))),
)
def test_without_faults_all_is_answered_and_alike(
    spec: ConsistencyProtocolSpec, seed: int, members: int, clients: int, work: list[tuple[int, int, int]]
) -> None:
    clients = 0 if spec.members == "all" and spec.order == "eventual" else clients
    made = cluster(spec, members, clients, seed)
    for core, value, us in work:
        made.submit(core % (members + clients), value)
        made.run(us)
    settled_alike(made)
    if not isinstance(made, MergeableCluster):
        assert len(made.order) >= len(work)
        assert all(made.carried[core] == len(made.order) for core in range(members))


@every
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    members=st.integers(2, 5),
    moves=st.lists(
        st.tuples(
            st.sampled_from(("submit", "submit", "submit", "stop", "amid", "restart")),
            st.integers(0, 4),
            st.integers(0, 60),
        ),
        max_size=40,
    ),
)
def test_with_the_faults_it_withstands_it_promises_as_much_and_goes_on_where_it_survives(
    spec: ConsistencyProtocolSpec, seed: int, members: int, moves: list[tuple[str, int, int]]
) -> None:
    made = cluster(spec, members, seed=seed)
    made.losing = 0.1 * ("drop" in spec.withstands)
    made.doubling = 0.1 * ("duplicate" in spec.withstands)
    fallen: dict[int, None] = {}
    for number, (move, place, us) in enumerate(moves):
        core = place % members
        lives = core in made.live()
        if move == "submit" and lives:
            made.submit(core, number)
        elif move in ("stop", "amid") and lives and "stop" in spec.withstands:
            fallen[core] = None
            made.stop(core, 1 + us % 4 if move == "amid" else 0)
        elif move == "restart" and "restart" in spec.withstands and len({**fallen, core: None}) <= most(spec, members):
            fallen[core] = None
            made.restart(core)
        made.run(us)
    if len(fallen) <= most(spec, members):
        settled_alike(made)


@every
def test_nobody_does_anything_unasked(spec: ConsistencyProtocolSpec) -> None:
    made = cluster(spec, 5)
    assert all(not made.peer(core).starts() for core in made.live())
    made.run(1_000_000)
    assert made.sent == 0


class Watched(Cluster):
    """Who tells whom, in which phase."""

    def __init__(self, spec: ConsistencyProtocolSpec, members: int) -> None:
        super().__init__(Twins(spec), range(members), members)
        self.told: dict[tuple[int, int], None] = {}
        self.phases: dict[int, None] = {}

    def _tell(self, core: int, target: int, event: Heard) -> None:
        known = target in self.peer(core).neighbours() or (target, core) in self.told
        assert known, f"core {core} has not met {target}"
        self.told[core, target] = None
        self.phases[event.phase] = None
        super()._tell(core, target, event)


class WatchedMergeable(Watched, MergeableCluster):
    """The same, of an eventual order."""


@every
def test_it_meets_whom_it_tells_and_its_messages_have_names(spec: ConsistencyProtocolSpec) -> None:
    """Without faults a member tells only its neighbours, and who told it something."""
    made = (WatchedMergeable if spec.order == "eventual" else Watched)(spec, 5)
    for core in range(5):
        made.submit(core, core)
    made.settle(SETTLE_US)
    assert 0 < min(made.phases) <= max(made.phases) <= len(spec.phases)


@every
def test_its_steps_speak_of_its_phases_and_timers(spec: ConsistencyProtocolSpec) -> None:
    words = {"submitted", "reconfigured", "executed", "execute", "answer", "refuse", *spec.phases, *spec.timers}
    assert {word for step in spec.steps for word in (*step.on, step.does)} <= words


def test_there_are_such_protocols() -> None:
    assert {spec.name for spec in SPECS} >= {"ordered-broadcast", "replicated-log", "eventual"}
