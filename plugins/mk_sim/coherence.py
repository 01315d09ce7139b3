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

Invariants: what others see changes only in engine events, in global time order; at most one core of an
island holds a line it may change; nothing is evicted (caches have no size here).
May not know: addresses' meaning, spaces, messages, dispatchers.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from mk_sim.parameters import LINE
from mk_sim.records import FETCH, OWN, READ, WRITE, ZERO, Core, Line, Pokable, Registers, Request, Store, Watcher
from mk_sim.wires import Wires
from multikernel.errors import LocalMisuse

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        self.transactions = 0
        self._wires = Wires(parameters)
        islands: dict[int, dict[int, Line]] = {}
        self._cores = {
            core.id: Core(core, place, islands.setdefault(core.island, {}) if core.island >= 0 else {})
            for core, place in zip(parameters.cores, self._wires.places, strict=True)
        }
        self._memory: dict[int, bytes] = {}
        self._watchers: dict[int, dict[int, Watcher]] = {}
        self._memory_watchers: dict[int, dict[int, tuple[Pokable, int]]] = {}
        self._registers: list[Registers] = []

    # What a core does.

    async def load(self, actor: Actor, core: int, line: int) -> bytes:
        """The line as `core` sees it.  A hit costs `hit_ps` of the actor's clock and no event, unless the clock
        has run too far ahead; a miss suspends the actor until the data have arrived."""
        mine = self._core(core)
        actor.clock += mine.parameters.hit_ps
        if actor.clock > self.engine.now + AHEAD_PS:
            await actor.sync()
        data = self._visible(mine, line)
        if data is not None:
            return data
        await actor.sync()
        data = self._visible(mine, line)
        if data is None:
            self._fetch(mine, line).actors.append(actor)
            await actor.block()
            data = self._current(mine, line)
        return data

    async def store(self, actor: Actor, core: int, line: int, data: bytes) -> None:
        """Put a store into the buffer; suspends while the buffer is full.  It becomes visible later, after
        those before it.  Raises LocalMisuse for data that are no whole line."""
        await self._enter(actor, self._core(core), line, data, uncached=False)

    async def store_uncached(self, actor: Actor, core: int, line: int, data: bytes) -> None:
        """A store that goes to memory past the caches, in order with the others of the buffer."""
        await self._enter(actor, self._core(core), line, data, uncached=True)

    async def load_uncached(self, actor: Actor, core: int, line: int) -> bytes:
        """The line as memory has it, after this core's stores (uncached accesses are strongly ordered: AMD64
        manual volume 2, 7.4.1); caches are not looked at."""
        mine = self._core(core)
        await self.fence(actor, core)
        await actor.sync()
        await self._request(actor, Request(mine, READ, line))
        return self._memory.get(line, ZERO)

    async def fence(self, actor: Actor, core: int) -> None:
        """Suspend until every store of this core is visible."""
        mine = self._core(core)
        if mine.buffer:
            mine.waiting.append((actor, 0))
            await actor.block()

    async def swap(self, actor: Actor, core: int, line: int, offset: int, old: int, new: int) -> bool:
        """Compare and swap of the 8-byte word at byte `offset`, in one instant: the core owns the line when it
        compares.  Whether it swapped."""
        mine = self._core(core)
        await self.fence(actor, core)
        await actor.sync()
        if not self._alone(mine, line):
            await self._request(actor, Request(mine, OWN, line))
        state = mine.lines[line]
        if int.from_bytes(state.data[offset : offset + 8], "little") != old:
            return False
        state.data = state.data[:offset] + new.to_bytes(8, "little") + state.data[offset + 8 :]
        state.dirty, state.owner = True, core
        return True

    async def clean(self, actor: Actor, core: int, line: int) -> None:
        """Write the island's copy back to memory, if memory may differ, after this core's stores."""
        mine = self._core(core)
        actor.clock += mine.parameters.hit_ps
        await self.fence(actor, core)
        await actor.sync()
        state = mine.lines.get(line)
        if state is not None and state.dirty:
            await self._request(actor, Request(mine, WRITE, line, state.data))

    async def invalidate(self, actor: Actor, core: int, line: int) -> None:
        """Drop the island's copies, changed or not, so that the next load reads memory."""
        mine = self._core(core)
        actor.clock += mine.parameters.hit_ps
        await actor.sync()
        state = mine.lines.get(line)
        if state is not None:
            state.drop()
            state.owner, state.dirty = -1, False
            self._spin_all(mine, line)

    def watch(self, core: int, line: int, actor: Pokable, value: int) -> None:
        """Poke `actor` with `value` each time the line comes to show `core` other data than it did at the
        call or the last poke, and when memory changes under a stale copy, until `unwatch`.  One watch a
        core and line: a second replaces the first.  O(1)."""
        mine = self._core(core)
        self._watchers.setdefault(line, {})[core] = Watcher(actor, value, self.peek(core, line))
        if self._visible(mine, line) is None:
            self._fetch(mine, line)

    def unwatch(self, core: int, line: int) -> None:
        """End a watch; none is no error.  A fetch it began goes on."""
        watchers = self._watchers.get(line)
        if watchers is not None:
            watchers.pop(core, None)
            if not watchers:
                del self._watchers[line]

    def watch_memory(self, core: int, line: int, actor: Pokable, value: int) -> None:
        """Poke `actor` with `value` each time memory's content of the line is written, until
        `unwatch_memory`: for a core that looks past its cache, or drops its copy before each look."""
        self._memory_watchers.setdefault(line, {})[core] = (actor, value)

    def unwatch_memory(self, core: int, line: int) -> None:
        """End a watch of memory; none is no error."""
        watchers = self._memory_watchers.get(line)
        if watchers is not None:
            watchers.pop(core, None)
            if not watchers:
                del self._memory_watchers[line]

    def attach(self, registers: Registers) -> None:
        """Stores to these lines, past the caches, go to a device; what it has there to be read it writes itself."""
        self._registers.append(registers)

    def write_memory(self, line: int, data: bytes) -> None:
        """A device writes memory, in an event: no cache changes, who watches memory is poked."""
        self._memory[line] = data
        self._memory_changed(line, None)

    def peek_memory(self, line: int) -> bytes:
        """What memory has of a line, at no charge."""
        return self._memory.get(line, ZERO)

    def lost(self, core: int, lines: Iterable[int]) -> int | None:
        """The first of `lines`, which this core watches, that it has lost and not yet fetched again."""
        mine = self._core(core)
        if not mine.fetching:
            return None
        return next((line for line in lines if line in mine.fetching and self._visible(mine, line) is None), None)

    def peek(self, core: int, line: int) -> bytes:
        """What a load of this core would see now, at no charge."""
        mine = self._core(core)
        data = self._visible(mine, line)
        return self._current(mine, line) if data is None else data

    # State.

    def _core(self, core: int) -> Core:
        found = self._cores.get(core)
        if found is None:
            raise LocalMisuse(f"no core {core} in the coherence model")
        return found

    def _visible(self, core: Core, line: int) -> bytes | None:
        """What the core has of a line in its store buffer or cache; None for a miss."""
        for store in reversed(core.buffer):
            if store.line == line and not store.uncached:
                return store.data
        state = core.lines.get(line)
        if state is not None and core.parameters.id in state.holders:
            return state.data
        return None

    def _current(self, core: Core, line: int) -> bytes:
        """The island's data of a line, or memory's."""
        state = core.lines.get(line)
        return state.data if state is not None and state.holders else self._memory.get(line, ZERO)

    def _alone(self, core: Core, line: int) -> bool:
        state = core.lines.get(line)
        return state is not None and len(state.holders) == 1 and core.parameters.id in state.holders

    # Transactions, in events only.

    def _fetch(self, core: Core, line: int) -> Request:
        """The core's fetch of a line, begun if none is under way."""
        request = core.fetching.get(line)
        if request is None:
            request = core.fetching[line] = Request(core, FETCH, line)
            self._issue(request)
        return request

    async def _request(self, actor: Actor, request: Request) -> None:
        request.actors.append(actor)
        self._issue(request)
        await actor.block()

    def _issue(self, request: Request) -> None:
        """1. A core's misses in flight are limited."""
        core = request.core
        if core.active >= core.parameters.outstanding:
            core.pending.append(request)
            return
        core.active += 1
        if request.kind in (READ, WRITE):
            home = self._wires.home(request.line)
            device = self._device(request.line)
            ps = self._wires.memory(self.engine.now, core.place, home)
            self._begin(request, ps if device is None else ps + device.way_ps(core.parameters.id))
            return
        state = core.lines.get(request.line)
        if state is None:
            state = core.lines[request.line] = Line()
        if state.locked:  # 2. One transaction a line.
            state.queue.append(request)
        else:
            self._lock(request, state)

    def _lock(self, request: Request, state: Line) -> None:
        state.locked = True
        core = request.core
        holds = core.parameters.id in state.holders
        if holds and (request.kind == FETCH or len(state.holders) == 1):
            self._begin(request, 0)  # what it asks for came while it waited
            return
        home = self._wires.home(request.line)
        owner = self._cores[state.owner] if state.owner >= 0 else None
        data = -1 if holds else home if owner is None else owner.parameters.node
        if request.kind == FETCH and owner is not None:
            concerned = 1 << owner.place
        else:
            concerned = state.mask
            if holds and state.places[core.place] == 1:
                concerned ^= 1 << core.place
        own = request.kind == OWN
        ps = self._wires.transaction(self.engine.now, core.place, home, concerned, data, own)
        if self._wires.offsets:
            others = state.holders if own else (state.far if owner is None else state.owner,)
            me = core.parameters.id
            ps = max(0, ps + self._wires.offset(me, (other for other in others if other not in (me, -1))))
        self._begin(request, ps)

    def _begin(self, request: Request, ps: int) -> None:
        self.transactions += 1
        self.engine.at(self.engine.now + ps, self._complete, request)

    def _complete(self, request: Request) -> None:
        """3. The transaction ends: the line changes, the next ones begin, then those who wait go on."""
        core = request.core
        if request.kind in (FETCH, OWN):
            state = core.lines[request.line]
            lost = self._change(request, state)
            state.locked = False
            if state.queue:
                self._lock(state.queue.pop(0), state)
        else:
            lost = []
            if request.kind == WRITE:
                self._written(request)
        core.active -= 1
        if core.pending:
            self._issue(core.pending.popleft())
        if request.store is not None:
            self._drain(core)
        for other in lost:
            self._spin(other, request.line)
        if request.kind == FETCH:
            self._show(core, request.line)
        for actor in request.actors:
            actor.resume(None)

    def _change(self, request: Request, state: Line) -> list[Core]:
        """Carry out a coherent transaction; returns the cores that lost their copy."""
        core = request.core
        number = core.parameters.id
        if not state.holders:
            state.data = self._memory.get(request.line, ZERO)
            state.dirty = False
        if request.kind == FETCH:
            del core.fetching[request.line]
            if not state.holders:
                state.owner = number
            elif state.owner >= 0 and not state.dirty:
                state.owner = -1  # exclusive becomes shared, memory is as good
            state.share(number, core.place)
            if state.far < 0 or core.parameters.offset_ps > self._cores[state.far].parameters.offset_ps:
                state.far = number
            return []
        lost = [self._cores[other] for other in state.holders if other != number]
        state.take(number, core.place)
        state.owner = number
        if request.store is not None:
            request.store.asked = False
        return lost

    def _written(self, request: Request) -> None:
        """Data reached memory, from a clean or an uncached store, or a device, from an uncached store."""
        device = self._device(request.line)
        if device is None:
            self._memory[request.line] = request.data
        else:
            device.stored(request.core.parameters.id, request.line, request.data)
        store = request.store
        if store is None:
            state = request.core.lines.get(request.line)
            if state is not None and state.data == request.data:
                state.dirty = False
        else:
            store.asked = False
            self._retire(request.core)
        if device is None:
            self._memory_changed(request.line, request.core)

    def _memory_changed(self, line: int, writer: Core | None) -> None:
        """Poke who watches memory, and who of another island than the writer's watches a copy."""
        for actor, value in list(self._memory_watchers.get(line, {}).values()):
            actor.poke(value, self.engine.now)
        for number, watcher in list(self._watchers.get(line, {}).items()):
            if writer is None or self._cores[number].lines is not writer.lines:
                watcher.seen = self.peek(number, line)
                watcher.actor.poke(watcher.value, self.engine.now)

    def _device(self, line: int) -> Registers | None:
        """Whose register a line is; None for memory."""
        return next((device for device in self._registers if device.first <= line <= device.last), None)

    # The store buffer.

    async def _enter(self, actor: Actor, core: Core, line: int, data: bytes, uncached: bool) -> None:
        if len(data) != LINE:
            raise LocalMisuse(f"a store writes a line of {LINE} bytes, not {len(data)}")
        actor.clock += core.parameters.hit_ps
        if len(core.buffer) >= core.parameters.store_buffer:
            core.waiting.append((actor, core.parameters.store_buffer - 1))
            await actor.block()
        core.buffer.append(Store(actor.clock, line, data, uncached))
        if actor.clock > self.engine.now:
            self.engine.at(actor.clock, self._drain, core)
        else:
            self._drain(core)

    def _drain(self, core: Core) -> None:
        """Make visible what may be, and ask for ownership of what may be next.  Called when a store's time has
        come and when a transaction for one has ended."""
        while core.buffer:
            oldest = core.buffer[0]
            if oldest.uncached or oldest.ready > self.engine.now or not self._alone(core, oldest.line):
                break
            self._commit(core)
        self._ask(core)

    def _commit(self, core: Core) -> None:
        store = core.buffer[0]
        state = core.lines[store.line]
        state.data, state.dirty, state.owner = store.data, True, core.parameters.id
        self._retire(core)
        self._spin_all(core, store.line)

    def _retire(self, core: Core) -> None:
        """The oldest store is visible: make room, and wake who waits for it."""
        core.buffer.popleft()
        ready = [actor for actor, stand in core.waiting if len(core.buffer) <= stand]
        if ready:
            core.waiting = [entry for entry in core.waiting if len(core.buffer) > entry[1]]
            for actor in ready:
                self.engine.at(self.engine.now, actor.resume, None)

    def _ask(self, core: Core) -> None:
        """Ask for the oldest stores' lines, as many as misses may be in flight.  An uncached store is asked for
        when it is the oldest, and nothing younger before it has gone."""
        lines: list[int] = []
        for store in islice(core.buffer, core.parameters.outstanding):
            if store.ready > self.engine.now or (store.uncached and lines):
                return
            if not store.asked and store.line not in lines and (store.uncached or not self._alone(core, store.line)):
                store.asked = True
                kind = WRITE if store.uncached else OWN
                self._issue(Request(core, kind, store.line, store.data, store))
            if store.uncached:
                return
            lines.append(store.line)

    # Spinning cores.

    def _spin_all(self, core: Core, line: int) -> None:
        """The same, for every core of the island."""
        for number in list(self._watchers.get(line, ())):
            if self._cores[number].lines is core.lines:
                self._spin(self._cores[number], line)

    def _spin(self, core: Core, line: int) -> None:
        """The core lost a line, or it changed while it had none: if it spins on it, it fetches it again."""
        if core.parameters.id in self._watchers.get(line, ()) and self._visible(core, line) is None:
            self._fetch(core, line)

    def _show(self, core: Core, line: int) -> None:
        """The core has a line again: if it spins on it and sees other data, poke it."""
        watcher = self._watchers.get(line, {}).get(core.parameters.id)
        if watcher is not None:
            data = self.peek(core.parameters.id, line)
            if data != watcher.seen:
                watcher.seen = data
                watcher.actor.poke(watcher.value, self.engine.now)
