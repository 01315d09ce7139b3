"""`mkit explain`: every code anything can raise has a meaning."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from multikernel.cli.root import run

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"""\bcode(?:: str)? ?= ?(?:field\(default=)?["']([a-z-]+)["']""")
RAISERS = ("Diagnostic", "_at", "_refuse", "note", "refuse")
"""Functions whose first constant argument of text is a code."""


def codes_in(source: str) -> list[str]:
    """Codes given by keyword, as a class's default, or to one of the raisers."""
    found: list[str] = CODE.findall(source)
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in RAISERS:
            texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            found += [text for text in texts[:1] if re.fullmatch("[a-z]+(-[a-z]+)*", text)]
    return found


def test_every_code_in_the_sources_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["codes"]
    sources = sorted([*(ROOT / "kit").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
    raised = {code: file.name for file in sources for code in codes_in(file.read_text())}
    assert {"binding", "file-missing", "template-kind", "unknown-predicate", "slot-taken"} <= set(raised)
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
    assert "  The CPU driver refuses a capability invocation: " in out


def test_an_unknown_code_names_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "bindng"]) == 2
    assert capsys.readouterr().err == "error: unknown-code: there is no error code 'bindng' (did you mean binding?)\n"
