"""Who has a channel with a core that dies is told as soon as its monitor knows: waiting, sending, over monitors too."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from multikernel.errors import Busy, PeerError
from multikernel.events import CoreUp, Message, ProgramRaised, Row
from multikernel.kernel import Multikernel
from multikernel.system.channels import Channel
from multikernel.system.runtime import Dispatcher
from tests.circuits.boards import CHAIN
from tests.faults.programs import PROGRAMS
from tests.promises.kernels import boot

SENT = b"one", b"two"
DOING = "recv", "send", "batch", "poll", "try"


async def lasts(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """On the core that dies: sends what there is, then nothing; its reader reads nothing."""
    listener = await dispatcher.export("lasts")
    while True:
        channel = await listener.accept()
        await channel.send_batch(SENT)


async def says(dispatcher: Dispatcher, doing: str, channel: Channel) -> None:
    """Does one thing with a channel until that fails, and says so."""
    try:
        while True:
            match doing:
                case "recv":
                    await dispatcher.print(f"recv {(await channel.recv()).decode()}")
                case "send":
                    await channel.send(b"x")
                case "batch":
                    await channel.send_batch([b"x", b"y"])
                case "poll":
                    await channel.poll()
                    await dispatcher.sleep(50_000)
                case "try":
                    try:
                        await channel.try_send(b"x")
                    except Busy:
                        await dispatcher.sleep(50_000)
    except PeerError as error:
        await dispatcher.print(f"{doing} {error}")


async def holds(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Five channels to the core that dies, and one to another; then again, with what came up there."""
    core, other = dispatcher.environment.count("core", 2), dispatcher.environment.count("other", 1)
    for one in (core, other):
        await dispatcher.spawn_on(one, "lasts")
    kept = await dispatcher.connect(other, "lasts")
    doing = [dispatcher.spawn(says(dispatcher, what, await dispatcher.connect(core, "lasts"))) for what in DOING]
    for one in doing:
        await one
    assert [await kept.recv() for _ in SENT] == list(SENT)
    await kept.send(b"x")
    await dispatcher.sleep(2_000_000)
    await dispatcher.spawn_on(core, "lasts")
    again = await dispatcher.connect(core, "lasts")
    assert [await again.recv() for _ in SENT] == list(SENT)
    return (Row(("told",), (len(doing),)),)


ALL = {**PROGRAMS, "lasts": lasts, "holds": holds}


def said(kernel: Multikernel) -> Sequence[str]:
    return sorted(event.text for event in kernel.events if isinstance(event, Message) and event.name == "holds")


@pytest.mark.parametrize(
    ("board", "core", "other"),
    [("x86-qemu", 2, 1), ("mesh:3x2", 4, 1), ("zcu102", 2, 1), ("zcu102", 5, 4), (CHAIN, 3, 1)],
    ids=lambda value: str(value).rpartition("/")[2],
)  # zcu102: within an island, and across; chain: circuits
def test_who_has_a_channel_with_a_core_that_dies_is_told(board: str, core: int, other: int) -> None:
    with boot(board, ALL, faults=[f"restart:{core}@run+3ms+100us"]) as kernel:
        assert kernel.run("holds", core=core, other=other).told == 5
        died = f"core {core}, at the other end of the channel, has died"
        heard = [f"recv {one.decode()}" for one in SENT]
        assert said(kernel) == sorted([*heard, *(f"{what} {died}" for what in DOING)])
        assert not any(isinstance(event, ProgramRaised) for event in kernel.events)


def test_services_outlive_a_client_whose_core_died() -> None:
    with boot("x86-qemu", {**ALL, "asks": asks, "asked": asked}, faults=["restart:2@run+3ms+100us"]) as kernel:
        kernel.run("asks")
        while sum(isinstance(event, CoreUp) and event.core == 2 for event in kernel.events) < 2:
            kernel.run("nap")
        kernel.run("nap")
        kernel.run("asks")
        assert not any(isinstance(event, ProgramRaised) for event in kernel.events)
        assert [event.text for event in kernel.events if isinstance(event, Message)] == ["named", "named"]


async def asks(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await dispatcher.spawn_on(2, "asked")
    await dispatcher.sleep(1_000_000)
    return ()


async def asked(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Asks the name service, and stays."""
    with_name = f"name{dispatcher.environment.incarnation}"
    await dispatcher.names.register(with_name)
    await dispatcher.print("named")
    await dispatcher.sleep(10**10)
    return ()
