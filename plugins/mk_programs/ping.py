"""ping: latency and throughput of a representative of every class of pairs of cores.

    main     boot core     for each class: starts an echo on one core and a probe on the other, collects
    probe                  latency as half a round trip, then messages a kilocycle, pipelined
    echo                   sends back what it is asked to

Cycles are the probe's core's.  As in table 2 of Baumann et al., SOSP 2009: latency with both sides polling,
throughput with the window kept full.

What it finds it asserts as facts (`measured`, see `multikernel.binding.measured`), by which the kernel can be
bound again.

Parameters: `rounds` round trips a pair (100), `messages` of the throughput run (1600), `class` to measure
one class only, `pairs` of each class (1; they are taken evenly from all).
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from multikernel.events import Row

if TYPE_CHECKING:
    from multikernel.blueprint import PairClass
    from multikernel.system.channels import Channel
    from multikernel.system.environment import Environment
    from multikernel.system.routes import Routes
    from multikernel.system.runtime import Dispatcher

COLUMNS = ("class", "pairs", "cycles", "sd", "per_kcycle")
SERVICE, RESULTS = "ping-echo", "ping"
ECHO, COUNT, END = b"e", b"c", b"."
WARM_UP = 8
"""Round trips before the first that counts: channels and caches settle."""


class Figures(NamedTuple):
    """What a probe found, in cycles of its core: sum and sum of squares of the round trips, the least, the
    greatest and the 99th percentile of them; messages a kilocycle in hundredths."""

    total: int
    squares: int
    least: int
    most: int
    p99: int
    per_kcycle: int


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of class, pairs (how many are in the class), cycles (one way), sd, per_kcycle."""
    environment = dispatcher.environment
    pairs = (*environment.blueprint.pair_classes, environment.routes.local)
    rounds = environment.count("rounds", 100)
    messages = environment.count("messages", 1600)
    wanted = environment.count("pairs", 1)
    only = environment.choice("class", [pair.name for pair in pairs])
    listener = await dispatcher.export(RESULTS)
    rows: list[Row] = []
    for pair in pairs:
        if only and pair.name != only:
            continue
        cores = await measured(dispatcher, pair, wanted)
        if not cores:
            await dispatcher.print(f"class {pair.name}: no pair of it is up")
            continue
        found: list[Figures] = []
        for src, dst in cores:
            await dispatcher.spawn_on(dst, SERVICE, src)
            await listener.accept()  # the echo has exported its service
            await dispatcher.spawn_on(src, "ping-probe", dst)
            channel = await listener.accept()
            await channel.send(rounds.to_bytes(4, "little") + messages.to_bytes(4, "little"))
            answer = await channel.recv()
            found.append(Figures(*(int.from_bytes(answer[at : at + 8], "little") for at in range(0, 48, 8))))
        rows.append(_row(pair, found, rounds))
        clocks = [_mhz(environment, src) for src, _ in cores]
        await dispatcher.assert_fact("measured", *_fact(pair, list(zip(found, clocks, strict=True)), rounds))
    return tuple(rows)


async def measured(dispatcher: Dispatcher, pair: PairClass, wanted: int) -> list[tuple[int, int]]:
    """Up to `wanted` pairs of the class whose cores are up: the representative or, if one of its cores is not up,
    the first that is; then one for each of as many senders, evenly over the cores."""
    routes = dispatcher.environment.routes
    if await dispatcher.is_up(pair.src) and await dispatcher.is_up(pair.dst):
        found = [(pair.src, pair.dst)]
        up = [core for core in routes.cores if await dispatcher.is_up(core)] if wanted > 1 else []
    else:
        up = [core for core in routes.cores if await dispatcher.is_up(core)]
        found = [pair_ for core in up if (pair_ := _pair_from(routes, pair.name, core, up))][:1]
    for number in range(1, wanted):
        more = _pair_from(routes, pair.name, up[number * len(up) // wanted], up) if found else None
        if more is not None and more not in found:
            found.append(more)
    return found


def _pair_from(routes: Routes, name: str, src: int, up: list[int]) -> tuple[int, int] | None:
    """A pair of class `name` that begins at `src`; the receivers are tried upwards from it."""
    start = up.index(src)
    for dst in (*up[start:], *up[:start]):
        if routes.transport(src, dst).name == name:
            return src, dst
    return None


def _mhz(environment: Environment, core: int) -> int:
    kind = environment.routes.core(core).kind
    return next(entry.mhz for entry in environment.blueprint.kinds if entry.name == kind)


def _row(pair: PairClass, found: list[Figures], rounds: int) -> Row:
    total, trips = sum(one.total for one in found), rounds * len(found)
    variance_100 = 100 * (trips * sum(one.squares for one in found) - total * total) // trips**2
    rate = sum(one.per_kcycle for one in found) // len(found)
    values = (
        pair.name,
        pair.pairs,
        total // (2 * trips),
        _decimal(isqrt(variance_100) // 2, 1),
        _decimal(rate, 2),
    )
    return Row(COLUMNS, values)


def _fact(pair: PairClass, found: list[tuple[Figures, int]], rounds: int) -> tuple[int | str, ...]:
    """The values of a fact `measured`: one-way picoseconds, from round trips in cycles of senders of so many MHz."""
    trips = rounds * len(found)
    means = [one.total * 1_000_000 // (2 * rounds * mhz) for one, mhz in found]
    mean = sum(means) // len(means)
    squares = sum(one.squares * 1_000_000_000_000 // (4 * mhz * mhz) for one, mhz in found)
    p99 = max(one.p99 * 1_000_000 // (2 * mhz) for one, mhz in found)
    return (
        pair.name,
        pair.transport,
        mean,
        isqrt(max(0, squares // trips - mean * mean)),
        min(means),
        max(means),
        p99,
        trips,
    )


def _decimal(value: int, digits: int) -> str:
    return f"{value // 10**digits}.{value % 10**digits:0{digits}d}"


async def probe(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Measure to the core in `argument`; tell the boot core."""
    report = await dispatcher.connect(dispatcher.environment.routes.boot_core, RESULTS)
    order = await report.recv()
    rounds, messages = int.from_bytes(order[:4], "little"), int.from_bytes(order[4:8], "little")
    channel = await dispatcher.connect(dispatcher.argument, f"{SERVICE}-{dispatcher.core}")
    times = await latency(dispatcher, channel, rounds)
    per_kcycle = await throughput(dispatcher, channel, messages)
    await channel.send(END)
    p99 = sorted(times)[(99 * rounds + 99) // 100 - 1]
    figures = Figures(sum(times), sum(time * time for time in times), min(times), max(times), p99, per_kcycle)
    await report.send(b"".join(figure.to_bytes(8, "little") for figure in figures))
    return ()


async def latency(dispatcher: Dispatcher, channel: Channel, rounds: int) -> list[int]:
    """How long each of `rounds` round trips took, in cycles."""
    times: list[int] = []
    for round_ in range(WARM_UP + rounds):
        before = await dispatcher.cycles()
        await channel.send(ECHO)
        await channel.recv()
        if round_ >= WARM_UP:
            times.append(await dispatcher.cycles() - before)
    return times


async def throughput(dispatcher: Dispatcher, channel: Channel, messages: int) -> int:
    """Messages a kilocycle, in hundredths, with the window kept full; the last is echoed."""
    before = await dispatcher.cycles()
    await channel.send_batch([COUNT] * (messages - 1))
    await channel.send(ECHO)
    await channel.recv()
    return messages * 100_000 // max(1, await dispatcher.cycles() - before)


async def echo(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Serve the probe of the core in `argument`; tell the boot core when that is possible, by connecting to it."""
    listener = await dispatcher.export(f"{SERVICE}-{dispatcher.argument}")
    await dispatcher.connect(dispatcher.environment.routes.boot_core, RESULTS)
    channel = await listener.accept()
    while (payload := await channel.recv()) != END:
        if payload == ECHO:
            await channel.send(payload)
    return ()
