"""The simulator's machine: one core of virtual hardware on the engine and the coherence model.

Software runs ahead on the core's own clock; whatever other cores can see or change happens in global time
order.  A core that polls sleeps in the engine; see `poller.py`.

A delivery, fed to the engine's digest, is a core loading a line of channel memory and seeing other
content than when it last loaded it.

May not know: the CPU driver, transports, monitors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol

from mk_sim.hand import Hand, hand_of
from mk_sim.parameters import LINE
from mk_sim.poller import POLLERS, LineAlarms, SimPoller
from multikernel.errors import LocalMisuse
from multikernel.system.core import run_core
from multikernel.system.dispatcher import PageFault, Poller, UserDispatcher
from multikernel.system.machine import Faulted, Hardware, Interrupted, Machine, TimerFired
from multikernel.system.mmu import PageFault as Untranslated
from multikernel.system.mmu import Translation, unit_for
from multikernel.system.operations import (
    Access,
    Audit,
    Clock,
    CompareAndSwap,
    Compute,
    Cycles,
    Draw,
    Fence,
    LoadLine,
    LoadWords,
    Maintain,
    Operation,
    PollWait,
    Spend,
    Step,
    StoreLine,
    StoreWords,
    WindowLines,
    WindowWords,
    Witness,
)
from multikernel.system.page_tables import TableFormat, format_of
from multikernel.system.physical_memory import SparseMemory
from multikernel.system.words import NATIVE, ConvertedLines, Registers, lay_down, pick_up

if TYPE_CHECKING:
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Actor
    from multikernel.blueprint import CoreEntry, CoreKind
    from multikernel.events import Event
    from multikernel.interfaces import Lines
    from multikernel.system.driver import CpuDriver
    from multikernel.system.requests import Input
    from multikernel.system.views import Views

WORD = 8
"""Bytes of an access through the MMU."""
INTERRUPT = 1
"""What a core is poked with for an interrupt; for a watched line it is `poller.NEWS`."""
RUN_AHEAD_PS = 1_000_000
"""How far a core's clock may run ahead of global time in straight code: 1 us, the latest an interrupt is
taken after it has arrived."""


class World(Protocol):
    """What a core's machine asks of the platform."""

    def start(self, core: int, channel: int, slots: int, at_ps: int) -> None: ...
    def interrupt(self, core: int, at_ps: int) -> None: ...
    def knock(self, core: int, at_ps: int) -> None: ...
    def emit(self, event: Event, at_ps: int) -> None: ...
    def next_input(self) -> Input | None: ...
    def audit(self, process: str, address: int) -> int: ...
    def reach(self, core: CoreEntry, address: int, size: int) -> tuple[bool, bool]: ...
    def views(self, core: CoreEntry) -> Views: ...


class SimMachine(Machine):
    """See the module.  `world` is the platform.  `plain` is whether a subclass has changed no operation."""

    plain = True

    def __init__(
        self,
        core: CoreEntry,
        kind: CoreKind,
        paging: str,
        actor: Actor,
        coherence: Coherence,
        memory: SparseMemory,
        world: World,
    ) -> None:
        self.core = core
        self.kind = kind
        paging_format = format_of(paging)
        self.unit = unit_for(paging_format, memory, max(1, kind.tlb_entries if kind.tlb_entries > 0 else 64))
        self._views = None if isinstance(paging_format, TableFormat) else world.views(core)
        self._actor = actor
        self._coherence = coherence
        self._memory = memory
        self._world = world
        self._root = 0
        self._dropped: list[tuple[int, int, int, int]] = []
        self._costs = {cost.name: cost.cycles for cost in kind.costs}
        self._charges = {cost.name: self.ps(cost.cycles) for cost in kind.costs}
        self._seen: dict[int, bytes] = {}
        self._pollers = 0
        own = Registers(kind.word, kind.endian)
        self._registers = NATIVE if own == NATIVE else own
        self._order: Literal["little", "big"] = "big" if kind.endian == "big" else "little"
        self._alarms = LineAlarms(coherence, core.id, actor, self._registers)
        native = self._registers is NATIVE
        table: dict[type[Operation[object]], Callable[..., Awaitable[Hardware | None]]] = {
            Compute: self._compute, Spend: self._spend, Clock: self._clock, Cycles: self._cycles, Draw: self._draw,
            LoadLine: self._load if native else self._unfit, StoreLine: self._store if native else self._unfit,
            LoadWords: self._unfit if native else self._load, StoreWords: self._unfit if native else self._store_words,
            Maintain: self._maintain, Fence: self._fence,
            Access: self._access, CompareAndSwap: self._swap, PollWait: self._poll, Audit: self._audit,
            Step: self._step, Witness: self._witness,
        }  # fmt: skip
        self.handlers = table
        self._knocked = False
        self._hand = hand_of(coherence, core.id, actor, table, self._seen, self._costs, kind.mhz, self.plain and native)

    def live(self, driver: CpuDriver) -> Coroutine[object, object, NoReturn]:
        """The life of this core under `driver`; see `multikernel.system.core`."""
        hand = self._hand
        return hand.live(self.idle, driver) if isinstance(hand, Hand) else run_core(self, driver)

    # Time

    def ps(self, cycles: int) -> int:
        """Picoseconds of `cycles` of this core."""
        return cycles * 1_000_000 // self.kind.mhz

    def now_ns(self) -> int:
        return self._actor.clock // 1000

    def charge(self, cost: str, times: int = 1) -> None:
        ps = self._charges.get(cost)
        if ps is None:
            raise LocalMisuse(f"core kind {self.kind.name} has no cost {cost!r}")
        self._actor.clock += ps if times == 1 else self.ps(self._costs[cost] * times)

    # Interrupts

    def interrupted(self) -> bool:
        hand = self._hand
        pending, hand.pending = hand.pending, False
        return pending

    def knocked(self) -> bool:
        knocked, self._knocked = self._knocked, False
        return knocked

    def knock_arrives(self) -> None:
        """An interrupt has arrived that says that somebody is at the door."""
        self._knocked = True
        self.interrupt()

    def interrupt(self) -> None:
        """An interrupt has arrived, now in global time."""
        self._hand.pending = True
        self._actor.poke(INTERRUPT, self._coherence.engine.now)

    async def idle(self, until_ns: int | None) -> Hardware:
        until = None if until_ns is None else until_ns * 1000
        while True:
            if self.interrupted():
                return Interrupted()
            if until is not None and self._actor.clock >= until:
                return TimerFired()
            await self._actor.wait(until)

    def ipi(self, core: int) -> None:
        self._world.interrupt(core, self._actor.clock + self.ps(self._costs.get("ipi_latency", 0)))

    def knock(self, core: int) -> None:
        self._world.knock(core, self._actor.clock + self.ps(self._costs.get("ipi_latency", 0)))

    def start(self, core: int, channel: int, slots: int) -> None:
        self._world.start(core, channel, slots, self._actor.clock)

    # Memory

    def install(self, root: int) -> None:
        self._root = root

    def invalidate(self, root: int, address: int, size: int) -> None:
        self.unit.invalidate(address, size, root)
        now, until = self._coherence.engine.now, self._actor.clock
        self._dropped = [entry for entry in self._dropped if entry[3] > now]
        self._dropped.append((root, address, address + size, until))

    def reaches(self, root: int, address: int) -> bool:
        """Whether this core can use what `root` had at `address`, now in global time: what it drops on its own
        clock, which runs ahead, it still has."""
        now = self._coherence.engine.now
        return self.unit.reaches(root, address) or any(
            root == table and first <= address < last and until > now for table, first, last, until in self._dropped
        )

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        self._memory.write(address, data)

    def zero(self, address: int, size: int) -> None:
        self._memory.zero(address, size)

    def window(self, address: int, count: int) -> Lines:
        cached, coherent = self._world.reach(self.core, address, count * LINE)
        if self._registers is NATIVE:
            if cached and isinstance(self._hand, Hand):
                return self._hand.window(address // LINE, count, coherent)
            return WindowLines(address, count, cached, coherent)
        return ConvertedLines(WindowWords(address, count, cached, coherent), self._registers)

    def seen(self, address: int, size: int) -> int:
        return address if self._views is None else self._views.address(address, size)

    def poller(self) -> Poller:
        if isinstance(self._hand, Hand):
            return self._hand.poller()
        self._pollers += 1
        return SimPoller(self._alarms, self._pollers)

    def emit(self, event: Event) -> None:
        self._world.emit(event, event.at_ns * 1000)

    def next_input(self) -> Input | None:
        return self._world.next_input()

    # Operations: each answers the user half, or gives what interrupted it

    async def _pace(self) -> None:
        """Let global time catch up with a core that runs far ahead."""
        if self._actor.clock - self._coherence.engine.now > RUN_AHEAD_PS:
            await self._actor.sync()

    async def _compute(self, op: Compute, user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        end = self._actor.clock + self.ps(op.cycles)
        limit = end if until_ns is None else min(end, until_ns * 1000)
        while self._actor.clock < limit:
            await self._actor.wait(limit)
            if self._hand.pending:
                break
        if self._actor.clock >= end:
            user.answer(None)
            return None
        left = (end - self._actor.clock) * self.kind.mhz // 1_000_000
        user.again(Compute(max(1, left)))
        return Interrupted() if self.interrupted() else TimerFired()

    async def _spend(self, op: Spend, user: UserDispatcher, until_ns: int | None) -> None:
        self.charge(op.name, op.times)
        user.answer(None)
        await self._pace()

    async def _clock(self, op: Clock, user: UserDispatcher, until_ns: int | None) -> None:
        user.answer(self.now_ns())

    async def _cycles(self, op: Cycles, user: UserDispatcher, until_ns: int | None) -> None:
        user.answer((self._actor.clock * self.kind.mhz + 500_000) // 1_000_000)

    async def _draw(self, op: Draw, user: UserDispatcher, until_ns: int | None) -> None:
        user.answer(self._actor.random.below(op.bound))

    async def _load(self, op: LoadLine | LoadWords, user: UserDispatcher, until_ns: int | None) -> None:
        line, core = op.address // LINE, self.core.id
        if op.cached:
            data = await self._coherence.load(self._actor, core, line)
        else:
            data = await self._coherence.load_uncached(self._actor, core, line)
        if self._seen.get(line) != data:
            self._seen[line] = data
            self._coherence.engine.delivered(line, core, data)
        user.answer(data if self._registers is NATIVE else pick_up(self._registers, data))
        await self._pace()

    async def _store(self, op: StoreLine, user: UserDispatcher, until_ns: int | None) -> None:
        line, core = op.address // LINE, self.core.id
        self._seen[line] = op.data
        if op.cached:
            await self._coherence.store(self._actor, core, line, op.data)
        else:
            await self._coherence.store_uncached(self._actor, core, line, op.data)
        user.answer(None)

    async def _store_words(self, op: StoreWords, user: UserDispatcher, until_ns: int | None) -> None:
        try:
            line = StoreLine(op.address, op.cached, lay_down(self._registers, op.words))
        except LocalMisuse as refusal:
            user.refuse(refusal)
        else:
            await self._store(line, user, until_ns)

    async def _unfit(self, op: Operation[object], user: UserDispatcher, until_ns: int | None) -> None:
        """An instruction this core does not have."""
        bits, endian = self._registers
        user.refuse(LocalMisuse(f"core {self.core.id} moves lines as {endian}-endian words of {bits} bits"))

    async def _maintain(self, op: Maintain, user: UserDispatcher, until_ns: int | None) -> None:
        if op.clean:
            await self._coherence.clean(self._actor, self.core.id, op.address // LINE)
        else:
            await self._coherence.invalidate(self._actor, self.core.id, op.address // LINE)
        user.answer(None)

    async def _fence(self, op: Fence, user: UserDispatcher, until_ns: int | None) -> None:
        await self._coherence.fence(self._actor, self.core.id)
        user.answer(None)

    def _translate(
        self, op: Operation[object], user: UserDispatcher, address: int, write: bool
    ) -> Faulted | tuple[int, bool]:
        """Physical address of the word and whether it is cached, or the fault."""
        found = self.unit.translate(self._root, address, write, WORD)
        if found.levels:
            self.charge("page_walk_level", found.levels)
        if isinstance(found, Translation):
            if self._views is None:
                return found.pa, True
            try:
                return self._views.physical(found.pa, WORD)
            except LookupError:  # the bus answers with an error
                found = Untranslated(address, "not-mapped", write, 0)
        user.again(op)
        return Faulted(PageFault(address, write, found.kind))

    async def _access(self, op: Access, user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        await self._pace()
        found = self._translate(op, user, op.address, op.value is not None)
        if isinstance(found, Faulted):
            return found
        coherence, actor, core = self._coherence, self._actor, self.core.id
        (physical, cached), order = found, self._order
        line, offset = physical // LINE, physical % LINE
        data = await (coherence.load(actor, core, line) if cached else coherence.load_uncached(actor, core, line))
        if op.value is None:
            user.answer(int.from_bytes(data[offset : offset + WORD], order))
        else:
            changed = data[:offset] + op.value.to_bytes(WORD, order) + data[offset + WORD :]
            if cached:
                await coherence.store(actor, core, line, changed)
            else:
                await coherence.store_uncached(actor, core, line, changed)
            user.answer(op.value)
        return None

    async def _swap(self, op: CompareAndSwap, user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        found = self._translate(op, user, op.address, write=True)
        if isinstance(found, Faulted):
            return found
        physical, cached = found
        if not cached:
            user.refuse(LocalMisuse(f"core {self.core.id} sees {op.address:#x} uncached: nothing there is atomic"))
            return None
        old, new = (int.from_bytes(word.to_bytes(WORD, self._order), "little") for word in (op.old, op.new))
        line, offset = physical // LINE, physical % LINE
        user.answer(await self._coherence.swap(self._actor, self.core.id, line, offset, old, new))
        return None

    async def _step(self, op: Step, user: UserDispatcher, until_ns: int | None) -> None:
        user.answer(None)

    async def _witness(self, op: Witness, user: UserDispatcher, until_ns: int | None) -> None:
        clock = self._actor.clock
        self._world.emit(replace(op.event, at_ns=clock // 1000), clock)
        user.answer(None)

    async def _audit(self, op: Audit, user: UserDispatcher, until_ns: int | None) -> None:
        await self._actor.sync()
        user.answer(self._world.audit(op.process, op.address))

    async def _poll(self, op: PollWait, user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        poller = user.poller
        assert isinstance(poller, POLLERS)
        actor, check = self._actor, self.ps(self._costs["poll"])
        await actor.sync()
        started = actor.clock
        # One lap is always made: a poll that may not wait still looks at every line.
        lap_end = started + poller.lap(check)
        until = None if op.until_ns is None else max(op.until_ns * 1000, lap_end)
        limit = until if until_ns is None else min(until_ns * 1000, until) if until is not None else until_ns * 1000
        while True:
            found = poller.noticed(started, check)
            if found is not None and (limit is None or found[0] <= limit):
                actor.clock = max(actor.clock, found[0])
                user.answer(found[1])
                return None
            if self._hand.pending:
                user.again(op)
                self.interrupted()
                return Interrupted()
            if limit is not None and actor.clock >= limit:
                if limit == until:
                    lost = poller.lost()
                    if lost is None:
                        user.answer(-1)
                        return None
                    # Somebody writes to it: the look that would end the poll waits for the line, and sees that.
                    await self._coherence.load(actor, self.core.id, lost)
                    limit = until = actor.clock + poller.lap(check) + check  # the lap it is in, and one look
                    continue
                user.again(op)
                return TimerFired()
            await actor.wait(limit)
