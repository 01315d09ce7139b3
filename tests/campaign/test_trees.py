"""Campaigns over trees: what they find in one-phase agreement with bugs, and that a call takes the tree it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multikernel.campaign.runner import campaign
from multikernel.campaign.schedules import Schedule, Work
from multikernel.campaign.trial import Run, Subject, trial
from multikernel.cli.campaign import field_of, withstood
from multikernel.registry import Registry
from multikernel.system.protocol import Effect, Event, Received, ReplicaState, Send
from tests.checking.planted import Bug, completes_at_once, planted
from tests.groups.toys import Plugin

BOARD = str(Path(__file__).with_name("planted.yaml"))


def unchanged(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """As it is installed."""
    return effects


def forgets_a_child(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """From its second agreement on the root neither tells its last child nor waits for it."""
    sends = [effect for effect in effects if isinstance(effect, Send)]
    if event is not None or len(sends) < 2 or sends[0].operation >> 8 == 1:
        return effects
    state.awaited[sends[-1].operation] -= 1
    return [effect for effect in effects if effect is not sends[-1]]


def subject(bug: Bug) -> Subject:
    return Subject.of(BOARD, "shootdown", Registry.load(Plugin(planted(bug))))


def found(bug: Bug, tree: str) -> Run | None:
    """The first run that violates something."""
    of = subject(bug)
    drawn = field_of(of, 3, withstood(of.spec), 2, 2000, Work(tree=tree))
    return campaign(of, drawn, 40, 1, 60.0, lambda _: None).violating


@pytest.mark.parametrize(
    ("bug", "tree", "name", "how"),
    [
        (completes_at_once, "multicast", "answer", " complete"),
        (forgets_a_child, "unicast", "answer", "and core 3 has done nothing"),
    ],
)
def test_each_bug_violates_what_it_breaks(bug: Bug, tree: str, name: str, how: str) -> None:
    run = found(bug, tree)
    assert run is not None
    assert run.violation is not None
    assert run.violation.name == name
    assert how in run.violation.how


def test_what_is_right_is_found_to_be() -> None:
    assert found(unchanged, "") is None


@pytest.mark.parametrize("tree", ["broadcast", "unicast", "multicast", "numa"])
def test_calls_take_the_tree_they_are_told(tree: str) -> None:
    """Told by the messages: a number for each tree."""
    trees: dict[int, None] = {}

    def watch(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
        if isinstance(event, Received) and event.phase == 1:
            trees[event.tree] = None
        return effects

    run = trial(subject(watch), Schedule(2, 0, (), Work(calls=8, tree=tree)))
    assert (run.violation, run.answered) == (None, 8)
    assert list(trees) == [("broadcast", "unicast", "multicast", "numa").index(tree)]
    mixed = trial(subject(watch), Schedule(2, 0, (), replace(run.schedule.work, tree="")))
    assert sorted(trees) == [0, 1, 2, 3]
    assert mixed.digest != run.digest
