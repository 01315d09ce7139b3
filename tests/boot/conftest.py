"""What the tests of booted kernels share: a board with a broken core, and programs that misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BROKEN_BOARD = """\
extends: x86-qemu
name: broken
cores:
  - {ids: 0-1, kind: qemu}
  - {ids: 2, kind: qemu, fails: no clock}
  - {ids: 3, kind: qemu}
"""

PROGRAMS = """\
from collections.abc import Iterator
from multikernel.events import Row
from multikernel.hookspecs import hookimpl
from multikernel.spec import ProgramSpec

multikernel_api = 1

async def echo(dispatcher):
    await dispatcher.print("text with no end")
    parameter = dispatcher.environment.parameter
    columns = ("number", "share", "word")
    return (Row(columns, (int(parameter("number", "1")), "2.50", parameter("word", "none"))),)

async def fails(dispatcher):
    await dispatcher.compute(1000)
    raise ZeroDivisionError("on purpose")

async def remote(dispatcher):
    await dispatcher.spawn_on(3, "fails")
    await dispatcher.sleep(10_000_000_000)
    return ()

async def hangs(dispatcher):
    await dispatcher.sleep(10**18)
    return ()

async def spins(dispatcher):
    while True:
        await dispatcher.compute(100_000)

async def interrupts(dispatcher):
    import os, signal
    os.kill(os.getpid(), signal.SIGINT)
    await dispatcher.sleep(10**18)
    return ()

@hookimpl
def programs() -> Iterator[ProgramSpec]:
    takes = (("number", int), ("word", str))
    yield ProgramSpec("echo", "Gives back its parameters.", factory=echo, parameters=takes)
    for main in (fails, remote, hangs, spins, interrupts):
        yield ProgramSpec(main.__name__, "Misbehaves.", factory=main)
"""

MKIT = [sys.executable, "-m", "multikernel"]
Mkit = Callable[..., "subprocess.CompletedProcess[str]"]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def broken_board(tmp_path: Path) -> str:
    """A board of four cores whose core 2 never starts."""
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN_BOARD)
    return str(path)


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """An environment in which the programs above are installed, as by another distribution."""
    site = tmp_path / "site"
    info = site / "test_programs-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "test_programs.py").write_text(PROGRAMS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: test-programs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[multikernel]\ntest-programs = test_programs\n")
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1"}


@pytest.fixture
def mkit(tmp_path: Path, surroundings: dict[str, str]) -> Mkit:
    """`mkit` in a folder of its own, to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MKIT, *arguments],
            cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def mkit_command(tmp_path: Path, surroundings: dict[str, str]) -> Spawn:
    """`mkit` started in a session of its own, as in a terminal's foreground."""

    def spawn(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*MKIT, *arguments],
            cwd=tmp_path, env={**surroundings, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return spawn
