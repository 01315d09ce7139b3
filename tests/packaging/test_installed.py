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
