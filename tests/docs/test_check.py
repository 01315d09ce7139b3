"""The page on checking protocols is true: its commands end as it says, its tables are the code's."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from multikernel.checking import GROUP_PROPERTIES, PROPERTIES, check, check_group
from multikernel.cli.check import check_command
from multikernel.cli.root import run
from multikernel.registry import Registry
from multikernel.system.group import GroupProtocol

TEXT = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
PROTOCOLS = Registry.load().consistency_protocols
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


@pytest.mark.parametrize(("head", "properties"), [("", PROPERTIES), (" among equals", GROUP_PROPERTIES)])
def test_the_properties_are_the_code_s(head: str, properties: dict[str, str]) -> None:
    table = TEXT.partition(f"| property{head} |")[2].partition("\n\n")[0]
    assert dict(re.findall(r"^\| ([a-z]+) \| (.+) \|$", table, re.MULTILINE)) == properties


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
        spec = PROTOCOLS.get(name)
        for before, waits in sorted(check(spec, "multicast", 3, 1, ("stop",)).ends):
            for fault in before:
                told = found.setdefault(fault.removeprefix("stop of "), {})
                told.setdefault(name, []).append(" and ".join(waits) or "nobody")
    assert rows == [
        f"| {fault} | {' | '.join(' / '.join(told.get(name, ['-'])) for name in names)} |"
        for fault, told in sorted(found.items())
    ]
    trees = [name for name in PROTOCOLS.names() if not isinstance(PROTOCOLS.get(name).factory(), GroupProtocol)]
    assert sorted(names) == trees, "every protocol over a tree has a column"


def test_the_table_among_equals_is_what_exploration_finds() -> None:
    head, _, *rows = TEXT.partition("\n| stop of | before")[2].partition("\n\n")[0].splitlines()
    deeds = [deed.strip() for deed in f"before{head}".strip("| ").split("|")]
    found: list[str] = []
    for name in PROTOCOLS.names():
        spec = PROTOCOLS.get(name)
        if not isinstance(spec.factory(), GroupProtocol):
            continue
        waiting: dict[str, dict[str, list[str]]] = {}
        for before, waits in sorted(check_group(spec, 3, (0, 1), ("stop",)).ends):
            for fault in before:
                role, _, deed = fault.removeprefix("stop of ").partition(" ")
                assert deed in deeds
                waiting.setdefault(role, {}).setdefault(deed, []).append(" and ".join(waits) or "nobody")
        found += [
            f"| {name}: {role} | {' | '.join(' / '.join(told.get(deed, ['-'])) for deed in deeds)} |"
            for role, told in waiting.items()
        ]
    assert rows == found
