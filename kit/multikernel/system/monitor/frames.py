"""Memory for the dispatchers of this core, and frames passed between cores.

A dispatcher asks for RAM and makes of it what it likes by retyping.  A Frame is passed to a dispatcher of
any core through the two monitors: the sender's driver vouches for what the capability says, the
receiver's makes one like it.

May not know: what memory is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import MultikernelError
from multikernel.system.environment import KERNEL
from multikernel.system.messages import AllocateRam, Done, FrameSent, PassFrame, SendFrame, encode
from multikernel.system.operations import Invoke
from multikernel.system.requests import FrameOf, GiveFrame, GiveRam

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events, Sender
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.memory import ArenaMemory
    from multikernel.system.monitor.processes import Processes


class Frames:
    """See the module."""

    def __init__(self, events: Events, links: Links, processes: Processes, arena: ArenaMemory) -> None:
        self._links = links
        self._core = events.core
        self._processes = processes
        self._arena = arena
        events.on(AllocateRam, self._allocate)
        events.on(SendFrame, self._send)
        events.on(PassFrame, self._passed)

    async def _allocate(self, sender: Sender, message: AllocateRam) -> None:
        cptr = 0
        try:
            base = self._arena.allocate(message.size)
            cptr = await Invoke(KERNEL, GiveRam(base, message.size, sender.dispatcher))
        except MultikernelError:
            cptr = 0
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, cptr, int(cptr == 0))))

    async def _send(self, sender: Sender, message: SendFrame) -> None:
        refused = 0
        try:
            memory = await Invoke(KERNEL, FrameOf(sender.dispatcher, message.frame))
            passed = PassFrame(memory.base, memory.size, message.number)
            if message.core == self._core:
                await self._passed(sender, passed)
            else:
                await self._links.send(message.core, encode(passed))
        except MultikernelError:
            refused = 1
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, 0, refused)))

    async def _passed(self, sender: Sender, message: PassFrame) -> None:
        try:
            cptr = await Invoke(KERNEL, GiveFrame(message.base, message.size, message.number))
        except MultikernelError:
            return  # the receiver has exited meanwhile
        await self._processes.reply(message.number, encode(FrameSent(cptr, message.size)))
