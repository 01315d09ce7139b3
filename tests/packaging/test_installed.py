"""The distribution as its user gets it: a wheel in a virtualenv of its own, from a folder that is not the
checkout, and a transport from the template that a board binds there.

Nothing is downloaded: what the kit depends on comes from the environment the tests run in.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


class Home:
    """A virtualenv with the kit's wheel, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.venv = folder / "venv"
        self.work = folder / "work"
        self.work.mkdir()
        venv.create(self.venv, with_pip=False, symlinks=True)
        (packages,) = self.venv.glob("lib/python3.*/site-packages")
        # Dependencies by path: a .pth line adds a folder, but runs none of its .pth files, so the
        # checkout's own editable install stays out.
        (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        path = f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "CC"))}
        done = subprocess.run(
            command, cwd=self.work, env={**kept, "PATH": path}, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def pip(self, *arguments: str) -> None:
        self.run("python", "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", *arguments)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    home = Home(folder)
    home.pip(str(wheel))
    return home


def lines(done: subprocess.CompletedProcess[str]) -> Sequence[str]:
    return done.stdout.splitlines()


def test_what_runs_is_the_wheel(home: Home) -> None:
    (where,) = lines(home.run("python", "-c", "import multikernel; print(multikernel.__file__)"))
    assert Path(where).is_relative_to(home.venv)


def test_the_packaged_boards_are_found_from_anywhere(home: Home) -> None:
    listed = json.loads(home.run("mkit", "board", "list", "--json").stdout)
    names = {board["name"] for board in listed["boards"]}
    assert {path.stem for path in (ROOT / "boards").glob("*.yaml")} <= names


def test_no_plugin_is_broken(home: Home) -> None:
    assert lines(home.run("mkit", "plugins", "doctor"))[-1].endswith(" 0 problems")


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_the_extensions_came_along(home: Home) -> None:
    libraries = list(home.venv.glob("lib/*/site-packages/mk_*/_*.abi3.so"))
    assert len(libraries) == len(list(ROOT.glob("plugins/mk_*/_*.c")))


def test_a_transport_from_the_template_passes_its_tests_and_is_bound_by_a_board(home: Home) -> None:
    home.run("mkit", "plugins", "new", "transport", "fast-ring", "--no-input")
    home.pip("./mk-fast-ring")
    shown = home.run("mkit", "plugins", "show", "fast-ring").stdout
    assert "mk-fast-ring" in shown
    assert " passed" in home.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "mk-fast-ring").stdout
    board = (ROOT / "boards" / "x86-qemu.yaml").read_text()
    assert "transport: auto" in board
    (home.work / "mine.yaml").write_text(board.replace("transport: auto", "transport: fast-ring"))
    bound = json.loads(home.run("mkit", "assemble", "mine.yaml", "--json").stdout)["blueprint"]
    assert ("fast-ring", "mk-fast-ring") in {(row["plugin"], row["distribution"]) for row in bound["bindings"]}
    assert {row["transport"] for row in bound["pair_classes"]} == {"fast-ring"}
    report = json.loads(lines(home.run("mkit", "boot", "mine.yaml", "--run", "ping", "--json"))[-1])
    assert [(core["id"], core["state"]) for core in report["cores"]] == [(n, "joined") for n in range(4)]
    assert [(program["name"], program["status"]) for program in report["programs"]] == [("ping", "ok")]


EVERY_KIND = """
import typer
from dataclasses import replace
from pathlib import Path

import mk_monitor, mk_programs, mk_shootdown, mk_sim, mk_sqlite, mk_ump, mk_x86_64
from multikernel.cli import output
from multikernel.hookspecs import hookimpl
from multikernel.spec import BoardDirSpec, CommandSpec, PolicySpec

multikernel_api = 1
weigh = typer.Typer()


@weigh.command()
def board(name: str) -> None:
    output.emit(f"{name} weighs nothing")


def another(specs, was, name, **fields):
    return replace(next(spec for spec in specs if spec.name == was), name=name, **fields)


@hookimpl
def board_dirs():
    yield BoardDirSpec("far", "Boards of another house.", path=Path(__file__).parent / "boards")

@hookimpl
def skb_backends():
    yield another(mk_sqlite.skb_backends(), "sqlite", "far-skb")

@hookimpl
def platforms():
    yield another(mk_sim.platforms(), "sim", "far-sim")

@hookimpl
def cpu_drivers():
    yield another(mk_x86_64.cpu_drivers(), "x86-64", "far-driver", metal=())

@hookimpl
def monitors():
    yield another(mk_monitor.monitors(), "user-mode", "far-monitor", metal=())

@hookimpl
def transports():
    yield another(mk_ump.transports(), "ump", "far-ring", rank=95, provides=(), metal=())

@hookimpl
def consistency_protocols():
    yield another(mk_shootdown.consistency_protocols(), "one-phase", "far-phase", metal=())

@hookimpl
def programs():
    yield another(mk_programs.programs(), "unmap", "far-unmap")

@hookimpl
def policies():
    yield PolicySpec("far-home", "Buffers live at the sender.", decides="home", text=RULES)

@hookimpl
def commands():
    yield CommandSpec("weigh", "Weighs.", factory=lambda: weigh)

RULES = '''
home(A, B, "sender", R) <= node(A, N) & region_node(R, N) & shares_memory(A, B, R)
'''
"""
EVERY_BOARD = """
extends: x86-qemu
name: afar
bind:
  skb: far-skb
  monitor: far-monitor
  transport: far-ring
  cpu-driver: far-driver
  consistency: {shootdown: far-phase}
  policy: {home: far-home}
"""
EVERY_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "mk-far"
version = "3.1"
[project.entry-points.multikernel]
mk_far = "mk_far"
[project.entry-points."multikernel.commands"]
weigh = "mk_far"
[tool.hatch.build.targets.wheel]
packages = ["mk_far"]
"""


def test_one_wheel_adds_one_of_every_kind_and_a_board_binds_them(home: Home) -> None:
    folder = home.work / "far"
    (folder / "mk_far" / "boards").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(EVERY_PROJECT)
    (folder / "mk_far" / "__init__.py").write_text(EVERY_KIND)
    (folder / "mk_far" / "boards" / "afar.yaml").write_text(EVERY_BOARD)
    home.pip("./far")
    bound = json.loads(home.run("mkit", "assemble", "afar", "--json").stdout)["blueprint"]
    ours = {row["slot"]: row["plugin"] for row in bound["bindings"] if row["distribution"] == "mk-far"}
    heads = {slot.partition(":")[0]: plugin for slot, plugin in ours.items()}
    assert heads == {
        "skb": "far-skb", "monitor": "far-monitor", "transport": "far-ring", "cpu-driver": "far-driver",
        "consistency": "far-phase", "policy": "far-home",
    }  # fmt: skip
    why = json.loads(home.run("mkit", "why", "afar", "home:0->3", "--json").stdout)
    assert any("sender" in rule["text"] for rule in why["rules"]), "the policy decides"
    booted = home.run("mkit", "boot", "afar", "--platform", "far-sim", "--run", "far-unmap", "--json")
    report = json.loads(lines(booted)[-1])
    assert [(program["name"], program["status"]) for program in report["programs"]] == [("far-unmap", "ok")]
    assert home.run("mkit", "weigh", "board", "afar").stdout == "afar weighs nothing\n"
