"""Colour on a terminal alone, never under NO_COLOR or --no-color; the caret stands under the mistake."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from multikernel.cli import output, root
from multikernel.errors import BoardError, Diagnostic


def on_a_terminal(environment: dict[str, str], *options: str) -> bytes:
    """What `mkit explain no-such-code` writes to a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "multikernel", *options, "explain", "no-such-code"]
    plain = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
    subprocess.run(command, env={**plain, "TERM": "xterm", **environment}, stderr=follower, check=False)
    os.close(follower)
    written = os.read(leader, 65536)
    os.close(leader)
    return written


def test_a_terminal_gets_colour() -> None:
    assert b"\x1b[31;1merror: unknown-code:\x1b[0m there is no error code" in on_a_terminal({})


@pytest.mark.parametrize(
    ("environment", "options"),
    [({"NO_COLOR": "1"}, ()), ({}, ("--no-color",)), ({"MKIT_COLOR": "0"}, ()), ({"TERM": "dumb"}, ())],
    ids=["NO_COLOR", "--no-color", "MKIT_COLOR", "dumb"],
)
def test_nobody_gets_colour_against_their_will(environment: dict[str, str], options: tuple[str, ...]) -> None:
    written = on_a_terminal(environment, *options)
    assert b"error: unknown-code: there is no error code" in written
    assert b"\x1b" not in written


def test_the_caret_stands_under_the_mistake_behind_tabs_too(capsys: pytest.CaptureFixture[str]) -> None:
    where = Diagnostic("b.yaml", 3, 5, "unknown-kind", "no kind 'a35'", source="\t\tk: a35")
    output.show_error(BoardError("bad", [where]))
    assert capsys.readouterr().err == "b.yaml:3:5: unknown-kind: no kind 'a35'\n    \t\tk: a35\n    \t\t  ^\n"


def test_a_table_has_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table([("a", "bcd"), ("efg", "h")], "  ")
    assert capsys.readouterr().out == "  a    bcd\n  efg  h\n"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("why zcu102", 2, "usage"),
        ("nosuch", 2, "usage"),
        ("skb query zcu102 core(X", 2, "knowledge"),
        ("skb query nosuch core(X,Y)", 3, "board-unknown"),
        ("skb schema nosuch", 3, "board-unknown"),
        ("board show nosuch", 3, "board-unknown"),
        ("measure nosuch", 3, "board-unknown"),
        ("plugins show nosuch", 2, "unknown-name"),
        ("explain nosuch", 2, "unknown-code"),
        ("why zcu102 nosuch", 2, "unknown-slot"),
    ],
)
def test_with_json_every_failure_is_one_object(
    capsys: pytest.CaptureFixture[str], arguments: str, code: int, told: str
) -> None:
    assert root.run([*arguments.split(" ", 3), "--json"]) == code
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    document = json.loads(line)
    assert (document["schema_version"], document["error"]["code"], document["error"]["exit_code"]) == (1, told, code)
    assert err
    root.run(arguments.split(" ", 3))
    assert capsys.readouterr().out == ""
