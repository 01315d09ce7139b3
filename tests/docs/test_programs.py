"""The program of the page on programs is installed as the page says, and does what the page says.

With it: memory, mappings, threads, dispatchers on other cores, channels and the name service work for users.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path

import pytest

from multikernel import Multikernel, assemble
from multikernel.cli.root import run
from multikernel.errors import UsageError
from multikernel.events import ProcessStarted
from multikernel.system.runtime import Dispatcher

PAGE = Path(__file__).parents[2] / "docs" / "programs.md"
BLOCK = re.compile(r"(?:^    .*\n|^\n)+", re.MULTILINE)
BOARDS = ("x86-qemu", "paper-8x4-amd")
OFFERS = re.compile(r"(?<![\w.])([a-z_]+(?:\.[a-z_]+)*)\(")


def block(opening: str) -> str:
    """The indented block of the page that begins so."""
    blocks = [textwrap.dedent(found).strip("\n") + "\n" for found in BLOCK.findall(PAGE.read_text())]
    (found,) = [text for text in blocks if text.startswith(opening)]
    return found


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the page's module, which can be imported."""
    (tmp_path / "total.py").write_text(block('"""total:'))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "total", raising=False)
    return tmp_path


@pytest.fixture
def installed(module: Path) -> None:
    """The page's plugin, as a distribution with the page's entry point."""
    info = module / "total-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: total\nVersion: 1.0\n")
    group, _, entries = block("[project.entry-points").partition("\n")
    assert group == "[project.entry-points.multikernel]"
    (info / "entry_points.txt").write_text("[multikernel]\n" + entries.replace('"', ""))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("board", BOARDS)
def test_every_core_adds_up_its_part(board: str) -> None:
    with Multikernel(assemble(board)).boot("sim") as kernel:
        rows = kernel.run("total", words=100)
        others = [core.id for core in kernel.blueprint.cores if core.id != kernel.blueprint.boot_core]
        assert rows.column("core") == others
        assert rows.column("first") == [100 * part // len(others) for part in range(len(others))]
        assert rows.sum == 5050
        started = [event.core for event in kernel.events if isinstance(event, ProcessStarted) and event.name == "total"]
        assert sorted(started) == [core.id for core in kernel.blueprint.cores]


@pytest.mark.usefixtures("installed")
def test_it_runs_again_and_on_real_cores() -> None:
    with Multikernel(assemble("x86-qemu")).boot("host") as kernel:
        assert [kernel.run("total", words=words).sum for words in (3, 100)] == [6, 5050]


@pytest.mark.usefixtures("module")
def test_the_page_s_test_passes() -> None:
    exec(compile(block("from importlib.metadata"), str(PAGE), "exec"), {})


@pytest.mark.usefixtures("installed")
def test_the_command_the_page_names(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = re.findall(r"^    mkit (boot .*--run total.*)$", PAGE.read_text(), re.MULTILINE)
    assert run([*command.split(), "--json"]) == 0
    (program,) = json.loads(capsys.readouterr().out)["programs"]
    assert program == {
        "name": "total",
        "status": "ok",
        "result": [
            {"core": 1, "first": 0, "sum": sum(range(1, 34))},
            {"core": 2, "first": 33, "sum": sum(range(34, 67))},
            {"core": 3, "first": 66, "sum": sum(range(67, 101))},
        ],
    }


@pytest.mark.usefixtures("installed")
def test_it_takes_the_parameter_it_names_alone() -> None:
    with Multikernel(assemble("x86-qemu")).boot("sim") as kernel, pytest.raises(UsageError, match="it takes: words"):
        kernel.run("total", word=1)


def test_the_page_names_what_a_dispatcher_has() -> None:
    table = PAGE.read_text().partition("## What a dispatcher offers")[2].partition("##")[0]
    named = {name.partition(".")[0] for name in OFFERS.findall(table)}
    others = {"listener", "channel", "mapping", "unmap", "accept"}
    attributes = {"memory", "names", "vspace", "environment"}
    assert attributes < named
    assert sorted(named - others - attributes - set(dir(Dispatcher))) == []
