"""A core without memory left: what needs some is refused to who asks, on both sides, and the monitors go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multikernel.blueprint import Blueprint
from multikernel.errors import LocalMisuse, PeerError
from multikernel.events import Row
from multikernel.system.layout import PAGE
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import blueprint, boot

SERVICE = "main"
FULL = 2
"""The core whose memory is used up."""


def homed(home: str) -> Blueprint:
    """Four cores, each channel's memory at its `home`."""
    whole = blueprint("x86-qemu")
    return replace(whole, pair_classes=tuple(replace(entry, home=home) for entry in whole.pair_classes))


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Cores 1 and 2 ask for a channel to the other at once, when core 2 has no memory left; what each is told."""
    listener = await dispatcher.export(SERVICE)
    channels = []
    for core in (1, FULL):
        await dispatcher.spawn_on(core, "meets", 3 - core)
        channels.append(await listener.accept())
    for channel in channels:
        await channel.recv()
    start = await dispatcher.now() + 1_000_000
    for channel in channels:
        await channel.send(start.to_bytes(8, "little"))
    told = [(await channel.recv()).decode() for channel in channels]
    return tuple(Row(("told",), (words,)) for words in told)


async def meets(dispatcher: Dispatcher) -> tuple[()]:
    channel = await dispatcher.connect(0, SERVICE)
    if dispatcher.core == FULL:
        await use_up(dispatcher)
    await channel.send(b"ready")
    start = int.from_bytes(await channel.recv(), "little")
    await dispatcher.sleep(start - await dispatcher.now())
    try:
        await dispatcher.connect(dispatcher.argument, "meets")
    except PeerError as refusal:
        await channel.send(str(refusal).encode())
    return ()


async def use_up(dispatcher: Dispatcher) -> None:
    size = 1 << 30
    while size >= PAGE:
        try:
            await dispatcher.memory.ram(size)
        except LocalMisuse:
            size //= 2


PROGRAMS = {"main": main, "meets": meets}


@pytest.mark.parametrize("home", ["receiver", "sender"])
def test_who_meets_a_core_without_memory_is_refused_and_so_is_that_core(home: str) -> None:
    with boot(homed(home), PROGRAMS) as kernel:
        assert kernel.run("main").column("told") == [f"core {core} has no service 'meets'" for core in (FULL, 1)]
        assert {state.state for state in kernel.cores()} == {"joined"}
