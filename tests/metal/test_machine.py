"""QEMU's command line, and that a run leaves no process behind however it ends."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mk_qemu.machine import command, run
from multikernel.blueprint import Memory
from multikernel.errors import BootTimeout, PlatformError
from tests.metal.machines import MIB, four_cores, with_broken_core

LINES = [sys.executable, "-c", "import os; print('one'); print('two'); print(os.getpid(), end='')"]
CLOSED = ["sh", "-c", "echo $$; exec sleep 1000 >&- 2>&-"]
SLEEP = ["sh", "-c", "echo $$; exec sleep 1000"]


def gone(process: int) -> bool:
    """Within half a minute: dead, or a zombie of whoever inherited it."""
    for _ in range(3000):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def fake_qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "qemu-system-x86_64").write_text("#!/bin/sh\n")
    (tmp_path / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def pairs(arguments: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(arguments) if name == option]


@pytest.mark.usefixtures("fake_qemu")
def test_the_machine_is_the_blueprints() -> None:
    arguments = command(four_cores(), Path("kernel.elf"), "run=ping")
    assert pairs(arguments, "-smp") == ["4"]
    assert pairs(arguments, "-m") == ["128M"]
    assert pairs(arguments, "-numa") == [
        "node,nodeid=0,cpus=0,cpus=1,memdev=m0",
        "node,nodeid=1,cpus=2,cpus=3,memdev=m1",
    ]
    assert pairs(arguments, "-icount") == ["shift=0,sleep=off"]
    assert pairs(arguments, "-accel") == ["tcg"]
    assert pairs(arguments, "-append") == ["run=ping"]


@pytest.mark.usefixtures("fake_qemu")
def test_one_node_needs_no_numa_and_a_broken_last_core_is_not_there() -> None:
    one = replace(four_cores(), cores=tuple(replace(core, node=0) for core in four_cores().cores))
    assert "-numa" not in command(one, Path("kernel.elf"), "")
    assert pairs(command(with_broken_core(four_cores(), 3), Path("kernel.elf"), ""), "-smp") == ["3"]


@pytest.mark.usefixtures("fake_qemu")
def test_a_hole_in_memory_is_refused() -> None:
    holed = replace(four_cores(), memory=(Memory("a", "dram", 0, MIB, 0), Memory("b", "dram", 4 * MIB, MIB, 1)))
    with pytest.raises(PlatformError, match=r"no memory from 0x100000 to 0x400000; .* begin region 'b' at 0x100000"):
        command(holed, Path("kernel.elf"), "")


def test_without_qemu_the_fix_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlatformError, match="qemu-system-x86_64 is missing: apt install qemu-system-x86"):
        command(four_cores(), Path("kernel.elf"), "")


def test_lines_come_one_by_one_and_the_last_needs_no_newline() -> None:
    lines: list[str] = []
    assert run(LINES, 60, lines.append) == 0
    assert lines[:2] == ["one", "two"]
    assert lines[2].isdigit()


def test_time_out_kills_and_reaps() -> None:
    lines: list[str] = []
    with pytest.raises(BootTimeout, match="did not end within 1 s"):
        run(SLEEP, 1, lines.append)
    with pytest.raises(ProcessLookupError):  # reaped: not even a zombie
        os.kill(int(lines[0]), 0)


def test_one_that_closes_its_output_and_stays_is_killed_too() -> None:
    lines: list[str] = []
    with pytest.raises(BootTimeout, match="did not end within 1 s"):
        run(CLOSED, 1, lines.append)
    with pytest.raises(ProcessLookupError):
        os.kill(int(lines[0]), 0)


def test_what_the_reader_raises_kills_and_reaps() -> None:
    seen: list[str] = []

    def refuse(line: str) -> None:
        seen.append(line)
        raise PlatformError("enough")

    with pytest.raises(PlatformError, match="enough"):
        run(SLEEP, 60, refuse)
    with pytest.raises(ProcessLookupError):
        os.kill(int(seen[0]), 0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_this_process(how: signal.Signals) -> None:
    run_it = f"run({SLEEP!r}, 60, lambda line: print(line, flush=True))"
    code = f"from mk_qemu.machine import run; {run_it}"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as outer:
        assert outer.stdout is not None
        inner = int(outer.stdout.readline())
        outer.send_signal(how)
        outer.wait(timeout=60)
    assert gone(inner)
