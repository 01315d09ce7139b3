"""`mkit check`: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from multikernel.cli.root import run

OVERDUE = ("check", "one-phase", "--faults", "duplicate", "--tree", "unicast")


def test_a_protocol_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "one-phase", "--faults", "none"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("one-phase: cores: 3, operations: 1, faults: none\n  tree       states  transitions")
    assert "  2  a core passes it on                                        reached\n" in out
    assert "  completion: holds: " in out


def test_a_step_that_nothing_reaches_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "one-phase", "--tree", "unicast"]) == 0
    assert "  2  a core passes it on                                        not reached\n" in capsys.readouterr().out


def test_without_more_it_is_what_the_protocol_withstands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "one-phase"]) == 0
    out = capsys.readouterr().out
    assert "faults: stop, drop\n" in out
    assert "  stop of leaf before it took part   root / root and inner\n" in out


def test_a_violation_is_told_drawn_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "test_found.py"
    assert run([*OVERDUE, "--write", str(file)]) == 1
    told = capsys.readouterr()
    assert "  validity: violated: " in told.out
    assert "  completion: no violation found: " in told.out
    assert "  |----------- value 1 (duplicate) ---------->|\n" in told.out
    assert told.err == "error: violated: one-phase violates validity over unicast\n"
    with pytest.raises(AssertionError):
        runpy.run_path(str(file))["test_one_phase_keeps_validity"]()


def test_json_has_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*OVERDUE, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["trees"][0]["violation"] == {
        "property": "validity",
        "how": "core 2 carries out operation 1 twice",
        "steps": ["begin", "duplicate 0>2", "deliver 0>2"],
    }
    assert [step["number"] for step in found["steps"] if not step["reached"]] == [2, 5]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["one-fase"], 2, "there is no consistency protocol 'one-fase' (did you mean one-phase?)"),
        (["one-phase", "--tree", "oak"], 2, "there is no tree 'oak'; there are: broadcast, unicast, multicast, numa"),
        (["one-phase", "--faults", "stop,fire"], 2, "there is no fault 'fire'; there are: stop, drop, duplicate"),
        (["one-phase", "--cores", "0"], 2, "0 cores, 1 operations: what can be explored is"),
        (["one-phase", "--budget", "0"], 1, "unexplored: not all was explored in 0 s"),
        ([*OVERDUE[1:], "--write", "/nowhere/x.py"], 3, "not-writable: /nowhere/x.py: No such file or directory"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *arguments]) == code
    assert told in capsys.readouterr().err


def test_among_equals_there_are_ways_to_submit_and_faults_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "ordered-broadcast"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ordered-broadcast: members: 3, clients: 0, operations: 2, timeouts: ")
    assert "\n  submitters          states  transitions  ends  states/s\n  0,1 " in out
    for row in ("0,1 with stop ", "0,1 with duplicate ", "2,2 ", "2,2 with stop ", "2,2 with duplicate "):
        assert f"\n  {row}" in out
    assert "  stop of sequencer having answered      nobody / member\n" in out
    assert "  agreement: holds: at each place" in out


def test_one_operation_is_submitted_by_each_core_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "ordered-broadcast", "--operations", "1", "--clients", "1", "--faults", "stop", "--json"]
    assert run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    rows = [(row["submitters"], row["faults"]) for row in found["explorations"]]
    assert rows == [("0", ["stop"]), ("1", ["stop"]), ("2", ["stop"]), ("3", ["stop"])]
    assert all(step["reached"] for step in found["steps"]), "with a client every step is"


def test_what_a_protocol_does_not_withstand_is_told_drawn_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It relies on channels that lose nothing."""
    file = tmp_path / "test_found.py"
    arguments = ["check", "ordered-broadcast", "--submitters", "0,1", "--faults", "drop", "--write", str(file)]
    assert run(arguments) == 1
    told = capsys.readouterr()
    assert "order 1,0,1,101 (drop) --" in told.out
    assert "gave place 2 where 1 is the next\n" in told.out
    assert told.err == "error: violated: ordered-broadcast violates steps submitted by 0,1 with drop\n"
    (test,) = [each for name, each in runpy.run_path(str(file)).items() if name.startswith("test_")]
    with pytest.raises(AssertionError):
        test()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["consensus", "--tree", "numa"], "--tree is for protocols over a tree; consensus is among equals"),
        (["one-phase", "--clients", "1"], "--clients is for protocols among equals; one-phase is over a tree"),
        (["one-phase", "--lulls", "0"], "--lulls is for protocols among equals; one-phase is over a tree"),
        (["consensus", "--submitters", "0;1"], "--submitters 0;1: not core numbers with commas between, as 0,1"),
        (["consensus", "--submitters", "0,7"], "there is no core 7 to submit; there are: 0 to 2"),
        (["consensus", "--submitters", "0,1", "--operations", "3"], "names 2 cores for 3 operations"),
        (["consensus", "--faults", "fire"], "there is no fault 'fire'; there are: stop, restart, drop, duplicate"),
        (["consensus", "--cores", "0"], "0 cores, 0 clients, 2 operations, 1 timeouts, 2 lulls: what can"),
        (["eventual", "--clients", "1"], "it has no clients, no change of members"),
    ],
)
def test_what_does_not_fit_among_equals_is_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", *arguments]) == 2
    assert told in capsys.readouterr().err
