"""`mkit campaign`: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from multikernel.campaign.judge import PROPERTIES
from multikernel.cli.root import run
from multikernel.faults import KINDS

TOY = str(Path(__file__).parents[1] / "groups" / "toy.yaml")
PLANTED = """\
from multikernel.hookspecs import hookimpl
from tests.groups.toys import {bug}, toy

multikernel_api = 1


@hookimpl
def consistency_protocols():
    yield toy({bug})
"""


def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    """A toy with a bug, as a distribution of its own."""
    (tmp_path / "mk_planted.py").write_text(PLANTED.format(bug=bug))
    info = tmp_path / "mk_planted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mk-planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[multikernel]\nmk_planted = mk_planted\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "mk_planted", raising=False)


def test_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["campaign", "mesh:3x1", "--object", "log", "--schedules", "12", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("log on mesh-3x1: ordered-broadcast, held by cores 0, 1, 2; faults: stop, stall, ")
    assert "  12    12 " in out
    for name in PROPERTIES:
        assert f"  {name}: no violation found: " in out


def test_a_violation_is_made_small_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path, monkeypatch, "leaves_one_out")
    file = tmp_path / "test_found.py"
    assert run(["campaign", TOY, "--object", "log", "--jobs", "1", "--write", str(file)]) == 1
    told = capsys.readouterr()
    assert "  order: violated: " in told.out
    assert "  agreement: no violation found: " in told.out
    assert "the smallest run found, of " in told.out
    assert told.err == f"error: violated: log on {TOY} violates order\n"
    with pytest.raises(AssertionError):
        runpy.run_path(str(file))["test_log_keeps_order"]()


def test_json_has_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed(tmp_path, monkeypatch, "forgets_to_answer")
    assert run(["campaign", TOY, "--object", "log", "--jobs", "1", "--faults", "none", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["protocol"], found["holders"], found["runs"], found["faults"]) == ("toy", [0, 1, 2], 1, [])
    assert found["violation"]["property"] == "progress"
    assert found["violation"]["how"] == "call 2 of core 1 is never answered"
    assert [step["reached"] > 0 for step in found["steps"]] == [True] * 4


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ["mesh:3x1", "--object", "page"],
            2,
            "error: unknown-name: clients ask for no object 'page' on mesh-3x1; there are: load, log, ",
        ),
        (
            ["mesh:3x1", "--faults", "stop,fire"],
            2,
            f"error: unknown-name: there is no fault 'fire'; there are: {', '.join(KINDS)}, none",
        ),
        (
            ["mesh:3x1", "--jitter", "2"],
            2,
            "error: usage: '2' is no time; write a number and ns, us, ms or s, as in 1.5ms",
        ),
        (
            ["mesh:3x1", "--object", "shootdown", "--tree", "oak"],
            2,
            "error: unknown-name: there is no tree 'oak'; there are: broadcast, unicast, multicast, numa",
        ),
        (["mash:3x1"], 3, "error: "),
    ],
)
def test_what_cannot_be_run_is_told(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["campaign", *arguments]) == code
    assert capsys.readouterr().err.startswith(told)


def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path, monkeypatch, "twice")
    place = tmp_path / "nowhere" / "test_found.py"
    assert run(["campaign", TOY, "--object", "log", "--jobs", "1", "--write", str(place)]) == 3
    assert "not-writable" in capsys.readouterr().err


def test_a_step_that_was_not_reached_is_an_error_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Over a tree of depth one nobody passes anything on."""
    asked = ["campaign", "mesh:3x1", "--object", "shootdown", "--tree", "unicast", "--schedules", "8", "--jobs", "1"]
    assert run(asked) == 0
    assert "  2  a core passes it on" in capsys.readouterr().out
    assert run([*asked, "--require-reached"]) == 1
    told = capsys.readouterr()
    assert "not reached" in told.out
    assert told.err == "error: not-reached: 8 runs of shootdown on mesh:3x1 did not reach steps 2\n"


def test_what_another_protocol_did_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Loads are told on the same kernel, by a protocol whose messages have the same numbers."""
    asked = ["campaign", "mesh:3x1", "--object", "log", "--schedules", "1", "--jobs", "1", "--json"]
    assert run(asked) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [step["number"] for step in steps if not step["reached"]] == [6, 7]
