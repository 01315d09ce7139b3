"""`mkit explain`: every code anything can raise has a meaning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from multikernel.cli.root import run

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"""\bcode(?:: str)? ?= ?(?:field\(default=)?["']([a-z-]+)["']""")


def test_every_code_in_the_sources_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["codes"]
    sources = sorted([*(ROOT / "kit").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
    raised = {code: file.name for file in sources for code in CODE.findall(file.read_text())}
    assert {"binding", "file-missing", "template-kind"} <= set(raised)
    assert {code: file for code, file in raised.items() if code not in known} == {}


def test_one_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "binding"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("A slot of the kernel cannot be bound; ")
    assert out.endswith("Exit 5.\n")


def test_a_code_of_boards_and_of_the_driver_has_both_meanings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "bad-size"]) == 0
    out = capsys.readouterr().out
    assert "A size is bytes" in out
    assert "The CPU driver refuses a capability invocation: a ... has ... bytes, not ...." in out


def test_an_unknown_code_names_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "bindng"]) == 2
    assert capsys.readouterr().err == "error: unknown-code: there is no error code 'bindng' (did you mean binding?)\n"
