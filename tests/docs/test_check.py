"""The page on checking protocols is true: its commands end as it says, its tables are the code's."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from multikernel.checking import PROPERTIES, check
from multikernel.cli.check import check_command
from multikernel.cli.root import run
from multikernel.registry import Registry

TEXT = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
COMMANDS = re.findall(r"^    mkit (check [^#\n]*)(?:# exit (\d))?", TEXT, re.MULTILINE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize(("command", "code"), COMMANDS, ids=[command.strip() for command, _ in COMMANDS])
def test_the_commands_of_the_page_end_as_it_says(
    command: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(command.split()) == int(code or 0)
    assert "\nproperties\n" in capsys.readouterr().out


def test_the_properties_are_the_code_s() -> None:
    rows = re.findall(r"^\| ([a-z]+) \| (.+) \|$", TEXT.partition("| property |")[2].partition("\n\n")[0], re.MULTILINE)
    assert dict(rows) == PROPERTIES


def test_the_options_are_the_command_s() -> None:
    named = re.findall(r"^\| `--([a-z]+)", TEXT, re.MULTILINE)
    assert named == [name for name in inspect.signature(check_command).parameters if name != "protocol"]


def test_the_diagram_is_what_the_command_draws(capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", "one-phase", "--faults", "duplicate"])
    drawn = capsys.readouterr().out
    shown = [line.strip() for line in TEXT.splitlines() if re.match(" {6}(core|[|*])", line)]
    assert len(shown) == 6
    assert [line for line in shown if line not in drawn] == []


def test_the_table_of_whom_a_stop_blocks_is_what_exploration_finds() -> None:
    head, _, *rows = TEXT.partition("## Whom a stop blocks")[2].partition("\n| ")[2].partition("\n\n")[0].splitlines()
    names = [name.strip() for name in head.strip("| ").split("|")][1:]
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        spec = Registry.load().consistency_protocols.get(name)
        for before, waits in sorted(check(spec, "multicast", 3, 1, ("stop",)).ends):
            for fault in before:
                told = found.setdefault(fault.removeprefix("stop of "), {})
                told.setdefault(name, []).append(" and ".join(waits) or "nobody")
    assert rows == [
        f"| {fault} | {' | '.join(' / '.join(told.get(name, ['-'])) for name in names)} |"
        for fault, told in sorted(found.items())
    ]
    assert len(names) == len(Registry.load().consistency_protocols.names()), "every protocol has a column"
