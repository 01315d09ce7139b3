"""Caches of 64-byte lines, kept coherent within an island and with nobody beyond it.

    await load(actor, core, line) -> data          await store(actor, core, line, data)
    await fence(actor, core)                       await clean / invalidate(actor, core, line)
    await load_uncached(...)   store_uncached(...) past the caches, as regions mapped uncached
    watch / unwatch(core, line, ...)               spin on a line    peek(core, line)  without charge
    attach(registers)   write_memory(line, data)   devices

A line of an island is in no cache, in one (exclusive or modified), or in several (owned or shared: MOESI
without its names).  What changes that is a transaction:

    fetch       a load missed: the owner's cache, or memory, gives the data, and the core has a copy
    own         a store found other copies, or none: they go, and the core is alone with the line

1. A core keeps `outstanding` transactions in flight; more wait their turn.
2. The line's home takes them one at a time, first come first served: a line is locked from the time its
   home begins a transaction until it ends.
3. The wires say how long it takes; see `wires.py`.

Stores wait in the core's buffer, in order.  A store becomes visible when it is the oldest and the core is
alone with the line; ownership for younger stores is asked for ahead, as far as 1. allows.  A core that
watches a line fetches it again as soon as it loses it, as a spinning core does, and is poked when it
sees other data; any number of cores may watch a line.

What waits is here, what is waited for in `caches.py`, in Python and in C.

Invariants: what others see changes only in engine events, in global time order; at most one core of an
island holds a line it may change; nothing is evicted (caches have no size here).
May not know: addresses' meaning, spaces, messages, dispatchers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mk_sim.caches import caches_of
from mk_sim.parameters import LINE
from mk_sim.records import OWN, READ, WRITE, ZERO
from mk_sim.wires import Wires
from multikernel.errors import LocalMisuse

if TYPE_CHECKING:
    from mk_sim.engine import Actor, Engine
    from mk_sim.parameters import Parameters

AHEAD_PS: Final = 50_000
"""How far a hit may run ahead of global time: about the shortest transaction, so what it reads is hardly older
than an invalidation on its way; and a loop of nothing but hits lets the others go on."""


class Coherence:
    """See the module.  A `line` is a physical address divided by 64; data are whole lines of 64 bytes.
    `transactions` counts those begun.  Raises LocalMisuse for a core the parameters do not have."""

    def __init__(self, engine: Engine, parameters: Parameters) -> None:
        self.engine = engine
        self.parameters = parameters
        self.caches = caches = caches_of(engine, parameters, Wires(parameters))
        self._hit_ps = {core.id: core.hit_ps for core in parameters.cores}
        self.watch, self.unwatch = caches.watch, caches.unwatch
        self.watch_memory, self.unwatch_memory = caches.watch_memory, caches.unwatch_memory
        self.attach, self.write_memory, self.peek_memory = caches.attach, caches.write_memory, caches.peek_memory
        self.lost, self.peek = caches.lost, caches.peek

    @property
    def transactions(self) -> int:
        return self.caches.transactions

    async def load(self, actor: Actor, core: int, line: int) -> bytes:
        """The line as `core` sees it.  A hit costs `hit_ps` of the actor's clock and no event, unless the clock
        has run too far ahead; a miss suspends the actor until the data have arrived."""
        caches = self.caches
        actor.clock += self._hit(core)
        if actor.clock > self.engine.now + AHEAD_PS:
            await actor.sync()
        data = caches.visible(core, line)
        if data is not None:
            return data
        await actor.sync()
        data = caches.visible(core, line)
        if data is None:
            caches.await_fetch(core, line, actor)
            await actor.block()
            data = caches.current(core, line)
        return data

    async def store(self, actor: Actor, core: int, line: int, data: bytes) -> None:
        """Put a store into the buffer; suspends while the buffer is full.  It becomes visible later, after
        those before it.  Raises LocalMisuse for data that are no whole line."""
        await self._enter(actor, core, line, data, uncached=False)

    async def store_uncached(self, actor: Actor, core: int, line: int, data: bytes) -> None:
        """A store that goes to memory past the caches, in order with the others of the buffer."""
        await self._enter(actor, core, line, data, uncached=True)

    async def load_uncached(self, actor: Actor, core: int, line: int) -> bytes:
        """The line as memory has it, after this core's stores (uncached accesses are strongly ordered: AMD64
        manual volume 2, 7.4.1); caches are not looked at."""
        await self.fence(actor, core)
        await actor.sync()
        await self._request(actor, core, line, READ, ZERO)
        return self.caches.peek_memory(line)

    async def fence(self, actor: Actor, core: int) -> None:
        """Suspend until every store of this core is visible."""
        if self.caches.await_stores(core, actor):
            await actor.block()

    async def swap(self, actor: Actor, core: int, line: int, offset: int, old: int, new: int) -> bool:
        """Compare and swap of the 8-byte word at byte `offset`, in one instant: the core owns the line when it
        compares.  Whether it swapped."""
        await self.fence(actor, core)
        await actor.sync()
        if not self.caches.alone(core, line):
            await self._request(actor, core, line, OWN, ZERO)
        data = self.caches.current(core, line)
        if int.from_bytes(data[offset : offset + 8], "little") != old:
            return False
        self.caches.write_owned(core, line, data[:offset] + new.to_bytes(8, "little") + data[offset + 8 :])
        return True

    async def clean(self, actor: Actor, core: int, line: int) -> None:
        """Write the island's copy back to memory, if memory may differ, after this core's stores."""
        actor.clock += self._hit(core)
        await self.fence(actor, core)
        await actor.sync()
        data = self.caches.unsaved(core, line)
        if data is not None:
            await self._request(actor, core, line, WRITE, data)

    async def invalidate(self, actor: Actor, core: int, line: int) -> None:
        """Drop the island's copies, changed or not, so that the next load reads memory."""
        actor.clock += self._hit(core)
        await actor.sync()
        self.caches.drop(core, line)

    def _hit(self, core: int) -> int:
        found = self._hit_ps.get(core)
        if found is None:
            raise LocalMisuse(f"no core {core} in the coherence model")
        return found

    async def _request(self, actor: Actor, core: int, line: int, kind: int, data: bytes) -> None:
        self.caches.await_request(core, line, actor, kind, data)
        await actor.block()

    async def _enter(self, actor: Actor, core: int, line: int, data: bytes, uncached: bool) -> None:
        if len(data) != LINE:
            raise LocalMisuse(f"a store writes a line of {LINE} bytes, not {len(data)}")
        actor.clock += self._hit(core)
        if self.caches.await_room(core, actor):
            await actor.block()
        self.caches.enter(core, line, actor.clock, data, uncached)
