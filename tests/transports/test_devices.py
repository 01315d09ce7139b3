"""Transports over devices: the least hardware there is, and what they need to be opened."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mk_dma.transport import Dma
from mk_mailbox.transport import Mailbox
from multikernel.errors import LocalMisuse
from multikernel.interfaces import Endpoint, Transport
from multikernel.system.words import EVERY
from multikernel.testing.devices import DmaMemory, MailboxMemory
from multikernel.testing.memory import Schedule, SharedMemory, Waiting


class OneBuffer(MailboxMemory):
    BUFFERS = 1
    SIZES = (32, 4)


class OneDescriptor(DmaMemory):
    DEPTH = 1


async def talk(end: Endpoint, out: list[bytes], got: list[bytes], expected: int, done: Callable[[], bool]) -> None:
    """Send and receive all.  What waits for a mailbox's buffer moves when its sender looks: so look until `done`."""
    left = list(out)
    while left or len(got) < expected or not done():
        progress = False
        if left and await end.try_send(left[0]):
            left.pop(0)
            progress = True
        payload = await end.poll()
        if payload is not None:
            got.append(payload)
            progress = True
        if not progress and (left or len(got) < expected or not done()):
            await Waiting(end.watch(), *([end.room()] if left else []))


@pytest.mark.parametrize(("transport", "over"), [(Mailbox(), OneBuffer), (Dma(), OneDescriptor)])
@pytest.mark.parametrize("slots", [1, 2, 8])
def test_one_buffer_and_one_descriptor_are_enough(transport: Transport, over: type[SharedMemory], slots: int) -> None:
    draw = random.Random(slots)
    for _ in range(60):
        sent = [[draw.randbytes(draw.randrange(57)) for _ in range(draw.randrange(12))] for _ in range(2)]
        got: list[list[bytes]] = [[], []]

        def done(sent: list[list[bytes]] = sent, got: list[list[bytes]] = got) -> bool:
            return over is OneDescriptor or [len(come) for come in got] == [len(gone) for gone in reversed(sent)]

        memory = over(transport.lines(slots), False, (draw.choice(EVERY), draw.choice(EVERY)))
        ends = [transport.open(memory.channel(side), slots, side) for side in (0, 1)]
        sides = (
            talk(ends[0], sent[0], got[0], len(sent[1]), done),
            talk(ends[1], sent[1], got[1], len(sent[0]), done),
        )
        Schedule(memory, sides).run([draw.randrange(8 * 64) for _ in range(draw.randrange(300))])
        assert got == sent[::-1]


@pytest.mark.parametrize("transport", [Mailbox(), Dma()])
def test_a_channel_without_a_device_is_refused(transport: Transport) -> None:
    with pytest.raises(LocalMisuse, match="needs the registers of its device"):
        transport.open(SharedMemory(40, True).channel(0), 4, 0)
