"""Processes of an instance: pinned, reporting, and gone whoever is killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mk_host.zygote import Cores, Exited, Place, Report, ReportFunction, places

SECOND = 1_000_000_000


def say_pid(core: int, report: ReportFunction) -> None:
    """A core that reports its process and then waits for ever."""
    report(str(os.getpid()).encode())
    while True:
        signal.pause()


def pids(cores: Cores, count: int) -> dict[int, int]:
    """The processes of `count` cores that run `say_pid`."""
    found: dict[int, int] = {}
    while len(found) < count:
        event = cores.next(30 * SECOND)
        assert isinstance(event, Report), event
        found[event.core] = int(event.data)
    return found


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
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


def holdings() -> tuple[int, list[str]]:
    """What a run could leave: descriptors of this process, shared memory."""
    return len(os.listdir("/proc/self/fd")), sorted(os.listdir("/dev/shm"))


@pytest.fixture(autouse=True)
def _no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    assert not list(tmp_path.iterdir())


def test_cores_are_dealt_over_the_cpus_and_run_there() -> None:
    cpus = sorted(os.sched_getaffinity(0))

    def body(core: int, report: ReportFunction) -> None:
        report(repr(sorted(os.sched_getaffinity(0))).encode())

    where = places(range(2 * len(cpus) + 1))
    assert [place.cpu for place in where] == [*cpus, *cpus, cpus[0]]
    with Cores(where, body) as cores:
        ran: dict[int, bytes] = {}
        while cores.running:
            event = cores.next(30 * SECOND)
            if isinstance(event, Report):
                ran[event.core] = event.data
            else:
                assert isinstance(event, Exited)
                assert event.reason == ""
    assert ran == {place.core: repr([place.cpu]).encode() for place in where}


def test_reports_come_whole_in_order_and_before_the_exit() -> None:
    long_one = random.Random(1).randbytes(500_000)

    def body(core: int, report: ReportFunction) -> None:
        for number in range(300):
            report(bytes([core, number % 256]) * (number * 7 % 400))
        report(long_one)

    with Cores(places(range(4)), body) as cores:
        came: dict[int, list[bytes]] = {core: [] for core in range(4)}
        ended: list[int] = []
        while len(ended) < 4:
            event = cores.next(30 * SECOND)
            if isinstance(event, Report):
                assert event.core not in ended
                came[event.core].append(event.data)
            else:
                assert isinstance(event, Exited)
                ended.append(event.core)
        assert cores.next(30 * SECOND) is None
    for core in range(4):
        expected = [bytes([core, number % 256]) * (number * 7 % 400) for number in range(300)]
        assert came[core] == [*expected, long_one]


def test_nothing_is_left_after_an_orderly_end() -> None:
    before = holdings()
    with Cores(places(range(3)), say_pid) as cores:
        processes = [cores.zygote, *pids(cores, 3).values()]
        assert all(map(alive, processes))
    assert not any(map(alive, processes))
    assert holdings() == before
    cores.stop()
    ends = [cores.next(0) for _ in range(3)]
    assert all(Exited(core, "killed by SIGKILL") in ends for core in range(3))
    assert cores.next(0) is None


def test_a_killed_core_is_reported_and_the_others_go_on() -> None:
    with Cores(places(range(3)), say_pid) as cores:
        processes = pids(cores, 3)
        os.kill(processes[1], signal.SIGKILL)
        assert cores.next(30 * SECOND) == Exited(1, "killed by SIGKILL")
        assert cores.running == (0, 2)
        assert alive(processes[0])
        assert alive(processes[2])
        assert cores.next(SECOND // 50) is None


def test_a_core_that_raises_says_what() -> None:
    def body(core: int, report: ReportFunction) -> None:
        raise ValueError("no good")

    with Cores(places([5]), body) as cores:
        end = cores.next(30 * SECOND)
    assert isinstance(end, Exited)
    assert end.core == 5
    assert end.reason == "raised ValueError: no good"
    assert "in body" in end.trace


def test_a_cpu_that_does_not_exist_fails_only_its_core() -> None:
    with Cores([Place(0, 100_000), *places([1])], lambda core, report: report(b"up")) as cores:
        events = [cores.next(30 * SECOND) for _ in range(3)]
    assert Report(1, b"up") in events
    (end,) = (event for event in events if isinstance(event, Exited) and event.core == 0)
    assert end.reason == "raised OSError: [Errno 22] Invalid argument"


def test_killing_the_zygote_ends_its_cores() -> None:
    before = holdings()
    cores = Cores(places(range(3)), say_pid)
    processes = pids(cores, 3)
    os.kill(cores.zygote, signal.SIGKILL)
    assert [cores.next(30 * SECOND) for _ in range(4)] == [
        *(Exited(core, "its zygote was killed by SIGKILL") for core in range(3)),
        None,
    ]
    assert soon(lambda: not any(map(alive, processes.values())))
    cores.stop()
    assert holdings() == before


PARENT = """
import os, signal, sys
from mk_host.zygote import Cores, places

def body(core, report):
    report(str(os.getpid()).encode())
    while True:
        signal.pause()

with Cores(places(range(3)), body) as cores:
    found = [cores.next(10 ** 10).data.decode() for _ in range(3)]
    print(cores.zygote, *found, flush=True)
    cores.next(10 ** 11)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_killing_the_caller_ends_everything(number: signal.Signals) -> None:
    before = holdings()
    caller = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, process_group=0
    )
    assert caller.stdout is not None
    processes = list(map(int, caller.stdout.readline().split()))
    assert len(processes) == 4
    if number == signal.SIGINT:
        os.killpg(caller.pid, number)  # what a terminal does
    else:
        caller.send_signal(number)
    assert caller.wait(60) != 0
    assert soon(lambda: not any(map(alive, processes)))
    caller.stdout.close()
    assert holdings() == before


def test_ctrl_c_reaches_only_the_caller() -> None:
    with Cores(places(range(2)), say_pid) as cores:
        processes = pids(cores, 2)
        for pid in (cores.zygote, *processes.values()):
            os.kill(pid, signal.SIGINT)
        assert cores.next(SECOND // 20) is None
        assert cores.running == (0, 1)


def test_an_instance_does_not_hold_another_ones_ends() -> None:
    """The second zygote is forked while the first instance's socket is open in the caller."""
    first = Cores(places(range(1)), say_pid)
    outsider, watched = socket.socketpair()
    with Cores(places(range(1)), say_pid) as second:
        pids(second, 1)
        outsider.close()
        watched.settimeout(30)
        assert watched.recv(1) == b""
        pids(first, 1)
        first.stop()
        assert first.next(0) == Exited(0, "killed by SIGKILL")
        assert second.running == (0,)
    watched.close()


def test_a_caller_with_threads_may_make_cores() -> None:
    """A thread ends while the cores run, another goes on: neither takes them along."""
    finish = threading.Event()
    lasting = threading.Thread(target=finish.wait)
    lasting.start()
    made: list[Cores] = []
    maker = threading.Thread(target=lambda: made.append(Cores(places(range(2)), say_pid)))
    maker.start()
    maker.join()
    with made[0] as cores:
        processes = pids(cores, 2)
        assert cores.next(SECOND // 20) is None
        assert all(map(alive, processes.values()))
    finish.set()
    lasting.join()
