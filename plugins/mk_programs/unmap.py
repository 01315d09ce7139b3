"""unmap: a page mapped on all cores is taken away, by each of the four shootdown protocols.

    main     boot core           for each protocol, for each page: give the page to every core, wait until all
                                 touch it, unmap it, then write to its memory through another mapping
    touch    every other core    maps what it is given and reads it until that faults

A stale hit is an access that still reaches the page's memory after the unmap has completed: seen by the
reader, as the value written after that, or found in the translation hardware's state by the platform's
model at the moment of completion, where the platform has one.  Column `mmu` says which: `model` for both,
`software` for the reader alone, where address translation is a program.

Parameters: `pages` a protocol (4), `cores` at most (all that translate addresses), `protocol` to run one only.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import PeerError
from multikernel.events import Row
from multikernel.system.dispatcher import UnhandledFault
from multikernel.system.layout import PAGE
from multikernel.system.page_tables import READ
from multikernel.system.routes import TREES

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.runtime import Dispatcher

COLUMNS = ("protocol", "cores", "cycles", "stale_hits", "remote_accesses", "mmu")
SERVICE = "unmap"
MAP, END = b"m", b"."
BEFORE, AFTER = 1, 2
"""What the page's first word holds while it is mapped, and what is written once it no longer is."""
PAUSE_NS = 500
"""How long a reader leaves the core to others between two accesses, at least."""
ENOUGH = 100
"""Stale hits after which a reader stops: nobody will take the page from it."""


class Reader(NamedTuple):
    """A core that touches the page: its dispatcher's number and the channel to it."""

    core: int
    number: int
    channel: Channel


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of protocol, cores (that had the page mapped), cycles (mean, of the boot core, from the start of
    the unmap to its completion), stale_hits, remote_accesses (during the unmaps), mmu."""
    environment = dispatcher.environment
    pages = environment.count("pages", 4)
    most = environment.count("cores", 0, least=0)
    only = environment.choice("protocol", TREES)
    readers = await start_readers(dispatcher, most)
    rows: list[Row] = []
    for protocol in TREES:
        if only in ("", protocol):
            rows.append(await measure(dispatcher, readers, protocol, pages))
    for reader in readers:
        await reader.channel.send(END)
    return tuple(rows)


async def start_readers(dispatcher: Dispatcher, most: int) -> list[Reader]:
    """A reader on every other core that runs and translates addresses, `most` - 1 at most (0: no limit)."""
    blueprint = dispatcher.environment.blueprint
    translating = {kind.name for kind in blueprint.kinds if kind.mmu == "full"}
    listener = await dispatcher.export(SERVICE)
    readers: list[Reader] = []
    for core in blueprint.cores:
        if core.id == dispatcher.core or core.kind not in translating or (most and len(readers) + 1 >= most):
            continue
        try:
            number = await dispatcher.spawn_on(core.id, "unmap-touch")
        except PeerError:
            continue  # a core that is not up
        readers.append(Reader(core.id, number, await listener.accept()))
    return readers


async def measure(dispatcher: Dispatcher, readers: list[Reader], protocol: str, pages: int) -> Row:
    """Unmap `pages` pages by `protocol`."""
    cycles = stale = accesses = 0
    model = True
    for page in range(-1, pages):  # the first does not count: channels of the tree are made on first use
        frame = await dispatcher.memory.allocate(PAGE)
        alias = await dispatcher.vspace.map(await dispatcher.memory.alias(frame))
        await dispatcher.store(alias.address, BEFORE)
        mapping = await dispatcher.vspace.map(frame)
        for reader in readers:
            await dispatcher.memory.give(frame, reader.core, reader.number)
            await reader.channel.send(MAP + mapping.address.to_bytes(8, "little"))
        for reader in readers:
            await reader.channel.recv()  # it has touched the page
        before = await dispatcher.cycles()
        found = await mapping.unmap(protocol)
        cycles += await dispatcher.cycles() - before if page >= 0 else 0
        await dispatcher.store(alias.address, AFTER)
        model = model and found >= 0
        stale += max(found, 0)
        for reader in readers:
            report = await reader.channel.recv()
            accesses += int.from_bytes(report[:8], "little")
            stale += int.from_bytes(report[8:], "little")
    mmu = "model" if model else "software"
    return Row(COLUMNS, (protocol, len(readers) + 1, cycles // pages, stale, accesses, mmu))


async def touch(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Map each page that is given and read it until it is gone."""
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, SERVICE)
    while (order := await channel.recv()) != END:
        frame = await dispatcher.receive_frame()
        mapping = await dispatcher.vspace.map(frame, READ, at=int.from_bytes(order[1:], "little"))
        await dispatcher.load(mapping.address)
        await channel.send(MAP)
        accesses = stale = 0
        with suppress(UnhandledFault):
            while stale < ENOUGH:
                value = await dispatcher.load(mapping.address)
                accesses += 1
                stale += value == AFTER
                await dispatcher.sleep(PAUSE_NS)
        await channel.send(accesses.to_bytes(8, "little") + stale.to_bytes(8, "little"))
    return ()
