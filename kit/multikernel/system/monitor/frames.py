"""Memory for the dispatchers of this core, and memory passed between cores.

A dispatcher asks for RAM and makes of it what it likes by retyping.  A Frame or RAM is passed to a dispatcher of
any core through the two monitors: the sender's driver vouches for what the capability says and that it may be
sent, the receiver's makes one like it, with the same rights.

May not know: what memory is for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from multikernel.errors import CapabilityError, LocalMisuse, MultikernelError
from multikernel.system.environment import KERNEL
from multikernel.system.messages import (
    UNSEEN,
    WITHHELD,
    AllocateRam,
    ClaimPool,
    Done,
    MemorySent,
    PassMemory,
    SendMemory,
    encode,
)
from multikernel.system.operations import Invoke
from multikernel.system.requests import GiveFrame, GiveRam, RangeOf

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events, Sender
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.memory import ArenaMemory
    from multikernel.system.monitor.processes import Processes

MEMORY_SERVER = "mem-server"
"""The process of the boot list that owns what memory the cores' arenas leave."""


class Frames:
    """See the module."""

    def __init__(self, events: Events, links: Links, processes: Processes, arena: ArenaMemory) -> None:
        self._links = links
        self._core = events.core
        self._processes = processes
        self._arena = arena
        self._layout = events.environment.layout
        self._pools = self._layout.pools if events.core == events.environment.routes.boot_core else ()
        events.on(AllocateRam, self._allocate)
        events.on(ClaimPool, self._claim)
        events.on(SendMemory, self._send)
        events.on(PassMemory, self._passed)

    async def _allocate(self, sender: Sender, message: AllocateRam) -> None:
        cptr = 0
        try:
            base = self._arena.allocate(message.size)
            cptr = await Invoke(KERNEL, GiveRam(base, message.size, sender.dispatcher))
        except MultikernelError:
            cptr = 0
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, cptr, int(cptr == 0))))

    async def _claim(self, sender: Sender, message: ClaimPool) -> None:
        """The pools belong to the memory server of the boot list, and to nobody else."""
        cptr, pools = 0, self._pools
        if self._processes.name(sender.dispatcher) == MEMORY_SERVER and message.pool < len(pools):
            pool = pools[message.pool]
            with suppress(MultikernelError):
                cptr = await Invoke(KERNEL, GiveRam(pool.base, pool.size, sender.dispatcher))
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, cptr, int(cptr == 0))))

    async def _send(self, sender: Sender, message: SendMemory) -> None:
        refused = 0
        try:
            if message.core not in self._links.reachable():
                raise LocalMisuse(f"core {message.core} cannot be asked")
            memory = await Invoke(KERNEL, RangeOf(sender.dispatcher, message.cptr, bool(message.ram)))
            passed = PassMemory(memory.base, memory.size, message.number, message.ram, memory.rights)
            if not self._layout.sees(message.core, memory.base, memory.size):
                refused = UNSEEN
            elif message.core == self._core:
                await self._passed(sender, passed)
            else:
                await self._links.send(message.core, encode(passed))
        except CapabilityError as problem:
            refused = WITHHELD if problem.code == "rights" else 1
        except MultikernelError:
            refused = 1
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, 0, refused)))

    async def _passed(self, sender: Sender, message: PassMemory) -> None:
        request = (GiveRam if message.ram else GiveFrame)(message.base, message.size, message.number, message.rights)
        try:
            cptr = await Invoke(KERNEL, request)
        except MultikernelError:
            return  # the receiver has exited meanwhile
        await self._processes.reply(message.number, encode(MemorySent(cptr, message.size, message.ram)))
