"""What a program asks of its monitor, however odd and whenever it ends, leaves the monitor alive."""

from __future__ import annotations

from contextlib import suppress

import pytest

from multikernel.errors import LocalMisuse, ProgramFailed
from multikernel.events import Row
from multikernel.system.environment import MONITOR
from multikernel.system.messages import NAME, WatchLine, encode
from multikernel.system.operations import SendLocal
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot

LONG = "l" * (NAME + 1)
LATE = "late"


async def nothing(dispatcher: Dispatcher) -> tuple[()]:
    return ()


async def ends_while_it_spawns(dispatcher: Dispatcher) -> tuple[()]:
    dispatcher.spawn(dispatcher.spawn_on(2, "nothing"))
    await dispatcher.yield_()
    return ()


async def ends_while_it_connects(dispatcher: Dispatcher) -> tuple[()]:
    """Another waits for a service of this core that is not there yet, and ends before it is."""
    core = int(dispatcher.environment.parameter("core", "0"))
    await dispatcher.spawn_on(core, "gives-up")
    await dispatcher.sleep(1_000_000)
    await dispatcher.export(LATE)
    await dispatcher.sleep(1_000_000)
    return ()


async def gives_up(dispatcher: Dispatcher) -> tuple[()]:
    dispatcher.spawn(dispatcher.connect(dispatcher.environment.routes.boot_core, LATE))
    await dispatcher.sleep(100_000)
    return ()


async def asks(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """How many of the requests were refused as the asker's own mistake."""
    frame = await dispatcher.memory.allocate(4096)
    refused = 0
    for number in (0, 1, 99):
        with suppress(LocalMisuse):
            await dispatcher.memory.give(frame, 99, number)
            refused -= 1
        refused += 1
    with suppress(LocalMisuse):
        await dispatcher.spawn_on(2, "nothing", 1 << 32)
        refused -= 1
    refused += 1
    return (Row(("refused",), (refused,)),)


async def watches_nowhere(dispatcher: Dispatcher) -> tuple[()]:
    """Asks to be woken when a line of memory that is not there changes."""
    assert await SendLocal(MONITOR, encode(WatchLine(1 << 60, 0, 0)))
    await dispatcher.sleep(100_000)
    return ()


PROGRAMS = {
    "watches-nowhere": watches_nowhere,
    "nothing": nothing,
    "ends-while-spawning": ends_while_it_spawns,
    "ends-connecting": ends_while_it_connects,
    "gives-up": gives_up,
    "asks": asks,
    LONG: nothing,
}


@pytest.mark.parametrize(
    ("program", "core"), [("ends-while-spawning", 0), ("ends-connecting", 0), ("ends-connecting", 2)]
)
def test_an_asker_that_has_ended_is_answered_by_nobody(program: str, core: int) -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        kernel.run(program, core=core)
        assert kernel.run("ping", rounds=1, messages=8).rows
        assert {state.state for state in kernel.cores()} == {"joined"}


def test_a_line_that_is_not_there_is_not_watched() -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        kernel.run("watches-nowhere")
        assert {state.state for state in kernel.cores()} == {"joined"}


def test_a_core_that_is_none_and_an_argument_too_large_are_refused() -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        assert kernel.run("asks").refused == 4
        assert {state.state for state in kernel.cores()} == {"joined"}


def test_a_process_whose_name_no_message_carries_is_not_started() -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        with pytest.raises(ProgramFailed, match=f"longer than the {NAME} bytes"):
            kernel.run(LONG)
        assert kernel.run("ping", rounds=1, messages=8).rows
