"""Channels on one core whose windows are full: whoever waits for room keeps nobody from making it."""

from __future__ import annotations

import pytest

from multikernel.system.channels import Channel
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot

MESSAGES = 40
"""More than two windows of a channel on one core."""
TIMEOUT_NS = 20_000_000
"""Virtual; ten times what it takes."""


async def flood(channel: Channel) -> None:
    for number in range(MESSAGES):
        await channel.send(bytes([number]))


async def drain(channel: Channel) -> None:
    for number in range(MESSAGES):
        assert await channel.recv() == bytes([number])


async def to_itself(dispatcher: Dispatcher) -> tuple[()]:
    """A dispatcher that is its own client."""
    listener = await dispatcher.export("itself")

    async def client() -> None:
        await flood(await dispatcher.connect(dispatcher.core, "itself"))

    sending = dispatcher.spawn(client())
    await drain(await listener.accept())
    await sending
    return ()


async def both_ways(dispatcher: Dispatcher) -> tuple[()]:
    """Two dispatchers that fill both windows before either reads."""
    listener = await dispatcher.export("both")
    await dispatcher.spawn_on(dispatcher.core, "other-way")
    await exchange(dispatcher, await listener.accept())
    return ()


async def other_way(dispatcher: Dispatcher) -> tuple[()]:
    await exchange(dispatcher, await dispatcher.connect(dispatcher.core, "both"))
    return ()


async def exchange(dispatcher: Dispatcher, channel: Channel) -> None:
    sending = dispatcher.spawn(flood(channel))
    await dispatcher.yield_()
    await drain(channel)
    await sending


PROGRAMS = {"to-itself": to_itself, "both-ways": both_ways, "other-way": other_way}


@pytest.mark.parametrize("board", ["x86-qemu", "zcu102"])
@pytest.mark.parametrize("program", ["to-itself", "both-ways"])
def test_full_windows_on_one_core_are_emptied(program: str, board: str) -> None:
    with boot(board, PROGRAMS, timeout_ns=TIMEOUT_NS) as kernel:
        kernel.run(program)
