"""What a core's hand does in C against the handlers in Python: the same deliveries at the same times, to the last one.

A kernel that is observed runs on machines that carry out every operation in Python (`faulty.py`), at no cost in virtual
time; any other on hands, where there is the C half.
"""

from __future__ import annotations

import pytest

import mk_sim.engine as chosen
import multikernel
from multikernel.events import Row
from multikernel.interfaces import BootOptions
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import blueprint, boot

pytestmark = pytest.mark.skipif(chosen.FOUND.module is None, reason="there are no hands here")
RUNS = (
    ("x86-qemu", "ping", {"rounds": "4", "messages": "40"}),
    ("paper-8x4-amd", "agree", {"updates": "2", "protocol": "two-phase"}),
    ("zcu102", "unmap", {"pages": "1", "protocol": "numa"}),
)


def outcome(board: str, program: str, arguments: dict[str, str], observe: bool) -> tuple[str, int, int]:
    made = multikernel.Multikernel(multikernel.assemble(board, platform="sim"))
    with made.boot("sim", BootOptions(observe=observe)) as kernel:
        kernel.run(program, **arguments)
        found = kernel.stop()
    return found.digest, found.virtual_ns, found.messages


@pytest.mark.parametrize(("board", "program", "arguments"), RUNS, ids=[f"{board} {name}" for board, name, _ in RUNS])
def test_a_program_goes_the_same_way(board: str, program: str, arguments: dict[str, str]) -> None:
    assert outcome(board, program, arguments, observe=False) == outcome(board, program, arguments, observe=True)


async def crowd(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Loads and stores while time slices end and interrupts come: four compute and listen to the boot core."""
    listener = await dispatcher.export("crowd")
    for core in (1, 1, 0, 2):
        await dispatcher.spawn_on(core, "busy")
    for _ in range(4):
        channel = await listener.accept()
        for number in range(12):
            await channel.send(bytes([number]))
    return ()


async def busy(dispatcher: Dispatcher) -> tuple[Row, ...]:
    channel = await dispatcher.connect(0, "crowd")
    for _ in range(12):
        await channel.recv()
        await dispatcher.compute(await dispatcher.random(30_000_000))
    return ()


async def sleeper(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Wakes up while `looker`, on its core, looks at a line that it has, over and over; the boot core stores to it."""
    listener = await dispatcher.export("sleeper")
    await dispatcher.spawn_on(1, "napper")
    await dispatcher.spawn_on(1, "looker")
    channel = await listener.accept()
    for number in range(40):
        await channel.send(bytes([number]))
        await dispatcher.sleep(10_000)
    await channel.recv()
    return ()


async def looker(dispatcher: Dispatcher) -> tuple[Row, ...]:
    channel = await dispatcher.connect(0, "sleeper")
    left, cycles = 40, 0
    while left:
        if await channel.poll() is not None:
            left -= 1
            cycles += await dispatcher.cycles()
    await channel.send(cycles.to_bytes(8, "little"))  # to the cycle, for the digest
    return ()


async def napper(dispatcher: Dispatcher) -> tuple[Row, ...]:
    for _ in range(600):
        await dispatcher.sleep(1 + await dispatcher.random(4000))
    return ()


CROWDS = {"crowd": ("busy",), "sleeper": ("looker", "napper")}
CODE = {"crowd": crowd, "busy": busy, "sleeper": sleeper, "looker": looker, "napper": napper}


@pytest.mark.parametrize("program", CROWDS)
def test_time_slices_and_interrupts_land_in_the_same_places(program: str) -> None:
    found = []
    programs = {name: CODE[name] for name in (program, *CROWDS[program])}
    for observe in (False, True):
        with boot(blueprint("x86-qemu"), programs, seed=3, timeout_ns=20 * 10**9, observe=observe) as kernel:
            kernel.run(program)
            ended = kernel.stop()
        found.append((ended.digest, ended.virtual_ns, ended.messages))
    assert found[0] == found[1]
