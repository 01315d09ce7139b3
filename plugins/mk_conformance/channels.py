"""conform: what a channel between two dispatchers promises, checked from inside a kernel.

    main      boot core     for each class of pairs, for the last two cores, and for the boot core with
                            itself: a server on one core, a client on the other, in turn; collects
    client    connects twice: the channel under test, and one to agree on what comes next
    server    the other side

What is checked, in this order:
    1  both sides send `messages` of every length at once; each arrives once, whole, in order
    2  the server does not read: the client is refused when at most a window is under way, then waits
       for room until the server, which reads slowly, has read all of it
    3  the server waits for messages that come after ever longer silence, and so does the client

A broken promise raises on the core that sees it; a lost wake-up shows as a program that does not end.
Parameters: `messages` each way in step 1 (200).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import Busy, PeerError
from multikernel.events import Row
from multikernel.interfaces import PAYLOAD

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.runtime import Dispatcher

COLUMNS = ("class", "transport", "src", "dst", "messages", "window")
REPORTS, SERVICE = "conform", "conform-server"
NUMBER = 4
"""Bytes of a message's number."""
WINDOWS = 4
"""Windows sent in step 2."""
SILENCES = (0, 1, 2, 4, 20, 100)
"""Before each message of step 3, in halves of the time a receiver polls before it blocks."""
PAUSE = 500
"""Cycles between two tries when the window is full and nothing has come."""


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of class, transport, src, dst, messages (each way), window (messages under way when refused)."""
    environment = dispatcher.environment
    messages = environment.count("messages", 200)
    reports = await dispatcher.export(REPORTS)
    rows: list[Row] = []
    here = dispatcher.core
    pairs = [(entry.src, entry.dst) for entry in environment.blueprint.pair_classes]
    cores = environment.blueprint.cores
    last = [(cores[-1].id, cores[-2].id)] if len(cores) > 2 else []  # two monitors that first have to meet
    for src, dst in [*pairs, *last, (here, here)]:
        if not (await dispatcher.is_up(src) and await dispatcher.is_up(dst)):
            await dispatcher.print(f"cores {src} and {dst} are not both up: not tried")
            continue
        await dispatcher.spawn_on(dst, SERVICE, messages)
        await dispatcher.spawn_on(src, "conform-client", dst)
        report = await reports.accept()
        await report.send(messages.to_bytes(NUMBER, "little"))
        window = int.from_bytes(await report.recv(), "little")
        pair = environment.routes.transport(src, dst)
        rows.append(Row(COLUMNS, (pair.name, pair.transport, src, dst, messages, window)))
    return tuple(rows)


async def client(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Test the channel to the core in `argument`; tell the boot core."""
    environment = dispatcher.environment
    report = await dispatcher.connect(environment.routes.boot_core, REPORTS)
    messages = int.from_bytes(await report.recv(), "little")
    control = await connect(dispatcher, dispatcher.argument)
    channel = await dispatcher.connect(dispatcher.argument, SERVICE)
    slots = environment.routes.transport(dispatcher.core, dispatcher.argument).slots
    await both_ways(dispatcher, channel, messages)
    await control.recv()
    window = await fill(channel, slots)
    await control.send(slots.to_bytes(NUMBER, "little"))
    for number in range(window, WINDOWS * slots):
        await channel.send(message(number))
    await control.recv()
    for number, silence in enumerate(SILENCES):
        await dispatcher.sleep(silence * environment.poll_ns // 2)
        await channel.send(message(number))
        check(await channel.recv(), number)
    await report.send(window.to_bytes(NUMBER, "little"))
    return ()


async def server(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Serve one client; `argument` is how many messages step 1 has each way."""
    listener = await dispatcher.export(SERVICE)
    control, channel = await listener.accept(), await listener.accept()
    poll_ns = dispatcher.environment.poll_ns
    await both_ways(dispatcher, channel, dispatcher.argument)
    await control.send(b"all read")
    slots = int.from_bytes(await control.recv(), "little")
    for number in range(WINDOWS * slots):
        if number % slots == 0:
            await dispatcher.sleep(5 * poll_ns)  # the client blocks meanwhile
        check(await channel.recv(), number)
    await control.send(b"read")
    for number, silence in enumerate(SILENCES):
        check(await channel.recv(), number)
        await dispatcher.sleep(silence * poll_ns // 2)
        await channel.send(message(number))
    return ()


async def connect(dispatcher: Dispatcher, core: int) -> Channel:
    """A channel to the server on `core`, which may be about to offer its service."""
    while True:
        try:
            return await dispatcher.connect(core, SERVICE)
        except PeerError:
            await dispatcher.sleep(dispatcher.environment.poll_ns)


async def both_ways(dispatcher: Dispatcher, channel: Channel, messages: int) -> None:
    """Send and receive `messages` at once, in one thread."""
    sent = received = 0
    while sent < messages or received < messages:
        if sent < messages:
            try:
                await channel.try_send(message(sent))
                sent += 1
                continue
            except Busy:
                pass
            payload = await channel.poll()
            if payload is None:
                await dispatcher.compute(PAUSE)
                await dispatcher.give_way()
                continue
        else:
            payload = await channel.recv()
        check(payload, received)
        received += 1


async def fill(channel: Channel, slots: int) -> int:
    """Send until refused; how many were accepted, with nobody reading."""
    for number in range(slots + 1):
        try:
            await channel.try_send(message(number))
        except Busy:
            if number:
                return number
            raise BrokenPromise("a channel all of whose messages were read has no room") from None
    raise BrokenPromise(f"a window of {slots} messages took {slots + 1}")


def message(number: int) -> bytes:
    """Message `number`: itself, and as many bytes more as its turn is, made from it."""
    return number.to_bytes(NUMBER, "little") + bytes([number % 251]) * (number % (PAYLOAD - NUMBER + 1))


def check(payload: bytes, number: int) -> None:
    """Raises BrokenPromise unless `payload` is message `number`."""
    if payload != message(number):
        raise BrokenPromise(f"expected message {number}, {message(number).hex()}; got {payload.hex()}")


class BrokenPromise(AssertionError):
    """What a channel did that it may not."""
