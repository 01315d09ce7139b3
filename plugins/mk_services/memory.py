"""The memory server: what is left of each node's memory, given out as RAM capabilities.

It claims the layout's pools from its monitor, keeps them by the buddy algorithm, and passes what it retypes
to the dispatcher that asked.  What a dispatcher held when it ended is not taken back.

May not know: what memory is used for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse, MultikernelError, PeerError
from multikernel.events import Row
from multikernel.system.caps.memory_regions import RamAllocator, RamRegion, Shortage
from multikernel.system.caps.requests import Retype
from multikernel.system.caps.types import CapType
from multikernel.system.memory_service import MEMORY_SERVICE, RamGranted, WantRam
from multikernel.system.messages import decode, encode
from multikernel.system.operations import InvokeCap

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.runtime import Dispatcher

ANY = 0xFFFF_FFFF


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Serve each client in a thread of its own, for ever."""
    pools = dispatcher.environment.layout.pools
    regions = [
        RamRegion(pool.node, pool.base, pool.size, await dispatcher.memory.claim_pool(index))
        for index, pool in enumerate(pools)
    ]
    distances = dispatcher.environment.routes.distances([pool.node for pool in pools])
    server = MemoryServer(dispatcher, RamAllocator(regions, distances))
    listener = await dispatcher.export(MEMORY_SERVICE)
    while True:
        dispatcher.spawn(server.serve(await listener.accept()), "client")


class MemoryServer:
    """Answers clients out of one allocator; requests are handled one at a time."""

    def __init__(self, dispatcher: Dispatcher, allocator: RamAllocator) -> None:
        self._dispatcher = dispatcher
        self._allocator = allocator

    async def serve(self, channel: Channel) -> None:
        """Answer one client, while its core lives."""
        with suppress(PeerError):
            while True:
                await channel.send(encode(await self._answer(await channel.recv())))

    async def _answer(self, payload: bytes) -> RamGranted:
        try:
            want = decode(payload)
            if not isinstance(want, WantRam):
                return RamGranted(0, 0, 0)
            node = want.node if want.node != ANY else self._allocator.left()[0][0]
            grant = self._allocator.allocate(want.size, node)
        except (PeerError, MultikernelError):
            return RamGranted(0, 0, 0)
        if isinstance(grant, Shortage):
            return RamGranted(0, 0, grant.largest)
        memory = self._dispatcher.memory
        slot = memory.slot()
        await InvokeCap(grant.cptr, Retype(slot, CapType.RAM, grant.size, grant.offset))
        try:
            await memory.give_ram(slot, want.core, want.number)
        except LocalMisuse:  # the core has no address for that memory, or is not there
            self._allocator.free(grant.base, grant.size)
            return RamGranted(0, 0, 0)
        finally:
            await memory.drop(slot)
        return RamGranted(grant.size, grant.node & ANY, 0)
