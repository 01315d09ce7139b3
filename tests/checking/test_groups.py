"""Exploration among equals finds what is planted, misses nothing by reduction, and says what it did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from multikernel.checking import GROUP_PROPERTIES, check_group, replay_group
from multikernel.checking.diagram import lines, steps
from multikernel.errors import PeerError, UsageError
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.group import Answer, Arm, Elapsed, Execute, GroupEffect, GroupEvent, Peer, Submitted
from tests.checking.planted_group import (
    BUGS,
    Bug,
    Sequencer,
    does_not_remember,
    gossip,
    leaves_one_out,
    sequencer,
    tells_late,
)

NAMES = [bug.__name__ for bug, _ in BUGS]


@pytest.mark.parametrize("faults", [(), ("stop",), ("duplicate",), ("stop", "duplicate")], ids="+".join)
def test_the_sequencer_keeps_what_it_promises(faults: tuple[str, ...]) -> None:
    for submitters, timeouts in (((0, 1), 1), ((2, 2), 1), ((1, 2, 0), 0)):
        report = check_group(sequencer(), 3, submitters, faults, timeouts)
        assert report.violation is None
        assert report.whole
        assert report.reached == (1, 2, 3, 4)


@pytest.mark.parametrize(("bug", "violated"), BUGS, ids=NAMES)
def test_a_planted_bug_is_found_and_its_steps_show_it_again(bug: Bug, violated: str) -> None:
    report = check_group(sequencer(bug), 3, (0, 1), timeouts=1)
    assert report.violation is not None
    assert report.violation.name == violated
    told = steps(report.model, report.violation.moves)
    assert replay_group(sequencer(bug), 3, (0, 1), told) == f"{violated}: {report.violation.how}"
    assert replay_group(sequencer(), 3, (0, 1), told) == "", "it is not there without the bug"


def test_every_property_is_violated_by_some_bug() -> None:
    elsewhere = {"durability"}
    assert {violated for _, violated in BUGS} | elsewhere == set(GROUP_PROPERTIES)


@pytest.mark.parametrize("faults", [(), ("stop",), ("drop",), ("duplicate",), ("restart",)], ids="+".join)
def test_reduction_loses_no_violation_and_no_end(faults: tuple[str, ...]) -> None:
    for bug in (None, *(bug for bug, _ in BUGS)):
        spec = sequencer(bug)
        less, full = (
            check_group(spec, 3, (1, 2), faults, timeouts=1, reduced=reduced, budget_s=20) for reduced in (True, False)
        )
        assert (less.violation is None) == (full.violation is None), bug
        if full.violation is None:
            assert (less.whole, full.whole) == (True, True)
            assert (less.ends, less.reached) == (full.ends, full.reached)
            assert less.states < full.states


def test_what_was_answered_and_is_gone_with_the_core_that_knew_it() -> None:
    """The sequencer tells the others when it has answered: too late to survive its stop, though it says so."""
    spec = replace(sequencer(tells_late), survives="minority")
    report = check_group(spec, 3, (0,), ("stop",))
    assert report.violation is not None
    assert report.violation.name == "durability"
    assert report.violation.how == "core 0 was answered to 101, which no core has in the end"


def test_who_says_that_it_survives_a_stop_has_to_answer_after_one() -> None:
    report = check_group(replace(sequencer(), survives="minority"), 3, (1,), ("stop",))
    assert report.violation is not None
    assert report.violation.how == "core 1 is never answered to 101, in a fair run from here"
    assert check_group(sequencer(), 3, (1,), ("stop",)).violation is None, "it does not say so"


def test_gossip_comes_together_and_who_is_left_out_does_not() -> None:
    assert check_group(gossip(), 3, (0, 1, 1), ("duplicate",)).violation is None
    report = check_group(gossip(leaves_one_out), 3, (0,))
    assert report.violation is not None
    assert report.violation.name == "convergence"
    assert report.violation.how == "in the end core 0 holds 101 (request 1 of 0), core 2 nothing of core 0"


def test_who_waits_for_ever_by_the_role_and_deeds_of_who_stopped() -> None:
    ends = check_group(sequencer(), 3, (1,), ("stop",)).ends
    waits = {told for before, told in ends if before == ("stop of sequencer before it took part",)}
    assert waits == {("member",)}
    assert {told for before, told in ends if before and before[0].startswith("stop of member")} == {()}


def test_a_counterexample_is_drawn_with_timers_and_what_is_carried_out() -> None:
    report = check_group(sequencer(does_not_remember), 3, (1,), timeouts=1, reduced=False)
    assert report.violation is not None
    assert "\n".join(lines(report.model, report.violation)) == (
        "core 0                  core 1                  core 2\n"
        "|                       * submits 101           |\n"
        "|<----- ask 1,101 ------|                       |\n"
        "* carries out 101 at 1  |                       |\n"
        "|                       * timeout again         |\n"
        "|<----- ask 1,101 ------|                       |\n"
        "* carries out 101 at 2  |                       |\n"
        "validity: core 0 carries out 101 twice"
    )
    told = ["submit 1", "deliver 1>0", "timeout again 1", "deliver 1>0"]
    assert steps(report.model, report.violation.moves) == told


def test_who_restarts_has_forgotten_all_and_what_it_did_stays_done() -> None:
    """A core that begins anew numbers its requests as before, and takes an answer to the other life's for its own."""
    report = check_group(sequencer(), 2, (1, 1), ("restart",))
    assert report.violation is not None
    assert report.violation.how == "core 1 answers 102; it cannot know that a core carried it out"
    told = steps(report.model, report.violation.moves)
    assert told == ["submit 1, fall after 1", "restart 1", "submit 1", "deliver 1>0", "deliver 0>1"]
    assert replay_group(sequencer(), 2, (1, 1), told) == f"answer: {report.violation.how}"


def test_a_core_may_stop_between_two_effects() -> None:
    report = check_group(sequencer(), 3, (0,), ("stop",))
    assert ("stop of sequencer having carried out",) in {before for before, _ in report.ends}


def test_a_peer_is_stepped_on_a_copy_of_its_own() -> None:
    """What an exploration does in one order is not there in another."""
    one, other = (check_group(sequencer(), 3, (1, 2), ("stop",)) for _ in range(2))
    assert (one.states, one.transitions, one.ends) == (other.states, other.transitions, other.ends)


@pytest.mark.determinism
def test_an_exploration_among_equals_is_the_same_everywhere() -> None:
    report = check_group(sequencer(), 3, (0, 1), ("stop",), 1, 1)
    assert (report.states, report.transitions, sum(report.ends.values())) == (803, 1053, 270)


def test_a_step_that_keeps_no_plain_data_is_told() -> None:
    def keeps(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
        if isinstance(peer, Sequencer):
            peer.order.append([1, 2, 3])  # type: ignore[arg-type]
        return [effect for effect in effects if not isinstance(effect, Execute)]

    report = check_group(sequencer(keeps), 2, (0,))
    assert report.violation is not None
    assert report.violation.name == "steps"


def test_a_budget_that_is_over_leaves_the_rest_unknown() -> None:
    before = time.monotonic()
    report = check_group(sequencer(), 4, (1, 2, 3), ("stop", "duplicate"), 2, budget_s=0.2)
    assert (report.whole, report.violation) == (False, None)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"faults": ("fire",)}, "there is no fault 'fire'; there are: stop, restart, drop, duplicate"),
        ({"cores": 0}, "0 cores, 0 clients, 1 operations, 0 timeouts, 0 lulls: what can be explored is 1 to 8"),
        ({"submitters": (3,)}, "there is no core 3 to submit; there are: 0 to 2"),
    ],
)
def test_what_cannot_be_explored_is_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_group(sequencer(), **arguments)  # type: ignore[arg-type]


def test_what_a_core_did_before_it_fell_counts() -> None:
    """It carried 101 out and told nobody; begun anew it gives the place to another."""
    report = check_group(sequencer(tells_late), 2, (0, 1), ("restart",))
    assert report.violation is not None
    assert "core 0 carries out 101 (request 1 of 0) at place 1, core 0 102 (request 1 of 1)" in report.violation.how


@dataclass
class Hasty(Peer):
    """Carries out what it is asked for in a while; fails if it is left waiting for longer."""

    asked: int = 0

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(_, value):
                self.asked = value
                return [Arm(1, 10), Arm(2, 5)]
            case Elapsed(2):
                return [Execute(1, self.core, 1, self.asked), Answer(1, 1), Arm(1, 0)]
            case Elapsed():
                raise PeerError("too late")
        return []


class HastyProtocol:
    """Of one member."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        return Hasty(core)


def hasty() -> ConsistencyProtocolSpec:
    return replace(sequencer(), factory=HastyProtocol, timers=("late", "soon"), phases=(), steps=())


def test_in_a_fair_run_the_timer_that_is_due_first_runs_out_first() -> None:
    assert check_group(hasty(), 1, (0,)).violation is None


@pytest.mark.parametrize(("timeouts", "lulls"), [(1, 0), (0, 1)])
def test_in_an_exploration_any_timer_may_run_out(timeouts: int, lulls: int) -> None:
    report = check_group(hasty(), 1, (0,), (), timeouts, lulls)
    assert report.violation is not None
    assert steps(report.model, report.violation.moves) == ["submit 0", "timeout late 0"]
    assert replay_group(hasty(), 1, (0,), ["submit 0", "timeout late 0"]) == "steps: core 0: PeerError: too late"


def test_in_a_lull_nothing_is_under_way() -> None:
    """Who asks again while the answer is under way is found out by timers that run out at any moment alone."""
    assert check_group(sequencer(does_not_remember), 3, (1,), lulls=3).violation is None
    assert check_group(sequencer(does_not_remember), 3, (1,), timeouts=1).violation is not None


@pytest.mark.parametrize("name", ["ordered-broadcast", "replicated-log", "consensus", "eventual"])
def test_reduction_leaves_what_is_installed_the_same(name: str) -> None:
    """Each end is there, and so often as in full: a restart and timers are what most depends on order."""
    spec = Registry.load().consistency_protocols.get(name)
    for submitters, faults, timeouts in (((0, 1), ("stop",), 0), ((1,), ("restart",), 0), ((1,), ("stop",), 1)):
        less, full = (
            check_group(spec, 3, submitters, faults, timeouts, reduced=reduced, budget_s=60)
            for reduced in (True, False)
        )
        assert (less.violation, full.violation) == (None, None)
        assert (less.whole, full.whole) == (True, True)
        assert (less.ends, less.reached) == (full.ends, full.reached)
        assert less.states < full.states


def test_reduction_loses_no_kind_of_end_with_lulls() -> None:
    """Whether a timer ran out in a lull is another thing in another order; the ends are of the same kinds."""
    spec = Registry.load().consistency_protocols.get("consensus")
    for faults in ((), ("stop",), ("restart",)):
        less, full = (check_group(spec, 3, (1,), faults, 0, 2, reduced=reduced) for reduced in (True, False))
        assert (less.whole, full.whole) == (True, True)
        assert (less.ends.keys(), less.reached) == (full.ends.keys(), full.reached)


def test_of_two_members_that_are_left_none_may_stop() -> None:
    """Where the third is to go, who survives a minority of three survives a stop no more, but that of the third."""
    spec = Registry.load().consistency_protocols.get("consensus")
    report = check_group(spec, 3, (0, 0), ("stop",), lulls=1, reconfigure=True)
    assert report.violation is None
    assert {waits for before, waits in report.ends if before and "follower" in before[0]} == {(), ("leader",)}


def test_members_change_once() -> None:
    spec = Registry.load().consistency_protocols.get("consensus")
    for clients in (0, 1):
        report = check_group(spec, 3, (0, 1), clients=clients, reconfigure=True)
        assert report.violation is None
        assert report.whole
        assert report.states > 50
