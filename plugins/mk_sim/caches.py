"""The caches: lines, store buffers, transactions and watches of all cores, without anybody who waits.

    visible current peek alone unsaved      what a core has of a line, at no charge
    await_fetch await_request               an actor is resumed when a transaction ends, which this begins
    await_room await_stores                 whether there is something to wait for; then an actor is resumed after it
    enter write_owned drop                  a store, a change in place, copies dropped
    watch unwatch watch_memory unwatch_memory lost        spinning cores
    attach write_memory peek_memory         devices

The model is described in `coherence.py`, whose half this is that is also there in C (`_engine_caches.h`).  This one is
the oracle: `caches_of` gives the other where the engine is in C, and tests hold one to the other.

Invariants: see `coherence.py`; and the two queue the same events in the same order.
May not know: addresses' meaning, spaces, messages, dispatchers.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mk_sim.engine import FOUND
from mk_sim.records import FETCH, OWN, READ, WRITE, ZERO, Core, Line, Pokable, Registers, Request, Store, Watcher
from multikernel.errors import LocalMisuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mk_sim.engine import Actor, Engine
    from mk_sim.parameters import Parameters
    from mk_sim.wires import Wires


def caches_of(engine: Engine, parameters: Parameters, wires: Wires) -> Caches:
    """The caches of a machine, in C if `engine` is."""
    if FOUND.module is None or not isinstance(engine, FOUND.module.Engine):
        return Caches(engine, parameters, wires)
    cores = tuple(
        (core.id, core.island, place, core.node, core.hit_ps, core.offset_ps, core.outstanding, core.store_buffer)
        for core, place in zip(parameters.cores, wires.places, strict=True)
    )
    homes = tuple((home.first, home.last, home.node) for home in parameters.homes)
    offset = wires.offset if wires.offsets else None
    made: Caches = FOUND.module.Caches(engine, cores, homes, wires.links, wires.path, offset, wires.pairs)
    return made


class Caches:
    """See the module.  `transactions` counts those begun.  Raises LocalMisuse for a core the parameters do not have."""

    def __init__(self, engine: Engine, parameters: Parameters, wires: Wires) -> None:
        self.engine = engine
        self.transactions = 0
        self._wires = wires
        islands: dict[int, dict[int, Line]] = {}
        self._cores = {
            core.id: Core(core, place, islands.setdefault(core.island, {}) if core.island >= 0 else {})
            for core, place in zip(parameters.cores, wires.places, strict=True)
        }
        self._memory: dict[int, bytes] = {}
        self._watchers: dict[int, dict[int, Watcher]] = {}
        self._memory_watchers: dict[int, dict[int, tuple[Pokable, int]]] = {}
        self._registers: list[Registers] = []

    # What a core has

    def visible(self, core: int, line: int) -> bytes | None:
        """What the core has of a line in its store buffer or cache; None for a miss."""
        return self._visible(self._core(core), line)

    def current(self, core: int, line: int) -> bytes:
        """The island's data of a line, or memory's."""
        return self._current(self._core(core), line)

    def peek(self, core: int, line: int) -> bytes:
        """What a load of this core would see now, at no charge."""
        mine = self._core(core)
        data = self._visible(mine, line)
        return self._current(mine, line) if data is None else data

    def alone(self, core: int, line: int) -> bool:
        """Whether the core has the only copy of a line."""
        return self._alone(self._core(core), line)

    def unsaved(self, core: int, line: int) -> bytes | None:
        """The island's data of a line if memory may differ, or None."""
        state = self._core(core).lines.get(line)
        return state.data if state is not None and state.dirty else None

    # What it waits for

    def await_fetch(self, core: int, line: int, actor: Actor) -> None:
        """Resume the actor when the core's fetch of a line ends; it is begun if there is none."""
        self._fetch(self._core(core), line).actors.append(actor)

    def await_request(self, core: int, line: int, actor: Actor, kind: int, data: bytes) -> None:
        """Begin a transaction of `kind`, and resume the actor when it ends."""
        request = Request(self._core(core), kind, line, data)
        request.actors.append(actor)
        self._issue(request)

    def await_room(self, core: int, actor: Actor) -> bool:
        """Whether the store buffer is full; then the actor is resumed when it is not."""
        mine = self._core(core)
        full = len(mine.buffer) >= mine.parameters.store_buffer
        if full:
            mine.waiting.append((actor, mine.parameters.store_buffer - 1))
        return full

    def await_stores(self, core: int, actor: Actor) -> bool:
        """Whether a store waits; then the actor is resumed when none does."""
        mine = self._core(core)
        if mine.buffer:
            mine.waiting.append((actor, 0))
        return bool(mine.buffer)

    # What it does

    def enter(self, core: int, line: int, clock: int, data: bytes, uncached: bool) -> None:
        """Put a store into the buffer, which has room, at `clock` ps of the core's."""
        mine = self._core(core)
        mine.buffer.append(Store(clock, line, data, uncached))
        if clock > self.engine.now:
            self.engine.at(clock, self._drain, mine)
        else:
            self._drain(mine)

    def write_owned(self, core: int, line: int, data: bytes) -> None:
        """Change a line that the core is alone with."""
        state = self._core(core).lines[line]
        state.data, state.dirty, state.owner = data, True, core

    def drop(self, core: int, line: int) -> None:
        """Drop the island's copies of a line, changed or not."""
        mine = self._core(core)
        state = mine.lines.get(line)
        if state is not None:
            state.drop()
            state.owner, state.dirty = -1, False
            self._spin_all(mine, line)

    # Watches and devices

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
            if number in state.holders:  # it came while the fetch waited
                return []
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
