"""The host's rings against what Python programs use between processes, and against plain C.

    python tests/benchmarks/host_ring.py [--rounds 7] [--messages 20000] [--json]

Every contender is measured in every round, one after the other, so that a slow spell of the machine
hits all of them; the table shows median/least of the rounds, in nanoseconds.  Both processes are
pinned.  Those that block are measured on two CPUs and on one, and the better placement counts: an idle
CPU that has to be woken is slow, and a pipe should not look bad for it.  Batches are of 32 messages of
56 bytes; the pipe's are one pickled list, os.pipe's one write.
"""

from __future__ import annotations

import argparse
import json
import mmap
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mk_host import _ring, fallback
from mk_host.shared import RawReceiver, RawSender, RingModule

SLOTS = 256
BATCH = 32
PAYLOAD = bytes(56)
SECOND = 1_000_000_000
KINDS = ("round trip", "one way", "batched")

Loop = Callable[[int], None]
"""Does its thing that many times (for batches: that many messages, in batches)."""


@dataclass
class Side:
    """One side of a channel, as tight loops: `ping` sends and awaits the answer, `pong` is its peer."""

    ping: Loop
    pong: Loop
    send: Loop
    receive: Loop
    send_batched: Loop
    receive_batched: Loop
    close: Callable[[], None] = lambda: None


Open = Callable[[], tuple[Callable[[], Side], Callable[[], Side]]]
"""Makes a channel before the fork; the two functions give its sides, each called in its own process."""


def ring(module: RingModule, sleep: bool) -> Open:
    """A pair of rings; `sleep` blocks in the futex, otherwise the reader spins."""

    def make() -> tuple[Callable[[], Side], Callable[[], Side]]:
        memory = mmap.mmap(-1, 64 * (2 * (SLOTS + 1) + 2))

        def side(mine: int) -> Side:
            lines = module.Lines(memory, 0, 2 * (SLOTS + 1) + 2)
            bells = [module.Bell(lines, 2 * (SLOTS + 1) + core) for core in (0, 1)]
            other = bells[1 - mine] if sleep else None
            sender: RawSender = module.Sender(lines, mine * (SLOTS + 1), SLOTS, other)
            receiver: RawReceiver = module.Receiver(lines, (1 - mine) * (SLOTS + 1), SLOTS, other)
            put, take, put_batch, take_batch = sender.put, receiver.take, sender.put_batch, receiver.take_batch
            batch = [PAYLOAD] * BATCH
            poller = module.Poller()

            def wait(watch: tuple[int, int]) -> None:
                if sleep:
                    poller.arm(0, lines, *watch)
                    bells[mine].wait(poller, 1000, 16, SECOND)

            def ping(count: int) -> None:
                for _ in range(count):
                    put(PAYLOAD)
                    while take() is None:
                        wait(receiver.watch())

            def ping_spinning(count: int) -> None:
                for _ in range(count):
                    put(PAYLOAD)
                    while take() is None:
                        pass

            def pong(count: int) -> None:
                for _ in range(count):
                    while take() is None:
                        wait(receiver.watch())
                    put(PAYLOAD)

            def pong_spinning(count: int) -> None:
                for _ in range(count):
                    while take() is None:
                        pass
                    put(PAYLOAD)

            def send(count: int) -> None:
                for _ in range(count):
                    while not put(PAYLOAD):
                        wait(sender.room())

            def receive(count: int) -> None:
                for _ in range(count):
                    while take() is None:
                        wait(receiver.watch())

            def send_batched(count: int) -> None:
                for _ in range(count // BATCH):
                    left = batch
                    while left := left[put_batch(left) :]:
                        wait(sender.room())

            def receive_batched(count: int) -> None:
                while count:
                    if got := len(take_batch(count if count < BATCH else BATCH)):
                        count -= got
                    else:
                        wait(receiver.watch())

            trip = (ping, pong) if sleep else (ping_spinning, pong_spinning)
            return Side(*trip, send, receive, send_batched, receive_batched)

        return lambda: side(0), lambda: side(1)

    return make


def mp_pipe() -> tuple[Callable[[], Side], Callable[[], Side]]:
    """multiprocessing.Pipe, both ways."""
    ends = multiprocessing.Pipe()

    def side(mine: int) -> Side:
        end = ends[mine]
        batch = [PAYLOAD] * BATCH

        def ping(count: int) -> None:
            for _ in range(count):
                end.send(PAYLOAD)
                end.recv()

        def pong(count: int) -> None:
            for _ in range(count):
                end.recv()
                end.send(PAYLOAD)

        def send(count: int) -> None:
            for _ in range(count):
                end.send(PAYLOAD)

        def receive(count: int) -> None:
            for _ in range(count):
                end.recv()

        def send_batched(count: int) -> None:
            for _ in range(count // BATCH):
                end.send(batch)

        def receive_batched(count: int) -> None:
            for _ in range(count // BATCH):
                end.recv()

        def close() -> None:
            for each in ends:
                each.close()

        return Side(ping, pong, send, receive, send_batched, receive_batched, close)

    return lambda: side(0), lambda: side(1)


def os_pipe() -> tuple[Callable[[], Side], Callable[[], Side]]:
    """Two of os.pipe, messages of fixed size."""
    pipes = (os.pipe(), os.pipe())

    def side(mine: int) -> Side:
        output, source = pipes[mine][1], pipes[1 - mine][0]
        batch = PAYLOAD * BATCH

        def ping(count: int) -> None:
            for _ in range(count):
                os.write(output, PAYLOAD)
                os.read(source, len(PAYLOAD))

        def pong(count: int) -> None:
            for _ in range(count):
                os.read(source, len(PAYLOAD))
                os.write(output, PAYLOAD)

        def send(count: int) -> None:
            for _ in range(count):
                os.write(output, PAYLOAD)

        def receive(count: int) -> None:
            left = count * len(PAYLOAD)
            while left:
                left -= len(os.read(source, len(PAYLOAD)))

        def send_batched(count: int) -> None:
            for _ in range(count // BATCH):
                os.write(output, batch)

        def receive_batched(count: int) -> None:
            size = len(PAYLOAD)
            rest = b""
            while count:
                data = rest + os.read(source, len(batch))
                whole = len(data) // size
                messages = [data[at : at + size] for at in range(0, whole * size, size)]
                count -= len(messages)
                rest = data[whole * size :]

        def close() -> None:
            for end in (*pipes[0], *pipes[1]):
                os.close(end)

        return Side(ping, pong, send, receive, send_batched, receive_batched, close)

    return lambda: side(0), lambda: side(1)


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """On one CPU for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(make: Open, kind: str, count: int, cpus: tuple[int, int]) -> float:
    """Nanoseconds a round trip, or a message."""
    here, there = make()
    child = os.fork()
    if child == 0:
        try:
            os.sched_setaffinity(0, {cpus[1]})
            side = there()
            side.send(1)
            if kind == "round trip":
                side.pong(count)
            else:
                (side.receive if kind == "one way" else side.receive_batched)(count)
                side.send(1)
        finally:
            os._exit(0)
    with pinned(cpus[0]):
        side = here()
        side.receive(1)
        begin = time.perf_counter_ns()
        if kind == "round trip":
            side.ping(count)
        else:
            (side.send if kind == "one way" else side.send_batched)(count)
            side.receive(1)
        took = time.perf_counter_ns() - begin
    os.waitpid(child, 0)
    side.close()
    return took / count


def plain_c(folder: Path) -> Callable[[int, tuple[int, int]], list[float]]:
    """The ring in C, compiled now: round trip, one way, one way with a reader that lags."""
    program = folder / "host_ring"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-O2", "-Wall", "-o", program, source], check=True)

    def run(count: int, cpus: tuple[int, int]) -> list[float]:
        command = [str(program), str(count), str(cpus[0]), str(cpus[1])]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [int(figure) / 1000 for figure in output.split()]

    return run


@dataclass(frozen=True)
class Contender:
    """`share` of the messages are sent, the slow ones send fewer; `blocks` also tries one CPU."""

    name: str
    make: Open
    share: float
    blocks: bool


CONTENDERS = (
    Contender("C extension", ring(_ring, sleep=False), 1, False),
    Contender("C extension, sleeping", ring(_ring, sleep=True), 0.2, True),
    Contender("Python ring", ring(fallback, sleep=False), 0.3, False),
    Contender("os.pipe", os_pipe, 0.1, True),
    Contender("multiprocessing.Pipe", mp_pipe, 0.1, True),
)
Figures = dict[str, dict[str, tuple[float, float]]]


def collect(rounds: int, messages: int) -> Figures:
    """Median and least of every contender and kind; of two placements the one with the lesser median."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("the comparison needs two CPUs: rings spin")
    apart, together = (cpus[0], cpus[1]), (cpus[0], cpus[0])
    samples: dict[tuple[str, str, bool], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        limit = plain_c(Path(folder))
        for _ in range(rounds):
            for kind, figure in zip(KINDS, limit(10 * messages, apart), strict=True):
                samples.setdefault(("plain C", kind, False), []).append(figure)
            for contender in CONTENDERS:
                for kind in KINDS:
                    count = int(messages * contender.share) // BATCH * BATCH
                    for one in (False, True) if contender.blocks else (False,):
                        figure = measure(contender.make, kind, count, together if one else apart)
                        samples.setdefault((contender.name, kind, one), []).append(figure)
    found: Figures = {}
    for (name, kind, _), figures in samples.items():
        pair = statistics.median(figures), min(figures)
        found.setdefault(name, {})
        found[name][kind] = min(pair, found[name].get(kind, pair))
    return found


GOALS = (
    ("round trip", "C extension", "plain C", "at most", 2.5),
    ("round trip", "multiprocessing.Pipe", "C extension", "at least", 40),
    ("round trip", "os.pipe", "C extension", "at least", 15),
    ("round trip", "multiprocessing.Pipe", "Python ring", "at least", 6),
    ("batched", "multiprocessing.Pipe", "C extension", "at least", 5),
    ("batched", "os.pipe", "C extension", "at least", 3),
)
"""Kind, what is divided by what, and the goal for the ratio of the medians."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = collect(options.rounds, options.messages)
    ratios = [
        {"kind": kind, "of": of, "to": to, "ratio": round(found[of][kind][0] / found[to][kind][0], 2)}
        | {"goal": f"{bound} {goal}", "met": (found[of][kind][0] / found[to][kind][0] >= goal) is (bound == "at least")}
        for kind, of, to, bound, goal in GOALS
    ]
    if options.json:
        print(json.dumps({"nanoseconds": found, "ratios": ratios}))
        return
    print(f"{'ns, median/least':24}" + "".join(f"{kind:>18}" for kind in KINDS))
    for name, row in found.items():
        print(f"{name:24}" + "".join(f"{f'{row[kind][0]:.0f}/{row[kind][1]:.0f}':>18}" for kind in KINDS))
    for each in ratios:
        verdict = "met" if each["met"] else "NOT met"
        print(f"{each['kind']}: {each['of']} / {each['to']} = {each['ratio']} (goal {each['goal']}: {verdict})")


if __name__ == "__main__":
    main()
