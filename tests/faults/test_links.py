"""Faults of a link, and jitter: what is held and for how long, in which direction, and that channels stay FIFO."""

from __future__ import annotations

import pytest

from multikernel.errors import BootTimeout
from multikernel.events import FaultStruck
from multikernel.kernel import Multikernel
from tests.faults.programs import PROGRAMS, Seen, seen
from tests.promises.kernels import SECOND, boot

US = 1000
FASTEST, SLOWEST = 100, 60 * US
"""A message between cores of `x86-qemu` (about 600 ns), and one to a core that sleeps, ns."""
BOARDS = {"x86-qemu": 1, "zcu102": 5}
"""A coherent pair with core 0, and one across islands."""


def exchanged(
    *faults: str, board: str = "x86-qemu", count: int = 8, gap_us: int = 20, jitter_ns: int = 0
) -> Multikernel:
    """A kernel in which cores 0 and `BOARDS[board]` have sent each other messages."""
    kernel = boot(board, PROGRAMS, faults=faults, jitter_ns=jitter_ns, seed=count)
    kernel.run("exchange", a=0, b=BOARDS[board], count=count, gap_us=gap_us)
    kernel.stop()
    return kernel


def window(kernel: Multikernel) -> tuple[int, int]:
    begun, over = (event.at_ns for event in kernel.events if isinstance(event, FaultStruck))
    return begun, over


def within(messages: list[Seen], low: int, high: int) -> list[Seen]:
    return [message for message in messages if low <= message.sent < high]


def in_order(messages: list[Seen], count: int) -> bool:
    return [message.number for message in messages] == list(range(count))


def start(board: str) -> int:
    """When the first message of an exchange without faults is sent, in us after the program is asked for."""
    kernel = exchanged(board=board)
    first = min(message.sent for message in seen(kernel, BOARDS[board]))
    booted = next(event.at_ns for event in kernel.events if type(event).__name__ == "Booted")
    return (first - booted) // US


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("ways", [">", "-"])
def test_what_is_stored_while_a_link_is_cut_is_seen_when_it_is_whole(board: str, ways: str) -> None:
    peer = BOARDS[board]
    kernel = exchanged(f"cut:0{ways}{peer}@run+{start(board) + 30}us+120us", board=board)
    begun, over = window(kernel)
    there, back = seen(kernel, peer), seen(kernel, 0)
    assert in_order(there, 8)
    assert in_order(back, 8)
    for messages, cut in ((there, True), (back, ways == "-")):
        held = within(messages, begun, over - US)
        assert len(held) >= 3
        if cut:
            assert all(over <= message.seen < over + SLOWEST for message in held)
        else:
            assert all(message.seen - message.sent < SLOWEST for message in held)
            assert any(message.seen < over - 20 * US for message in held)
        for message in (*within(messages, 0, begun - US), *within(messages, over, 1 << 62)):
            assert FASTEST < message.seen - message.sent < SLOWEST


@pytest.mark.parametrize("board", BOARDS)
def test_what_is_late_is_late_by_so_much(board: str) -> None:
    peer = BOARDS[board]
    kernel = exchanged(f"delay:{peer}>0@run+{start(board) + 30}us+80us=150us", board=board)
    begun, over = window(kernel)
    there, back = seen(kernel, peer), seen(kernel, 0)
    assert in_order(there, 8)
    assert in_order(back, 8)
    late = within(back, begun + US, over - US)
    assert len(late) >= 3
    assert all(150 * US <= message.seen - message.sent < 150 * US + SLOWEST for message in late)
    assert all(message.seen - message.sent < SLOWEST for message in (*there, *within(back, 0, begun - US)))


def test_what_is_a_little_late_is_later_by_exactly_that() -> None:
    """Both sides poll all the time, so that nothing but the delay is added: half of it, as it is one way's."""
    cycles = [
        boot("x86-qemu", {}, faults=faults).run("ping", rounds=50, messages=16).column("cycles")[0]
        for faults in ((), ("delay:0>1@0=2us",))
    ]
    assert isinstance(cycles[0], int)
    assert isinstance(cycles[1], int)
    assert abs(cycles[1] - cycles[0] - 1000) <= 10


@pytest.mark.parametrize("fault", ["cut:0-1@run+message:4", "cut:1>0@run+100us"])
def test_a_link_cut_for_ever_ends_at_the_time_limit(fault: str) -> None:
    with boot("x86-qemu", PROGRAMS, faults=[fault], timeout_ns=SECOND // 10) as kernel:
        with pytest.raises(BootTimeout, match=f"program exchange did not end .* faults so far: {fault[:6]}"):
            kernel.run("exchange")
        kernel.run("nap")


def test_who_is_not_heard_still_wakes_who_sleeps() -> None:
    """Core 1's bell is up while it sleeps; core 0 sees that although it sees no message of core 1's."""
    kernel = exchanged(f"cut:1>0@run+{start('x86-qemu') + 30}us+500us", gap_us=60)
    begun, over = window(kernel)
    heard = within(seen(kernel, 1), begun, over)
    assert len(heard) >= 4
    assert all(message.seen - message.sent < 30 * US for message in heard), "it would be 60 by its own timer"


def test_links_are_struck_at_messages_and_steps_of_the_first_core() -> None:
    for fault in ("cut:1>0@run+message:3+1ms", "delay:1-0@message:5+1ms=5us", "cut:0-2@run+step:2+1ms"):
        kernel = boot("x86-qemu", PROGRAMS, faults=[fault])
        kernel.run("reserve")
        kernel.stop()
        assert [(event.core, event.text, event.over) for event in kernel.events if isinstance(event, FaultStruck)][
            :1
        ] == [(int(fault.partition(":")[2][0]), fault, False)]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("jitter_ns", [300, 3000, 40_000])
def test_channels_are_fifo_whatever_the_jitter(board: str, jitter_ns: int) -> None:
    kernel = exchanged(board=board, count=200, gap_us=0, jitter_ns=jitter_ns)
    for core in (0, BOARDS[board]):
        messages = seen(kernel, core)
        assert in_order(messages, 200)
        assert [message.seen for message in messages] == sorted(message.seen for message in messages)
    assert max(message.seen - message.sent for message in seen(kernel, 0)) > jitter_ns


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("board", ["x86-qemu", "zcu102"])
def test_every_promise_of_channels_holds_under_jitter(board: str, seed: int) -> None:
    with boot(board, {}, seed=seed, jitter_ns=2000) as kernel:
        assert kernel.run("conform", messages=100).rows
        assert kernel.run("unmap", pages=1).stale_hits == 0
