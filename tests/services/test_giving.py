"""What a dispatcher gives to another: with the rights it has itself and no others, and only what it may send."""

from __future__ import annotations

import pytest

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.events import ProcessStarted
from multikernel.interfaces import LINE
from multikernel.system.caps.requests import Identify, Mint, Retype
from multikernel.system.caps.types import ALL_RIGHTS, GRANT, IDENTIFY, CapType
from multikernel.system.environment import MONITOR
from multikernel.system.layout import PAGE
from multikernel.system.messages import PassMemory, Spawn, encode
from multikernel.system.operations import Invoke, InvokeCap, SendLocal
from multikernel.system.page_tables import READ, WRITE
from multikernel.system.requests import OpenWindow
from multikernel.system.runtime import Dispatcher
from multikernel.system.vspace import Frame
from tests.promises.kernels import boot

SERVICE = "given"


async def gives(dispatcher: Dispatcher) -> tuple[()]:
    """A frame that may be read alone, to a dispatcher of core `core`."""
    core = int(dispatcher.environment.parameter("core", "0"))
    listener = await dispatcher.export(SERVICE)
    number = await dispatcher.spawn_on(core, "takes")
    channel = await listener.accept()
    frame = await dispatcher.memory.allocate(PAGE)
    for rights in (READ | GRANT | IDENTIFY, ALL_RIGHTS):
        slot = dispatcher.memory.slot()
        await InvokeCap(frame.cptr, Mint(slot, rights))
        await dispatcher.memory.give(Frame(slot, PAGE), core, number)
        assert await channel.recv() == rights.to_bytes(1, "little")
    return ()


async def takes(dispatcher: Dispatcher) -> tuple[()]:
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, SERVICE)
    while True:
        frame = await dispatcher.receive_frame()
        found = (await InvokeCap(frame.cptr, Identify())).result
        assert found is not None
        rights = found.rights
        if not rights & WRITE:
            with pytest.raises(CapabilityError, match="lacks the right to write"):
                await dispatcher.vspace.map(frame)
        await channel.send(rights.to_bytes(1, "little"))


async def keeps(dispatcher: Dispatcher) -> tuple[()]:
    """What may not be sent stays, on this core and to others; a Frame that may not be written has no window."""
    memory, own = dispatcher.memory, dispatcher.environment
    ram, kept, frame = await memory.ram(PAGE), memory.slot(), memory.slot()
    await InvokeCap(ram, Mint(kept, ALL_RIGHTS & ~GRANT))
    await InvokeCap(kept, Retype(frame, CapType.FRAME, PAGE))
    for core in (own.core, 1):
        with pytest.raises(CapabilityError, match="lacks the right to be sent") as refused:
            await memory.give(Frame(frame, PAGE), core, own.number)
        assert refused.value.code == "rights"
        with pytest.raises(CapabilityError, match="lacks the right to be sent"):
            await memory.give_ram(kept, core, own.number)
    with pytest.raises(LocalMisuse, match="is no memory to give away"):
        await memory.give(Frame(kept, PAGE), 1, own.number)
    await Invoke(frame, OpenWindow(0, PAGE // LINE))
    for rights in (READ, WRITE):
        slot = memory.slot()
        await InvokeCap(frame, Mint(slot, rights))
        with pytest.raises(CapabilityError, match="lacks the right to load and store"):
            await Invoke(slot, OpenWindow(0, 1))
    return ()


async def forges(dispatcher: Dispatcher) -> tuple[()]:
    """Says to its monitor what only monitors say: that it is given all of the monitor's own memory, and a program."""
    own = dispatcher.environment
    area = own.layout.areas(own.core)[0]
    said = (
        PassMemory(area.base, PAGE, own.number, 0, ALL_RIGHTS),
        PassMemory(area.base, PAGE, own.number, 1, ALL_RIGHTS),
        Spawn(1, 0, "forged", "another"),
    )
    for item in said:
        assert await SendLocal(MONITOR, encode(item))
    arrived = dispatcher.spawn(dispatcher.receive_frame())
    await dispatcher.memory.ram(PAGE)  # answered after what was said before
    await dispatcher.sleep(1_000_000)
    assert not arrived.done
    return ()


async def forged(dispatcher: Dispatcher) -> tuple[()]:
    raise AssertionError("a program started in another's name")


PROGRAMS = {"gives": gives, "takes": takes, "keeps": keeps, "forges": forges, "forged": forged}


@pytest.mark.parametrize("core", [0, 1])
def test_rights_travel_and_never_grow(core: int) -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        kernel.run("gives", core=core)


def test_nothing_is_sent_without_the_right_to() -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        kernel.run("keeps")


def test_no_program_speaks_for_a_monitor() -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        kernel.run("forges")
        started = {event.name for event in kernel.events if isinstance(event, ProcessStarted)}
        assert "another" not in started
