"""Exploration finds what is planted, misses nothing by reduction, and says what it did."""

from __future__ import annotations

import pytest

from multikernel.checking import check, replay
from multikernel.checking.diagram import lines, steps, word
from multikernel.checking.model import Model
from multikernel.checking.plans import Fault
from multikernel.checking.trees import TreeExplorer
from multikernel.errors import UsageError
from multikernel.system.routes import TREES
from tests.checking.planted import BUGS, Bug, completes_at_once, one_phase, planted

NAMES = [bug.__name__ for bug, _ in BUGS]


@pytest.mark.parametrize("tree", TREES)
def test_one_phase_keeps_what_it_promises(tree: str) -> None:
    for cores, operations, faults in ((4, 2, ()), (3, 2, ("stop",)), (4, 1, ("stop", "drop"))):
        report = check(one_phase(), tree, cores, operations, faults)
        assert report.violation is None
        assert report.whole


def test_every_step_of_one_phase_is_reached_over_a_tree_of_two_levels() -> None:
    spec = one_phase()
    assert check(spec, "multicast", 3).reached == tuple(range(1, len(spec.steps) + 1))
    assert 2 not in check(spec, "unicast", 3).reached, "nobody passes on where all hang below the root"


@pytest.mark.parametrize(("bug", "violated"), BUGS, ids=NAMES)
def test_a_planted_bug_is_found_and_its_steps_show_it_again(bug: Bug, violated: str) -> None:
    report = check(planted(bug), "multicast", 3)
    assert report.violation is not None
    assert report.violation.name == violated
    told = steps(report.model, report.violation.moves)
    assert replay(planted(bug), "multicast", 3, 1, told) == f"{violated}: {report.violation.how}"
    assert replay("one-phase", "multicast", 3, 1, told) == "", "it is not there without the bug"


@pytest.mark.parametrize("faults", [(), ("stop",), ("drop",), ("duplicate",), ("stop", "duplicate")], ids="+".join)
@pytest.mark.parametrize("tree", ["broadcast", "multicast"])
def test_reduction_loses_no_violation_and_no_end(tree: str, faults: tuple[str, ...]) -> None:
    for bug in (None, *(bug for bug, _ in BUGS)):
        spec = planted(bug) if bug else one_phase()
        less, full = (check(spec, tree, 3, 2, faults, reduced=reduced) for reduced in (True, False))
        assert (less.violation is None) == (full.violation is None), bug
        if full.violation is None:
            assert (less.ends, less.reached) == (full.ends, full.reached)
            assert less.states < full.states


def test_a_duplicate_is_what_one_phase_does_not_withstand() -> None:
    report = check(one_phase(), "broadcast", 3, 1, ("duplicate",))
    assert report.violation is not None
    assert "duplicate" not in one_phase().withstands
    assert "\n".join(lines(report.model, report.violation)) == (
        "core 0                core 1                core 2\n"
        "* begins 1            |                     |\n"
        "* applies 1           |                     |\n"
        "|----------- value 1 (duplicate) ---------->|\n"
        "|                     |                     * applies 1\n"
        "|----------------- value 1 ---------------->|\n"
        "validity: core 2 carries out operation 1 twice"
    )


def test_a_counterexample_is_as_short_as_can_be() -> None:
    assert [len(found.moves) for found in [check(planted(completes_at_once), "numa", 4, 2).violation] if found] == [1]


def test_who_waits_for_a_core_that_stopped() -> None:
    ends = check(one_phase(), "unicast", 3, 1, ("stop",)).ends
    assert (("stop of leaf before it took part",), ("root",)) in ends
    assert {waits for before, waits in ends if before and "root" in before[0]} == {()}, "nobody waits for the root"


def test_a_core_may_stop_between_two_messages_it_sends() -> None:
    model = Model(one_phase(), "unicast", 4, 1)
    explorer = TreeExplorer(model)
    moves = {word(model, move): move for move in explorer.moves(explorer.start([Fault("stop", 0)]))}
    assert list(moves) == ["begin", "begin, stop after 1", "begin, stop after 2", "begin, stop after 3", "stop 0"]
    told = {
        name: [model.channels[c][1] for c, waiting in enumerate(move.after[5:]) if waiting]
        for name, move in moves.items()
    }
    assert [told[name] for name in moves] == [[1, 2, 3], [1], [1, 2], [1, 2, 3], []]


def test_a_budget_that_is_over_leaves_the_rest_unknown() -> None:
    report = check(one_phase(), "unicast", 4, 2, budget_s=-1)
    assert (report.whole, report.violation) == (False, None)


def test_what_cannot_be_explored_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no fault 'fire'; there are: stop, drop, duplicate"):
        check(one_phase(), "unicast", 3, 1, ("fire",))
    with pytest.raises(UsageError, match="9 cores, 1 operations"):
        check(one_phase(), "unicast", 9)
