"""What holds a line back, alone and beneath a program: order, times, and that a load and a poll loop see the same."""

from __future__ import annotations

from random import Random

import pytest

from mk_sim.engine import Engine
from mk_sim.holds import NEVER, Holds
from multikernel.events import FaultStruck, Message, Row
from multikernel.system.layout import Layout
from multikernel.system.runtime import Dispatcher
from tests.faults.programs import PROGRAMS
from tests.promises.kernels import blueprint, boot

US = 1_000_000
"""In ps."""
LINE = 50_000_000
"""A line of no arena: of x86-qemu's memory beyond them."""


def holds(jitter_ps: int = 0, seed: int = 1) -> tuple[Engine, Holds]:
    board, engine = blueprint("x86-qemu"), Engine(seed)
    return engine, Holds(engine, board, Layout(board), jitter_ps)


def content(number: int) -> bytes:
    return number.to_bytes(8, "little").ljust(64, b"\0")


def test_contents_of_a_line_are_seen_in_order_and_none_before_its_time() -> None:
    _, held = holds()
    held.begin(0, 1, 0, 5 * US, 10 * US)
    held.begin(0, 1, 5 * US, NEVER, 20 * US)
    first, second, third = map(content, (1, 2, 3))
    held.stored(0, LINE, first, US)
    assert held.look(1, LINE, first, 2 * US) == bytes(64)
    held.stored(0, LINE, second, 6 * US)
    assert held.look(1, LINE, second, 7 * US) == bytes(64)
    assert held.look(2, LINE, second, 7 * US) == second, "nothing is between 0 and 2"
    assert held.look(1, LINE, second, 11 * US - 1) == bytes(64)
    assert held.look(1, LINE, second, 11 * US) == first
    held.stored(1, LINE, third, 12 * US)
    assert held.look(1, LINE, second, 13 * US) == first
    assert held.look(1, LINE, second, 26 * US) == second
    assert held.look(1, LINE, third, 27 * US) == third, "its own"


def test_an_older_content_that_a_cache_still_has_is_not_new() -> None:
    _, held = holds()
    held.begin(0, 1, 0, NEVER, US)
    for number in (1, 2):
        held.stored(0, LINE, content(number), 0)
    assert held.look(1, LINE, content(2), US) == content(2)
    assert held.look(1, LINE, content(1), 2 * US) == content(2)


def test_a_line_that_is_cleared_begins_anew_and_a_bell_is_never_held() -> None:
    _, held = holds()
    held.begin(0, 1, 0, NEVER, None)
    held.stored(0, LINE, content(7), 0)
    assert held.look(1, LINE, content(7), US) == bytes(64)
    held.stored(2, LINE, bytes(64), 2 * US)
    held.stored(2, LINE, content(8), 3 * US)
    assert held.look(1, LINE, content(8), 3 * US) == content(8)
    (bell,) = held.bells(0, 1)
    held.stored(0, bell, content(1), 0)
    assert held.look(1, bell, content(1), 0) == content(1)


@pytest.mark.parametrize("seed", range(5))
def test_what_one_sees_late_does_not_depend_on_what_another_looks_at(seed: int) -> None:
    """Cores 1 to 3 look, in any order, at lines that core 0 has stored; core 3 sees what it sees when it is alone."""

    drawn = Random(seed)
    looks = [(drawn.randint(1, 3), drawn.randrange(16)) for _ in range(60)]

    def times(who: tuple[int, ...]) -> list[bool]:
        _, held = holds(10 * US, seed)
        for line in range(16):
            held.stored(0, LINE + line, content(9), 0)
        found = []
        for core, line in looks:
            if core in who:
                shown = held.look(core, LINE + line, content(9), 5 * US) == content(9)
                found += [shown] if core == 3 else []
        return found

    assert times((3,)) == times((1, 2, 3))


def test_jitter_is_up_to_what_was_asked_for() -> None:
    _, held = holds(1000)
    late = []
    for number in range(500):
        held.stored(0, LINE + number, content(1), 0)
        late.append(next(at for at in range(1002) if held.look(1, LINE + number, content(1), at) == content(1)))
    assert 0 <= min(late) < 20
    assert 980 < max(late) <= 1000


async def pries(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Core 1 sends 8 messages, 10 us apart, and this looks every 2 us, never waiting."""
    listener = await dispatcher.export("pries")
    await dispatcher.spawn_on(1, "pried")
    channel = await listener.accept()
    found = 0
    while found < 8:
        payload = await channel.poll()
        if payload is not None:
            found += 1
            await dispatcher.print(f"{int.from_bytes(payload, 'little')} {await dispatcher.now()}")
        await dispatcher.compute(2000)
    return ()


async def pried(dispatcher: Dispatcher) -> tuple[Row, ...]:
    channel = await dispatcher.connect(0, "pries")
    for _ in range(8):
        await channel.send((await dispatcher.now()).to_bytes(8, "little"))
        await dispatcher.compute(10_000)
    return ()


def test_a_load_sees_no_more_than_a_poll_loop() -> None:
    programs = {**PROGRAMS, "pries": pries, "pried": pried}

    def run(*faults: str) -> list[list[int]]:
        with boot("x86-qemu", programs, faults=faults) as kernel:
            kernel.run("pries")
            told = [event for event in kernel.events if isinstance(event, Message)]
            struck.extend(event.at_ns for event in kernel.events if isinstance(event, FaultStruck))
            return [list(map(int, event.text.split())) for event in told]

    struck: list[int] = []
    plain = run()
    booted = min(sent for sent, _ in plain)
    run_began = booted // 1000 * 1000
    held = run(f"cut:1>0@{run_began + 15_000}ns+40us")
    begun, over = struck
    during = [(sent, seen) for sent, seen in held if begun <= sent < over - 1000]
    assert len(during) >= 3
    assert all(seen >= over for _, seen in during)
    assert [sent for sent, _ in held] == sorted(sent for sent, _ in held)


@pytest.mark.parametrize("late", ["4us", "40us"])
def test_who_sends_sees_its_acknowledgements_late_and_goes_on(late: str) -> None:
    """More messages than a window has slots: the sender waits for room, and what makes room is late."""
    with boot("x86-qemu", PROGRAMS, faults=[f"delay:1>0@0={late}"]) as kernel:
        kernel.run("exchange", count=200, gap_us=0)
        numbers = [
            int(event.text.split()[0]) for event in kernel.events if isinstance(event, Message) and event.core == 1
        ]
        assert numbers == list(range(200))
