"""ping: latency and throughput of a representative of every class of pairs of cores.

    main     boot core     for each class: starts an echo on one core and a probe on the other, collects
    probe                  one-way latency as half a round trip, then messages a kilocycle, pipelined
    echo                   sends back what it is asked to

Cycles are the probe's core's.  As in table 2 of Baumann et al., SOSP 2009: latency with both sides polling,
throughput with the window kept full.

Parameters: `rounds` round trips a class (100), `messages` of the throughput run (1600), `class` to measure
one class only.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from multikernel.events import Row

if TYPE_CHECKING:
    from multikernel.blueprint import PairClass
    from multikernel.system.channels import Channel
    from multikernel.system.runtime import Dispatcher

COLUMNS = ("class", "pairs", "cycles", "sd", "per_kcycle")
SERVICE, RESULTS = "ping-echo", "ping"
ECHO, COUNT, END = b"e", b"c", b"."
WARM_UP = 8
"""Round trips before the first that counts: channels and caches settle."""


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of class, pairs (how many are in the class), cycles (one way), sd, per_kcycle."""
    environment = dispatcher.environment
    pairs = (*environment.blueprint.pair_classes, environment.routes.local)
    rounds = environment.count("rounds", 100)
    messages = environment.count("messages", 1600)
    only = environment.choice("class", [pair.name for pair in pairs])
    listener = await dispatcher.export(RESULTS)
    rows: list[Row] = []
    for pair in pairs:
        if only and pair.name != only:
            continue
        src, dst = await measured(dispatcher, pair)
        if src < 0:
            await dispatcher.print(f"class {pair.name}: no pair of it is up")
            continue
        await dispatcher.spawn_on(dst, SERVICE)
        await listener.accept()  # the echo has exported its service
        await dispatcher.spawn_on(src, "ping-probe", dst)
        channel = await listener.accept()
        await channel.send(rounds.to_bytes(4, "little") + messages.to_bytes(4, "little"))
        rows.append(_row(pair, [int.from_bytes(await channel.recv(), "little") for _ in range(3)]))
    return tuple(rows)


async def measured(dispatcher: Dispatcher, pair: PairClass) -> tuple[int, int]:
    """The pair to measure for its class: the representative or, if one of its cores is not up, the first of
    the class that is; (-1, -1) when there is none."""
    if await dispatcher.is_up(pair.src) and await dispatcher.is_up(pair.dst):
        return pair.src, pair.dst
    routes = dispatcher.environment.routes
    up = [core for core in routes.cores if await dispatcher.is_up(core)]
    return next(((a, b) for a in up for b in up if a != b and routes.transport(a, b).name == pair.name), (-1, -1))


def _row(pair: PairClass, figures: list[int]) -> Row:
    cycles, sd_tenths, per_kcycle_hundredths = figures
    return Row(COLUMNS, (pair.name, pair.pairs, cycles, _decimal(sd_tenths, 1), _decimal(per_kcycle_hundredths, 2)))


def _decimal(value: int, digits: int) -> str:
    return f"{value // 10**digits}.{value % 10**digits:0{digits}d}"


async def probe(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Measure to the core in `argument`; tell the boot core."""
    report = await dispatcher.connect(dispatcher.environment.routes.boot_core, RESULTS)
    order = await report.recv()
    rounds, messages = int.from_bytes(order[:4], "little"), int.from_bytes(order[4:8], "little")
    channel = await dispatcher.connect(dispatcher.argument, SERVICE)
    mean, sd_tenths = await latency(dispatcher, channel, rounds)
    per_kcycle = await throughput(dispatcher, channel, messages)
    await channel.send(END)
    for figure in (mean, sd_tenths, per_kcycle):
        await report.send(figure.to_bytes(8, "little"))
    return ()


async def latency(dispatcher: Dispatcher, channel: Channel, rounds: int) -> tuple[int, int]:
    """One-way latency: mean in cycles, standard deviation in tenths of a cycle, over `rounds` round trips."""
    times: list[int] = []
    for round_ in range(WARM_UP + rounds):
        before = await dispatcher.cycles()
        await channel.send(ECHO)
        await channel.recv()
        if round_ >= WARM_UP:
            times.append(await dispatcher.cycles() - before)
    total = sum(times)
    variance_100 = 100 * (len(times) * sum(time * time for time in times) - total * total) // len(times) ** 2
    return total // (2 * len(times)), isqrt(variance_100) // 2


async def throughput(dispatcher: Dispatcher, channel: Channel, messages: int) -> int:
    """Messages a kilocycle, in hundredths, with the window kept full; the last is echoed."""
    before = await dispatcher.cycles()
    await channel.send_batch([COUNT] * (messages - 1))
    await channel.send(ECHO)
    await channel.recv()
    return messages * 100_000 // max(1, await dispatcher.cycles() - before)


async def echo(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Serve one probe; tell the boot core when that is possible, by connecting to it."""
    listener = await dispatcher.export(SERVICE)
    await dispatcher.connect(dispatcher.environment.routes.boot_core, RESULTS)
    channel = await listener.accept()
    while (payload := await channel.recv()) != END:
        if payload == ECHO:
            await channel.send(payload)
    return ()
