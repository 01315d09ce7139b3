"""Programs that faults are tried on, and what they tell.

    beat        a dispatcher on core `core` prints its clock, `beats` times, each `every_us`: it computes, or `sleeps`
    exchange    cores `a` and `b` send each other `count` numbered messages, one each `gap_us`, and print what they see
    reserve     all cores agree on a number, by two-phase commit, over two trees
    nap         the boot core does nothing for a millisecond

May not know: faults.
"""

from __future__ import annotations

from typing import NamedTuple

from multikernel.events import Message, Row
from multikernel.kernel import Multikernel
from multikernel.system.channels import Channel
from multikernel.system.completion import Completion
from multikernel.system.runtime import Dispatcher


class Beat(NamedTuple):
    """A beat told at `at` ns, when the core's clock showed `ns` and its counter `cycles`."""

    at: int
    ns: int
    cycles: int


class Seen(NamedTuple):
    """Message `number`, sent at `sent` and read at `seen`, ns since boot."""

    number: int
    sent: int
    seen: int


async def nap(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await dispatcher.sleep(1_000_000)
    return ()


async def beat(dispatcher: Dispatcher) -> tuple[Row, ...]:
    environment = dispatcher.environment
    core = environment.count("core", 1, least=0)
    beats, every_us = environment.count("beats", 20), environment.count("every_us", 20)
    sleeps = environment.count("sleeps", 0, least=0)
    await dispatcher.spawn_on(core, "beater", beats | every_us << 8 | sleeps << 24)
    await dispatcher.sleep(2 * beats * every_us * 1000 + 1_000_000)
    return ()


async def beater(dispatcher: Dispatcher) -> tuple[Row, ...]:
    beats, every_us, sleeps = dispatcher.argument & 0xFF, dispatcher.argument >> 8 & 0xFFFF, dispatcher.argument >> 24
    for _ in range(beats):
        await (dispatcher.sleep(every_us * 1000) if sleeps else dispatcher.compute(every_us * 1000))
        await dispatcher.print(f"{await dispatcher.now()} {await dispatcher.cycles()}")
    return ()


async def exchange(dispatcher: Dispatcher) -> tuple[Row, ...]:
    environment = dispatcher.environment
    a, b = environment.count("a", 0, least=0), environment.count("b", 1, least=0)
    count, gap_us = environment.count("count", 8), environment.count("gap_us", 20, least=0)
    listener = await dispatcher.export("exchanged")
    await dispatcher.spawn_on(b, "exchange-b", count | gap_us << 16)
    await listener.accept()  # it has exported its service
    await dispatcher.spawn_on(a, "exchange-a", b << 24 | count | gap_us << 16)
    for _ in range(2):
        await (await listener.accept()).recv()
    return ()


async def exchange_a(dispatcher: Dispatcher) -> tuple[Row, ...]:
    channel = await dispatcher.connect(dispatcher.argument >> 24, "exchange-b")
    await both_ways(dispatcher, channel)
    return ()


async def exchange_b(dispatcher: Dispatcher) -> tuple[Row, ...]:
    listener = await dispatcher.export("exchange-b")
    await dispatcher.connect(dispatcher.environment.routes.boot_core, "exchanged")
    await both_ways(dispatcher, await listener.accept())
    return ()


async def both_ways(dispatcher: Dispatcher, channel: Channel) -> None:
    """Send and receive, and tell the boot core when both are done."""
    count, gap_us = dispatcher.argument & 0xFFFF, dispatcher.argument >> 16 & 0xFF

    async def send() -> None:
        for number in range(count):
            stamp = await dispatcher.now()
            await channel.send(number.to_bytes(8, "little") + stamp.to_bytes(8, "little"))
            if gap_us:
                await dispatcher.sleep(gap_us * 1000)

    sending: Completion[None] = dispatcher.spawn(send(), "send")
    seen: list[Seen] = []
    for _ in range(count):
        payload = await channel.recv()
        number, sent = (int.from_bytes(payload[at : at + 8], "little") for at in (0, 8))
        seen.append(Seen(number, sent, await dispatcher.now()))
    await sending
    for one in seen:
        await dispatcher.print(f"{one.number} {one.sent} {one.seen}")
    report = await dispatcher.connect(dispatcher.environment.routes.boot_core, "exchanged")
    await report.send(b"done")


async def reserve(dispatcher: Dispatcher) -> tuple[Row, ...]:
    for core in dispatcher.environment.routes.cores:
        if core != dispatcher.core:
            await dispatcher.spawn_on(core, "reserver")
    for number, tree in enumerate(("unicast", "broadcast")):
        await dispatcher.agree("reservation", number, tree)
    return ()


async def reserver(dispatcher: Dispatcher) -> tuple[Row, ...]:
    return ()


PROGRAMS = {
    "nap": nap, "reserve": reserve, "reserver": reserver, "beat": beat, "beater": beater,
    "exchange": exchange, "exchange-a": exchange_a, "exchange-b": exchange_b,
}  # fmt: skip


def beats(kernel: Multikernel, core: int) -> list[Beat]:
    """What `core` has printed."""
    told = [event for event in kernel.events if isinstance(event, Message) and event.core == core]
    return [Beat(event.at_ns, *map(int, event.text.split())) for event in told]


def seen(kernel: Multikernel, core: int) -> list[Seen]:
    """What `core` saw of an exchange."""
    told = [event for event in kernel.events if isinstance(event, Message) and event.core == core]
    return [Seen(*map(int, event.text.split())) for event in told]
