"""Two-phase commit at small sizes: all or nothing, in every order, with each fault; and whom it blocks."""

from __future__ import annotations

import pytest

from mk_two_phase.two_phase import ABORT, ACK, COMMIT, NO, PREPARE, YES, TwoPhase
from multikernel.checking import check
from multikernel.checking.model import Model
from multikernel.checking.plans import Report
from multikernel.errors import PeerError
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.protocol import (
    ALL,
    Applied,
    Branch,
    Complete,
    Member,
    Received,
    Release,
    ReplicaState,
    Send,
    Vote,
    Voted,
)
from multikernel.system.routes import TREES

UNICAST = 1


def two_phase() -> ConsistencyProtocolSpec:
    """As it is installed."""
    return Registry.load().consistency_protocols.get("two-phase")


def told(report: Report[Model]) -> str:
    """What is violated; "" if nothing is and all was explored."""
    found = report.violation
    return f"{found.name}: {found.how}" if found else "" if report.whole else "not all was explored"


@pytest.mark.parametrize("tree", TREES)
def test_all_or_nothing_in_every_order(tree: str) -> None:
    assert told(check(two_phase(), tree, 3, 1)) == ""


@pytest.mark.parametrize("tree", TREES)
def test_all_or_nothing_with_two_under_way(tree: str) -> None:
    assert told(check(two_phase(), tree, 3, 2)) == ""


@pytest.mark.parametrize("tree", ["unicast", "multicast"])
def test_what_comes_twice_changes_nothing(tree: str) -> None:
    assert told(check(two_phase(), tree, 3, 1, ("duplicate",))) == ""


@pytest.mark.parametrize("tree", TREES)
def test_a_core_may_stop_at_any_step(tree: str) -> None:
    assert told(check(two_phase(), tree, 3, 1, ("stop",))) == ""


def test_it_withstands_what_it_says_all_at_once() -> None:
    spec = two_phase()
    assert told(check(spec, "multicast", 3, 1, spec.withstands)) == ""


def test_four_cores_and_a_lost_message() -> None:
    report = check(two_phase(), "multicast", 4, 1, ("drop",))
    assert told(report) == ""
    assert report.states > 1000


@pytest.mark.determinism
def test_an_exploration_is_the_same_everywhere() -> None:
    report = check(two_phase(), "unicast", 3, 1, ("stop",))
    assert (report.states, report.transitions, sum(report.ends.values())) == (430, 519, 131)


def test_a_core_alone_is_explored_with_the_faults_it_can_have() -> None:
    spec = two_phase()
    report = check(spec, "unicast", 1, 2, spec.withstands)
    assert told(report) == ""
    assert {before for before, _ in report.ends} >= {
        ("stop of root having completed",),
        ("stop of root having aborted",),
    }


def test_every_step_is_reached_over_a_tree_of_two_levels() -> None:
    spec = two_phase()
    assert check(spec, "multicast", 3).reached == tuple(range(1, len(spec.steps) + 1))


def waiting(fault: str) -> set[tuple[str, ...]]:
    """The roles that wait for ever after one stop that is told so, over a flat tree."""
    return {waits for before, waits in check(two_phase(), "unicast", 3, 1, ("stop",)).ends if before == (fault,)}


def test_who_has_accepted_waits_for_ever_when_the_root_stops_before_it_decides() -> None:
    assert waiting("stop of root before it took part") == {()}
    assert ("leaf",) in waiting("stop of root having accepted")
    assert waiting("stop of root having completed") == {()}


def test_the_root_waits_for_a_core_that_stops_before_it_answers() -> None:
    """And the other cores, which have answered, wait for the root."""
    assert waiting("stop of leaf before it took part") == {("root", "leaf")}


def test_the_run_in_which_the_root_stops_between_the_answers_and_the_decision() -> None:
    """By hand: a core that has accepted is left with what it holds and nothing to do."""
    protocol, state = TwoPhase(), ReplicaState(1, (Member(0, 0, ()),) * 2)
    assert protocol.step(state, Received(0, 7, PREPARE, 107, UNICAST, ALL)) == [Vote(7, 107)]
    assert protocol.step(state, Voted(7, True)) == [Send(0, 7, YES, 0, UNICAST, 0)]
    assert state.under_way(7), "it holds the value until it hears"
    assert protocol.step(state, Received(0, 7, ABORT, 107, UNICAST, 0)) == [Release(7, 107)]
    assert protocol.step(state, Applied(7)) == [Send(0, 7, ACK, 0, UNICAST, 0)]
    assert not state.under_way(7)


def test_a_decision_on_what_is_over_is_acknowledged_again() -> None:
    protocol, state = TwoPhase(), ReplicaState(1, (Member(0, 0, ()),) * 2)
    assert protocol.step(state, Received(0, 7, COMMIT, 107, UNICAST, 0)) == [Send(0, 7, ACK, 0, 0, 0)]


def test_alone_it_is_its_replica_that_decides() -> None:
    protocol = TwoPhase()
    for accepted, effects in ((True, [Complete(1, True)]), (False, [Complete(1, False)])):
        state = ReplicaState(0, (Member(-1, 0, ()),) * 2)
        assert protocol.begin(state, 1, 5, UNICAST, []) == [Vote(1, 5)]
        found = protocol.step(state, Voted(1, accepted))
        assert (protocol.step(state, Applied(1)) if accepted else found) == effects


def test_what_a_peer_may_not_send() -> None:
    protocol, state = TwoPhase(), ReplicaState(1, (Member(0, 0, (2,)),) * 2)
    with pytest.raises(PeerError, match="core 0 sent phase 9 of operation 7"):
        protocol.step(state, Received(0, 7, 9, 0, UNICAST, 0))
    asked = protocol.step(state, Received(0, 7, PREPARE, 107, UNICAST, ALL))
    assert asked == [Send(2, 7, PREPARE, 107, UNICAST, ALL), Vote(7, 107)]
    with pytest.raises(PeerError, match="core 0 decided on operation 7 before it had the answer"):
        protocol.step(state, Received(0, 7, COMMIT, 107, UNICAST, 0))
    assert protocol.step(state, Received(3, 7, NO, 0, UNICAST, 0)) == [], "it was not asked"


def test_only_those_concerned_are_asked_over_a_broadcast() -> None:
    protocol = TwoPhase()
    root = ReplicaState(0, (Member(-1, 0, (1, 2, 3)),))
    effects = protocol.begin(root, 7, 107, 0, [Branch(1, 0), Branch(3, 0)])
    assert [effect.among for effect in effects if isinstance(effect, Send)] == [0b101]
    other = ReplicaState(2, (Member(0, 1, ()),))
    assert protocol.step(other, Received(0, 7, PREPARE, 107, 0, 0b101)) == []
    assert protocol.step(other, Received(0, 7, COMMIT, 107, 0, 0b101)) == []
