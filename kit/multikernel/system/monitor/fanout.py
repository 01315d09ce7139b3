"""The broadcast channel: one line written by the boot core's monitor, polled by every other of its island.

A message is a line of the ring of `system/ring.py`, without an ack line: what is broadcast is acknowledged
by whoever it concerns, and the writer has no more than a window of broadcasts under way.  A core that finds
itself overtaken goes on with the oldest line that is still there: what it missed did not concern it.  Cores outside the
writer's coherence island cannot poll its lines and get the message over their own channels.

May not know: what is broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multikernel.interfaces import LINE, PAYLOAD, Lines, Watch
from multikernel.system import ring
from multikernel.system.environment import KERNEL
from multikernel.system.layout import BROADCAST_SLOTS
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Invoke
from multikernel.system.requests import NotifyCore

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.links import Links


class Broadcast:
    """See the module: the writer on the boot core, a reader elsewhere."""

    def __init__(self, events: Events, links: Links) -> None:
        self._events = events
        self._links = links
        self._routes = events.environment.routes
        self._writer = Sender(events.environment.routes.boot_core, 0)
        self._count = 0
        self._open = 0
        self._lines: Lines | None = None
        self._bells: dict[int, Lines] = {}

    async def start(self) -> None:
        """Open the ring; a reader begins to poll it."""
        writer, layout = self._routes.boot_core, self._events.environment.layout
        if layout.sees(self._events.core, layout.broadcast(writer), BROADCAST_SLOTS * LINE):
            self._lines = await self._events.window(layout.broadcast(writer), BROADCAST_SLOTS)
        if self._events.core != writer and self._routes.same_island(self._events.core, writer):
            if self._events.environment.incarnation:
                await self._catch_up()
            self._listen(0)

    async def _catch_up(self) -> None:
        """What was broadcast before this core was started anew did not concern it."""
        assert self._lines is not None
        for index in range(BROADCAST_SLOTS):
            word = int.from_bytes((await self._lines.load(index))[: ring.WORD], "little")
            self._count = max(self._count, word & 0xFFFF_FFFF)  # a sequence number is how many there were

    def _listen(self, word: int) -> None:
        assert self._lines is not None
        self._events.line(Watch(self._lines, self._count % BROADCAST_SLOTS, word), self._receive)

    async def _receive(self) -> None:
        assert self._lines is not None
        line = await self._lines.load(self._count % BROADCAST_SLOTS)
        word = int.from_bytes(line[: ring.WORD], "little")
        ahead = ring.ahead(word, self._count)
        if ahead:
            # The writer has been round while this core did not look, as it may when nothing concerned it.
            self._count += ahead - BROADCAST_SLOTS + 1
            self._listen(0)
            return
        length = ring.arrived(word, self._count, BROADCAST_SLOTS)
        if length < 0:
            self._listen(word)
            return
        self._count += 1
        self._listen(0)
        await self._events.deliver(self._writer, line[ring.WORD : ring.WORD + length])

    async def send(self, payload: bytes, concerned: Sequence[int]) -> bool:
        """To everybody; those `concerned` are woken if they do not look.  Whether it went out on the ring, and
        has to be `finished`."""
        near = [core for core in concerned if self._routes.same_island(core, self._events.core)]
        if self._lines is None or self._open >= BROADCAST_SLOTS:
            near = []
        if near and self._lines is not None:
            word = ring.header(self._count, len(payload))
            line = word.to_bytes(ring.WORD, "little") + payload.ljust(PAYLOAD, b"\0")
            await self._lines.store(self._count % BROADCAST_SLOTS, line)
            self._count += 1
            self._open += 1
            await self._lines.fence()
            for core in near:
                await self._nudge(core)
        reached = dict.fromkeys(near)
        for core in concerned:
            if core not in reached:
                await self._links.send(core, payload)
        return bool(near)

    async def _nudge(self, core: int) -> None:
        if core not in self._bells:
            address = self._events.environment.layout.bell(core, 1, self._events.core)
            self._bells[core] = await self._events.window(address, 1)
        if (await self._bells[core].load(0))[0]:
            await Invoke(KERNEL, NotifyCore(core))

    def finished(self) -> None:
        """A broadcast has been acknowledged by all."""
        self._open = max(0, self._open - 1)
