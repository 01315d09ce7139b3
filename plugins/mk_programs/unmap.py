"""unmap: a page mapped on all cores is taken away, by each of the four shootdown protocols.

    main     boot core           gives every core a frame; for each protocol, for each page: has it mapped, waits until
                                 all touch it, unmaps it, then writes to its memory through another mapping
    touch    every other core    maps the frame where it is told and reads it until that faults

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
    from multikernel.system.vspace import Frame

COLUMNS = ("protocol", "cores", "cycles", "stale_hits", "remote_accesses", "mmu")
SERVICE = "unmap"
MAP, END = b"m", b"."
BEFORE, AFTER = 1, 2
"""What the page's first word holds while it is mapped, and what is written once it no longer is."""
PAUSE_NS = 500
"""How long a reader leaves the core to others between two accesses, at least, as long as there are few readers."""
CROWD = 32
"""With more readers than that each pauses longer, so that all together touch the page as often."""
ENOUGH = 100
"""Stale hits after which a reader stops: nobody will take the page from it."""


class Reader(NamedTuple):
    """A core that touches the page: its dispatcher's number and the channel to it."""

    core: int
    number: int
    channel: Channel


class Page(NamedTuple):
    """The frame that is mapped and unmapped, and the address at which the boot core always has it."""

    frame: Frame
    alias: int


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of protocol, cores (that had the page mapped), cycles (mean, of the boot core, from the start of
    the unmap to its completion), stale_hits, remote_accesses (during the unmaps), mmu."""
    environment = dispatcher.environment
    pages = environment.count("pages", 4)
    most = environment.count("cores", 0, least=0)
    only = environment.choice("protocol", TREES)
    frame = await dispatcher.memory.allocate(PAGE)
    alias = await dispatcher.vspace.map(await dispatcher.memory.alias(frame))
    readers = await start_readers(dispatcher, most)
    for reader in readers:
        await dispatcher.memory.give(frame, reader.core, reader.number)
    rows: list[Row] = []
    for protocol in TREES:
        if only in ("", protocol):
            rows.append(await measure(dispatcher, readers, Page(frame, alias.address), protocol, pages))
    for reader in readers:
        await reader.channel.send(END)
    able = suited(dispatcher)
    left_out = [str(core.id) for core in environment.blueprint.cores if core.id not in able]
    if left_out:
        await dispatcher.print(f"not tried on cores without an MMU or a view of the page: {', '.join(left_out)}")
    return tuple(rows)


def suited(dispatcher: Dispatcher) -> frozenset[int]:
    """The cores that translate addresses and see this core's memory."""
    blueprint, layout = dispatcher.environment.blueprint, dispatcher.environment.layout
    translating = frozenset(kind.name for kind in blueprint.kinds if kind.mmu == "full")
    base = layout.arena(dispatcher.core).base
    return frozenset(c.id for c in blueprint.cores if c.kind in translating and layout.sees(c.id, base, PAGE))


async def start_readers(dispatcher: Dispatcher, most: int) -> list[Reader]:
    """A reader on every other core that runs, translates addresses and sees this core's memory, `most` - 1 at most
    (0: no limit)."""
    able = suited(dispatcher)
    listener = await dispatcher.export(SERVICE)
    readers: list[Reader] = []
    for core in dispatcher.environment.blueprint.cores:
        if core.id == dispatcher.core or core.id not in able or (most and len(readers) + 1 >= most):
            continue
        try:
            number = await dispatcher.spawn_on(core.id, "unmap-touch")
        except PeerError:
            continue  # a core that is not up
        readers.append(Reader(core.id, number, await listener.accept()))
    return readers


async def measure(dispatcher: Dispatcher, readers: list[Reader], page: Page, protocol: str, pages: int) -> Row:
    """Unmap the page `pages` times by `protocol`, each time from another address."""
    cycles = stale = accesses = 0
    model = True
    pause = PAUSE_NS * max(1, len(readers) // CROWD)
    for round_ in range(-1, pages):  # the first does not count: channels of the tree are made on first use
        await dispatcher.store(page.alias, BEFORE)
        mapping = await dispatcher.vspace.map(page.frame)
        for reader in readers:
            await reader.channel.send(MAP + mapping.address.to_bytes(8, "little") + pause.to_bytes(8, "little"))
        for reader in readers:
            await reader.channel.recv()  # it has touched the page
        before = await dispatcher.cycles()
        found = await mapping.unmap(protocol)
        cycles += await dispatcher.cycles() - before if round_ >= 0 else 0
        await dispatcher.store(page.alias, AFTER)
        model = model and found >= 0
        stale += max(found, 0)
        for reader in readers:
            report = await reader.channel.recv()
            accesses += int.from_bytes(report[:8], "little")
            stale += int.from_bytes(report[8:], "little")
    mmu = "model" if model else "software"
    return Row(COLUMNS, (protocol, len(readers) + 1, cycles // pages, stale, accesses, mmu))


async def touch(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Map the frame that is given wherever it is told to, and read it until it is gone."""
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, SERVICE)
    frame = await dispatcher.receive_frame()
    while (order := await channel.recv()) != END:
        at, pause = (int.from_bytes(order[first : first + 8], "little") for first in (1, 9))
        alias = await dispatcher.memory.alias(frame)
        mapping = await dispatcher.vspace.map(alias, READ, at=at)
        await dispatcher.load(mapping.address)
        await channel.send(MAP)
        accesses = stale = 0
        with suppress(UnhandledFault):
            while stale < ENOUGH:
                value = await dispatcher.load(mapping.address)
                accesses += 1
                stale += value == AFTER
                await dispatcher.sleep(pause)
        await dispatcher.memory.free(alias)  # and with it what nobody took away
        await channel.send(accesses.to_bytes(8, "little") + stale.to_bytes(8, "little"))
    return ()
