"""The root of `mkit`, as a process: exit codes, plugin commands, cheap help, quiet pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PLUGIN = '''
import typer
from multikernel import errors
from multikernel.cli import output
from multikernel.hookspecs import hookimpl
from multikernel.spec import CommandSpec

multikernel_api = 1
loud = typer.Typer()

ERRORS = {
    "failure": lambda: errors.MultikernelError("it failed"),
    "usage": lambda: errors.UsageError("wrong words"),
    "file": lambda: errors.FileError("no such file: x"),
    "board": lambda: errors.BoardError("bad board", [
        errors.Diagnostic("b.yaml", 2, 6, "E-kind", "unknown kind 'a35'", ("a53",), "name a kind", "core: a35"),
        errors.Diagnostic("b.yaml", 4, 1, "E-name", "no name"),
    ]),
    "binding": lambda: errors.BindingError("cannot bind", slot="monitor"),
    "timeout": lambda: errors.BootTimeout("core 3 is silent"),
    "program": lambda: errors.ProgramFailed("ping raised"),
    "bug": lambda: KeyError("inner"),
    "interrupt": lambda: KeyboardInterrupt(),
}

@loud.command()
def fail(kind: str) -> None:
    """Fail in some way."""
    raise ERRORS[kind]()

@loud.command()
def talk(lines: int = 3) -> None:
    """Say much."""
    for n in range(lines):
        output.emit(f"line {n}")

@loud.command()
def wait() -> None:
    """Wait for ever."""
    import time
    output.emit("waiting")
    __import__("sys").stdout.flush()
    time.sleep(60)

@hookimpl
def commands():
    yield CommandSpec("loud", "Says much.", factory=lambda: loud)
'''


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A process environment with a plugin that has a command `loud`."""
    (tmp_path / "mk_loud.py").write_text(PLUGIN)
    info = tmp_path / "mk_loud-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mk-loud\nVersion: 1.5\n")
    points = "[multikernel]\nmk_loud = mk_loud\n[multikernel.commands]\nloud = mk_loud\n"
    (info / "entry_points.txt").write_text(points)
    return {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "100"}


def mkit(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "multikernel", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("failure", 1, "error: failure: it failed\n"),
        ("usage", 2, "error: usage: wrong words\n"),
        ("file", 3, "error: file: no such file: x\n"),
        (
            "board",
            4,
            "b.yaml:2:6: E-kind: unknown kind 'a35' (did you mean a53?); name a kind\n"
            "    core: a35\n"
            "         ^\n"
            "b.yaml:4:1: E-name: no name\n",
        ),
        ("binding", 5, "error: binding: cannot bind\n"),
        ("timeout", 6, "error: boot-timeout: core 3 is silent\n"),
        ("program", 7, "error: program: ping raised\n"),
        ("bug", 1, "bug: KeyError: 'inner'; -vvv shows where\n"),
        ("interrupt", 130, ""),
    ],
)
def test_every_error_has_its_exit_code_and_no_traceback(
    environment: dict[str, str], kind: str, code: int, message: str
) -> None:
    done = mkit(environment, "loud", "fail", kind)
    assert (done.returncode, done.stderr.strip("\n"), done.stdout) == (code, message.strip("\n"), "")


def test_a_traceback_appears_at_vvv_alone(environment: dict[str, str]) -> None:
    assert "Traceback" not in mkit(environment, "-vv", "loud", "fail", "file").stderr
    assert "Traceback" in mkit(environment, "-vvv", "loud", "fail", "file").stderr
    assert "Traceback" in mkit({**environment, "MKIT_VERBOSE": "3"}, "loud", "fail", "bug").stderr


def test_an_option_can_come_from_the_environment(environment: dict[str, str]) -> None:
    done = mkit({**environment, "MKIT_LOUD_TALK_LINES": "1"}, "loud", "talk")
    assert done.stdout == "line 0\n"


def test_a_reader_that_leaves_is_no_error(environment: dict[str, str]) -> None:
    command = f"{sys.executable} -m multikernel loud talk --lines 200000 | head -n 1"
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("line 0\n", "")


def test_an_interrupt_exits_130_in_silence(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "multikernel", "loud", "wait"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, "", "")


def test_help_lists_commands_of_plugins_and_loads_none(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mk_loud.py").write_text("raise RuntimeError('loaded')")
    done = mkit(environment, "--help")
    assert done.returncode == 0
    assert "loud" in done.stdout
    assert "From mk-loud." in done.stdout
    assert done.stderr == ""
    assert "mk_loud" in mkit(environment, "--version").stdout


@pytest.mark.parametrize(
    ("redirect", "code", "said"),
    [
        ("<&- >&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 3, "error: not-writable: standard output: No space left on device\n"),
    ],
)
def test_streams_that_are_closed_or_full(environment: dict[str, str], redirect: str, code: int, said: str) -> None:
    for words in ("--help", "board list"):
        script = f'"$0" -m multikernel {words} {redirect}'
        done = subprocess.run(
            ["/bin/sh", "-c", script, sys.executable], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (code, "", said), words


def test_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    script = (
        "import sys\nfrom multikernel.cli.root import run\n"
        "assert run(['--help']) == 0\n"
        "heavy = ['pydantic', 'rich', 'pluggy', 'yaml', 'multikernel.registry', 'multikernel.board']\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_an_unknown_command_names_the_near_one_and_the_broken_plugins(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mk_loud.py").write_text("raise RuntimeError('loaded')")
    done = mkit(environment, "plugin")
    assert done.returncode == 2
    assert "No such command 'plugin'. Did you mean 'plugins'" in done.stderr
    assert "warning: mk-loud 1.5: plugin 'mk_loud' does not import: RuntimeError: loaded (mk_loud.py:1)" in done.stderr


def test_nothing_said_is_a_usage_error_that_shows_the_help(environment: dict[str, str]) -> None:
    done = mkit(environment)
    assert done.returncode == 2
    assert "Usage: mkit" in done.stdout + done.stderr


def test_the_version_names_the_plugins(environment: dict[str, str]) -> None:
    lines = mkit(environment, "--version").stdout.splitlines()
    assert lines[0].startswith("mkit 0.1.0 (plugin API 1, Python 3.")
    assert ["mk_loud", "mk-loud", "1.5"] in [line.split() for line in lines]


def test_completion_knows_the_commands(environment: dict[str, str]) -> None:
    asked = {**environment, "_MKIT_COMPLETE": "complete_bash", "COMP_WORDS": "mkit plug", "COMP_CWORD": "1"}
    assert mkit(asked).stdout.split() == ["plugins"]
    asked = {**environment, "_MKIT_COMPLETE": "complete_bash", "COMP_WORDS": "mkit plugins do", "COMP_CWORD": "2"}
    assert mkit(asked).stdout.split() == ["doctor"]
