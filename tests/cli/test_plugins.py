"""`mkit plugins list|show|doctor`, over the kit's plugins and over broken ones."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multikernel.cli.root import run

PLATFORM = """
from multikernel.hookspecs import hookimpl
from multikernel.spec import CommandSpec, PlatformSpec
multikernel_api = 1

class Nowhere:
    def doctor(self):
        {doctor}

@hookimpl
def platforms():
    yield PlatformSpec("nowhere", "Boots nothing.", factory=Nowhere, kind="sim")
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs plugin `mk_try` of that source as distribution mk-try 2.0."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(source: str) -> None:
        (tmp_path / "mk_try.py").write_text(source)
        info = tmp_path / "mk_try-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mk-try\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text("[multikernel]\nmk_try = mk_try\n")
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("mk_try", None)


def test_list_shows_every_spec_by_kind(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(PLATFORM.format(doctor="return []"))
    assert run(["plugins", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "nowhere" in line)
    assert row.split() == ["nowhere", "mk_try", "(mk-try", "2.0)", "Boots", "nothing."]
    kinds = [line for line in lines if not line.startswith(" ")]
    assert kinds == list(dict.fromkeys(kinds))
    assert kinds.index("platform") < lines.index(row)


def test_list_as_json_has_its_schema_and_the_problems(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("multikernel_api = 3")
    assert run(["plugins", "list", "--json"]) == 0
    out = capsys.readouterr()
    document = json.loads(out.out)
    assert document["schema_version"] == 1
    assert document["problems"] == ["mk-try 2.0: plugin 'mk_try' speaks plugin API 3; this kit speaks 1"]
    assert out.err == ""
    for row in document["plugins"]:
        assert len(row["source_hash"]) == 64


def test_show_tells_where_a_spec_comes_from(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(PLATFORM.format(doctor="return []"))
    assert run(["plugins", "show", "nowhere"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "platform nowhere: Boots nothing."
    facts = dict(line.split(None, 1) for line in rest if not line.strip().startswith("source hash"))
    assert facts == {"plugin": "mk_try", "distribution": "mk-try", "version": "2.0"}
    assert run(["plugins", "show", "mk_try", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["plugins"]] == ["nowhere"]


def test_show_of_an_unknown_name_lists_the_near_ones(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(PLATFORM.format(doctor="return []"))
    assert run(["plugins", "show", "nowhre"]) == 2
    expected = "there is no plugin or spec 'nowhre' (did you mean nowhere?); mkit plugins list shows all"
    assert capsys.readouterr().err == f"error: unknown-name: {expected}\n"


def test_doctor_prints_what_each_platform_finds(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(PLATFORM.format(doctor="return ['fallback: no such machine']"))
    assert run(["plugins", "doctor"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[out.index("platform nowhere") + 1] == "  fallback: no such machine"
    assert out[-1].endswith("plugins work, 0 problems")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "import no_such_thing",
            "plugin 'mk_try' does not import: ModuleNotFoundError: No module named 'no_such_thing' (mk_try.py:1)",
        ),
        (PLATFORM.format(doctor="raise OSError('no cpu')"), "platform 'nowhere' cannot look: OSError: no cpu"),
        (
            PLATFORM.format(doctor="return []")
            + "@hookimpl\ndef commands(): yield CommandSpec('board', 'Mine.', factory=object)",
            "command 'board' is the kit's own",
        ),
    ],
)
def test_doctor_names_the_distribution_of_a_broken_plugin(
    install: Install, capsys: pytest.CaptureFixture[str], source: str, problem: str
) -> None:
    install(source)
    assert run(["plugins", "doctor"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[out.index("distribution mk-try") + 1] == f"  mk-try 2.0: {problem}"
    assert out[-1].endswith(", 1 problems")
    assert run(["plugins", "doctor", "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert problems == [{"distribution": "mk-try", "problem": f"mk-try 2.0: {problem}"}]
