"""Kernels on the host's cores: boot, programs, deaths; nothing left."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import multikernel
from multikernel.blueprint import Blueprint
from multikernel.errors import BootTimeout, PlatformError, UsageError
from multikernel.events import Booted, CoreFailed, Event, MonitorJoined, ProcessStarted
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from multikernel.registry import Registry


@pytest.fixture(scope="module")
def blueprint() -> Blueprint:
    """Four cores: on most machines that run this, more than there are CPUs."""
    return multikernel.assemble("x86-qemu", platform="host")


@pytest.fixture(params=["c", "python"])
def _backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.setenv("MKIT_NO_C", "1")
        monkeypatch.delenv("MKIT_REQUIRE_C", raising=False)
    else:
        monkeypatch.delenv("MKIT_NO_C", raising=False)


def children(pid: int) -> list[int]:
    """The children of a process, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processes() -> tuple[int, list[int]]:
    """The zygote of the only kernel of this process and the cores it forked, in the order of the table."""
    zygote = children(os.getpid())[-1]
    return zygote, children(zygote)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def soon(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it comes true in that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fails if the body leaves a process or a descriptor of this process behind."""
    gc.collect()  # what earlier tests left to the collector is not the body's
    before = len(os.listdir("/proc/self/fd")), children(os.getpid()), os.listdir("/dev/shm")
    yield
    assert (len(os.listdir("/proc/self/fd")), children(os.getpid()), os.listdir("/dev/shm")) == before


@pytest.mark.usefixtures("_backend")
def test_programs_run_on_cores_that_are_processes(blueprint: Blueprint) -> None:
    with nothing_left(), Multikernel(blueprint).boot("host") as kernel:
        zygote, cores = processes()
        assert len(cores) == 4
        assert sorted(event.core for event in kernel.events if isinstance(event, MonitorJoined)) == [0, 1, 2, 3]
        ping = kernel.run("ping", rounds=20, messages=200)
        assert ping.column("class") == [*(pair.name for pair in blueprint.pair_classes), "self"]
        assert all(int(cycles) > 0 for cycles in ping.column("cycles"))
        unmap = kernel.run("unmap", pages=1)
        assert unmap.column("protocol") == ["broadcast", "unicast", "multicast", "numa"]
        assert unmap.column("cores") == [4] * 4
        assert unmap.column("stale_hits") == [0] * 4
        assert unmap.column("mmu") == ["software"] * 4
        outcome = kernel.stop()
        assert outcome == kernel.stop()
        assert outcome.digest == ""
        assert outcome.channels >= 3
        assert outcome.messages > 440
        assert not any(map(alive, [zygote, *cores]))


def test_a_killed_core_is_told_and_the_others_go_on(blueprint: Blueprint) -> None:
    with nothing_left(), Multikernel(blueprint).boot("host") as kernel:
        _, cores = processes()
        os.kill(cores[3], signal.SIGKILL)
        used = {core for pair in blueprint.pair_classes for core in (pair.src, pair.dst)}
        assert 3 not in used
        assert kernel.run("ping", rounds=5, messages=50).rows
        (failed,) = (event for event in kernel.events if isinstance(event, CoreFailed))
        assert (failed.core, failed.reason) == (3, "killed by SIGKILL")


def test_a_program_that_lost_a_core_ends(blueprint: Blueprint) -> None:
    """It would wait for that core for good: what ends it is not the limit of a silence, which is a minute."""
    with nothing_left():
        killed: list[int] = []

        def kill_where_it_starts(event: Event) -> None:
            if isinstance(event, ProcessStarted) and event.name == "unmap" and event.core == 3:
                killed.append(processes()[1][3])
                os.kill(killed[-1], signal.SIGKILL)

        with Multikernel(blueprint, observer=kill_where_it_starts).boot("host") as kernel:
            lost = "program unmap lost core 3, which it had started on: killed by SIGKILL"
            with pytest.raises(PlatformError, match=lost):
                kernel.run("unmap", pages=1_000_000)
        assert len(killed) == 1


def test_a_silence_names_the_dead(blueprint: Blueprint) -> None:
    with nothing_left():
        kernel = Multikernel(blueprint).boot("host", BootOptions(timeout_ns=3_000_000_000))
        os.kill(processes()[1][3], signal.SIGKILL)
        with pytest.raises(BootTimeout, match=r"core 3 is dead \(killed by SIGKILL\)"):
            kernel.run("unmap", pages=1)
        kernel.stop()


def test_a_core_that_does_not_power_off_is_killed(blueprint: Blueprint) -> None:
    with nothing_left():
        kernel = Multikernel(blueprint).boot("host")
        zygote, cores = processes()
        os.kill(cores[2], signal.SIGSTOP)
        outcome = kernel.stop()
        assert outcome == kernel.stop()
        assert not any(map(alive, [zygote, *cores]))


def test_without_its_boot_core_the_instance_is_over(blueprint: Blueprint) -> None:
    with nothing_left(), Multikernel(blueprint).boot("host") as kernel:
        zygote, cores = processes()
        os.kill(cores[0], signal.SIGKILL)
        with pytest.raises(PlatformError, match="the boot core died during program ping"):
            kernel.run("ping")
        kernel.stop()
        assert not any(map(alive, [zygote, *cores]))


def test_without_the_zygote_the_instance_is_over(blueprint: Blueprint) -> None:
    with nothing_left(), Multikernel(blueprint).boot("host") as kernel:
        zygote, cores = processes()
        os.kill(zygote, signal.SIGKILL)
        with pytest.raises(PlatformError, match="the boot core died"):
            kernel.run("ping")
        assert soon(lambda: not any(map(alive, cores)))
        assert {event.reason for event in kernel.events if isinstance(event, CoreFailed)} <= {
            "its zygote was killed by SIGKILL",
            "killed by SIGKILL",
        }


def test_a_core_that_does_not_start_is_told_and_the_rest_boots(blueprint: Blueprint) -> None:
    cores = tuple(replace(core, fails="no clock") if core.id == 2 else core for core in blueprint.cores)
    with nothing_left(), Multikernel(replace(blueprint, cores=cores)).boot("host") as kernel:
        assert len(processes()[1]) == 3
        assert [event.core for event in kernel.events if isinstance(event, CoreFailed)] == [2]
        (booted,) = (event for event in kernel.events if isinstance(event, Booted))
        assert booted.members == 3


def test_what_the_host_does_not_do_is_refused(blueprint: Blueprint, tmp_path: Path) -> None:
    with nothing_left():
        with pytest.raises(UsageError, match="no trace"):
            Multikernel(blueprint).boot("host", BootOptions(trace=str(tmp_path / "trace")))
        kernel = Multikernel(blueprint).boot("host")
        with pytest.raises(UsageError, match="longer than"):
            kernel.run("ping", **{"class": "x" * 5000})
        kernel.stop()


def test_doctor_says_native_or_fallback_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MKIT_NO_C", raising=False)
    monkeypatch.delenv("MKIT_REQUIRE_C", raising=False)
    platform = Registry.load().platforms.get("host").factory()
    assert platform.doctor()[0].startswith("native: mk_host._ring")
    monkeypatch.setenv("MKIT_NO_C", "1")
    assert platform.doctor()[0].startswith("fallback: rings in Python")
    monkeypatch.setenv("MKIT_REQUIRE_C", "1")
    assert platform.doctor()[0].startswith("cannot run: MKIT_REQUIRE_C=1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_a_command_that_is_ended_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    """In the middle of a program; SIGINT goes to the whole group, as from a terminal."""
    command = [sys.executable, "-m", "multikernel", "boot", "x86-qemu", "--platform", "host", "--run", "ping"]
    command += ["--set", "ping.rounds=1000000000"]
    shared = os.listdir("/dev/shm")
    mkit = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert mkit.stdout is not None
    assert mkit.stderr is not None
    assert any("starts ping" in line for line in mkit.stdout)
    (zygote,) = children(mkit.pid)
    members = [zygote, *children(zygote)]
    assert len(members) == 5
    if number == signal.SIGINT:
        os.killpg(mkit.pid, number)
    else:
        mkit.send_signal(number)
    status = mkit.wait(60)
    assert soon(lambda: not any(map(alive, members)))
    assert "Traceback" not in mkit.stderr.read()
    assert status == (130 if number == signal.SIGINT else -number)
    mkit.stdout.close()
    mkit.stderr.close()
    assert os.listdir("/dev/shm") == shared
    assert not list(tmp_path.iterdir())


def test_what_cores_run_is_imported_before_they_are_forked() -> None:
    """Else each imports it for itself, and on a busy machine none says hello in time."""
    code = (
        "import sys, multikernel\n"
        "with multikernel.Multikernel(multikernel.assemble('x86-qemu', platform='host')).boot('host'):\n"
        "    print(*sorted({'mk_monitor.monitor', 'mk_services.names', 'mk_programs.ping'} - {*sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"
