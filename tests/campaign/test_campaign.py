"""Campaigns: what they find, how small they make it, that they are the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from multikernel.campaign.report import test_file as written
from multikernel.campaign.runner import Report, campaign
from multikernel.campaign.schedules import Field, Schedule, Work, draw
from multikernel.campaign.shrink import shrink
from multikernel.campaign.trial import Run, Subject, trial
from multikernel.faults import KINDS, Fault, parse
from tests.groups.toys import (
    Bug,
    answers_at_once,
    forgets_to_answer,
    leaves_one_out,
    other_value,
    right,
    subject,
    told_elsewhere,
    twice,
)

FIELD = Field(
    seed=1,
    kinds=("stall", "cut", "delay", "skew"),
    most=2,
    jitter_ns=2000,
    cores=(0, 1, 2),
    boot_core=0,
    span_ns=80_000,
    messages=50,
    steps=30,
    work=Work(calls=3),
)


def run(of: Subject, drawn: Field = FIELD, count: int = 40, jobs: int = 1) -> Report:
    return campaign(of, drawn, count, jobs, 60.0, lambda _: None)


def violating(bug: Bug, faults: Sequence[str] = (), work: Work = FIELD.work) -> Run:
    found = trial(subject(bug), Schedule(5, 0, tuple(map(parse, faults)), work))
    assert found.violation is not None
    return found


def test_what_is_right_is_found_to_be() -> None:
    report = run(subject())
    assert (report.runs, report.distinct, report.violating) == (40, 40, None)
    assert report.answered == 40 * 9
    assert all(report.reached[number] for number in range(1, 5))
    assert sorted(report.struck) == ["cut", "delay", "skew", "stall"]


@pytest.mark.parametrize(
    ("bug", "name", "how"),
    [
        (answers_at_once, "answer", "is told that"),
        (leaves_one_out, "order", "core 2 carries out place"),
        (other_value, "agreement", "at place 1 core "),
        (forgets_to_answer, "progress", "call 2 of core 1 is never answered"),
        (twice, "order", "core 0 carries out place 1 as its 2."),
        (told_elsewhere, "history", "is told to be at place"),
    ],
)
def test_each_bug_violates_what_it_breaks(bug: Bug, name: str, how: str) -> None:
    report = run(subject(bug))
    assert report.violating is not None
    assert report.violating.violation is not None
    assert report.violating.violation.name == name
    assert how in report.violating.violation.how


def test_a_core_that_stops_leaves_the_others_waiting_and_that_is_no_violation() -> None:
    found = trial(subject(), Schedule(5, 0, (parse("stop:1@run+step:3"),), FIELD.work))
    assert found.struck == ("stop:1@run+step:3",)
    assert found.violation is None
    assert found.answered < 9


@pytest.mark.determinism
def test_a_schedule_gives_the_same_run_everywhere() -> None:
    schedule = Schedule(7, 1500, (parse("delay:1-2@run+10us+40us=5us"),), Work(calls=2))
    first, second = trial(subject(), schedule), trial(subject(), schedule)
    assert first.digest == second.digest
    assert first.digest != trial(subject(), replace(schedule, seed=8)).digest
    assert trial(subject(), replace(schedule, jitter_ns=0)).digest != first.digest


@pytest.mark.determinism
def test_schedules_are_drawn_by_number_alone() -> None:
    drawn = [draw(FIELD, number) for number in range(200)]
    assert drawn == [draw(FIELD, number) for number in range(200)]
    assert drawn[0] == Schedule(1_000_003, 0, (), FIELD.work)
    assert {len(schedule.faults) for schedule in drawn[:8]} == {0}
    assert {len(schedule.faults) for schedule in drawn[8:]} == {1, 2}
    assert [str(fault) for fault in draw(FIELD, 9).faults] == [str(fault) for fault in draw(FIELD, 9).faults]
    assert all(parse(str(fault)) == fault for schedule in drawn for fault in schedule.faults)


def test_all_kinds_are_drawn_and_the_boot_core_is_never_started_anew() -> None:
    faults = [fault for number in range(400) for fault in draw(replace(FIELD, kinds=KINDS), number).faults]
    assert {fault.kind for fault in faults} == set(KINDS)
    assert {fault.trigger for fault in faults} == {"time", "message", "step"}
    assert {fault.core for fault in faults if fault.kind == "restart"} == {1, 2}


def test_processes_find_what_one_finds() -> None:
    alone, together = run(subject(leaves_one_out)), run(subject(leaves_one_out), jobs=2)
    assert alone.violating is not None
    assert together.violating is not None
    assert together.violating.schedule == alone.violating.schedule
    assert together.violating.digest == alone.violating.digest


def test_it_is_made_small() -> None:
    first = violating(leaves_one_out, ("stall:0@run+20us+30us", "skew:2@run+5us=+1us"), Work(4, 0, 2, 2))
    small, tried = shrink(subject(leaves_one_out), first, 60.0)
    assert small.schedule.faults == ()
    assert (small.schedule.work.calls, small.schedule.work.outstanding) == (2, 1)
    assert small.messages < first.messages
    assert tried > 5


def test_what_needs_a_fault_keeps_it() -> None:
    """A stop is the only way this sequencer leaves somebody waiting: that it survives one is what is not so."""
    spec = replace(subject().spec, survives="any")
    claimed = replace(subject(), spec=spec)
    faults = (parse("skew:2@run+5us=+1us"), parse("stop:0@run+step:16"))
    first = trial(claimed, Schedule(5, 700, faults, FIELD.work))
    assert first.violation is not None
    small, _ = shrink(claimed, first, 60.0)
    assert [fault.kind for fault in small.schedule.faults] == ["stop"]
    assert small.schedule.jitter_ns == 0


def test_it_is_written_as_a_test() -> None:
    small = violating(leaves_one_out)
    text = written("boards/mine.yaml", "log", small)
    compile(text, "written", "exec")
    assert "def test_log_keeps_order() -> None:" in text
    assert '"boards/mine.yaml"' in text
    assert "seed=5," in text
    faulty = Fault("stop", 1, at=1000, since="run")
    assert '"stop:1@run+1us",' in written(
        "b", "log", replace(small, schedule=replace(small.schedule, faults=(faulty,)))
    )


def test_what_is_right_stays_right_without_a_fault() -> None:
    assert trial(subject(right), Schedule(0, 0, (), Work(calls=1))).violation is None


def test_a_core_alone_is_struck_by_what_a_core_alone_can_have() -> None:
    alone = replace(FIELD, kinds=KINDS, cores=(0,))
    faults = [fault for number in range(100) for fault in draw(alone, number).faults]
    assert {fault.kind for fault in faults} == {"stop", "stall", "skew"}


def test_what_cannot_happen_on_a_board_is_left_out() -> None:
    """A core of the card is reached over a device, and so is not started anew."""
    card = Subject.of("xeon-accel", "store")
    cores = [core.id for core in card.blueprint.cores]
    asked = tuple(parse(text) for text in (f"restart:{cores[-1]}@run+1us+1us", f"stop:{cores[-1]}@run+1us"))
    assert card.possible(Schedule(1, 0, asked, Work())).faults == asked[1:]
