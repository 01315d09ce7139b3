"""A simulated core that faults can strike: it stops, stalls, has a clock of its own, and sees some lines late.

A stop or stall lands where an interrupt does: between two operations, or in a wait.  Caches, store buffer and MMU go
on, as hardware does when a core's software has come to an end.  Without a fault the machine does what `SimMachine`
does, at the same times.

A core's own clock is ahead by so many picoseconds and fast by so many millionths: that is what its software reads as
nanoseconds and as cycles, and what its timers go by.

May not know: which faults there are, and when they strike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mk_sim.holds import HeldAlarms
from mk_sim.machine import INTERRUPT, SimMachine
from mk_sim.parameters import LINE
from multikernel.system.machine import Dcb, Hardware, Interrupted
from multikernel.system.operations import Compute, Cycles, LoadLine, LoadWords, PollWait, Step, StoreLine
from multikernel.system.words import NATIVE, pick_up

if TYPE_CHECKING:
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Actor
    from mk_sim.faults import Faults
    from mk_sim.machine import World
    from multikernel.blueprint import CoreEntry, CoreKind
    from multikernel.events import Event
    from multikernel.system.dispatcher import UserDispatcher
    from multikernel.system.physical_memory import SparseMemory

MILLION = 1_000_000


class Halted(BaseException):
    """The core runs nothing more.  No mistake, so not an Exception."""


class Skew:
    """A clock: at `since` ps it showed `shown` ps, and runs fast by `ppm` millionths from then on."""

    __slots__ = ("ppm", "shown", "since")

    def __init__(self) -> None:
        self.since = 0
        self.shown = 0
        self.ppm = 0

    def change(self, at: int, by_ps: int, by_ppm: int) -> None:
        self.since, self.shown, self.ppm = at, self._raw(at) + by_ps, self.ppm + by_ppm

    def local(self, at: int) -> int:
        """What it shows at `at` ps; a clock does not show less than 0."""
        return max(0, self._raw(at))

    def true(self, local: int) -> int:
        """The first picosecond at which it shows `local`, or its last change if it does then."""
        return self.since + max(0, -(-(local - self.shown) * MILLION // (MILLION + self.ppm)))

    def _raw(self, at: int) -> int:
        return self.shown + (at - self.since) * (MILLION + self.ppm) // MILLION


class Condition:
    """How a core is, through all its restarts: whether it is halted, and for ever; until when it stalls; its clock."""

    __slots__ = ("forever", "halted", "skew", "stalled_until")

    def __init__(self) -> None:
        self.forever = False
        self.halted = False
        self.stalled_until = 0
        self.skew: Skew | None = None


class FaultyMachine(SimMachine):
    """See the module.  `halted` is whether its software has come to an end, or will at its next operation."""

    plain = False

    def __init__(
        self,
        core: CoreEntry,
        kind: CoreKind,
        paging: str,
        actor: Actor,
        coherence: Coherence,
        memory: SparseMemory,
        world: World,
        faults: Faults,
    ) -> None:
        super().__init__(core, kind, paging, actor, coherence, memory, world)
        self._faults = faults
        self._condition = faults.condition(core.id)
        self.halted = False
        self._struck = False
        self._holds = faults.holds
        if self._holds is not None:
            self._alarms = HeldAlarms(coherence, core.id, actor, self._registers, self._holds, self.interrupt)

    def strike(self) -> None:
        """The condition has changed: software is left as for an interrupt, and of a core that is halted for good."""
        self.halted = self.halted or self._condition.halted
        if not self._hand.pending:
            self._hand.pending = self._struck = True
        self._actor.poke(INTERRUPT, self._coherence.engine.now)

    def interrupt(self) -> None:
        self._struck = False
        super().interrupt()

    async def run(self, dcb: Dcb, until_ns: int | None) -> Hardware:
        await self._reckon()
        while True:
            event = await super().run(dcb, until_ns)
            await self._reckon()
            if not self._taken(event):
                return event

    async def idle(self, until_ns: int | None) -> Hardware:
        await self._reckon()
        while True:
            event = await super().idle(self._true_ns(until_ns))
            await self._reckon()
            if not self._taken(event):
                return event

    def _taken(self, event: Hardware) -> bool:
        """Whether it is no interrupt for the driver, but a fault that is over."""
        struck = self._struck and isinstance(event, Interrupted)
        if struck:
            self._struck = False
        return struck

    async def _reckon(self) -> None:
        condition = self._condition
        while True:
            if self.halted:
                self._alarms.close()  # nobody looks at its lines any more
                raise Halted
            if condition.stalled_until <= self._actor.clock:
                return
            await self._actor.wait(condition.stalled_until)

    # The clock

    def now_ns(self) -> int:
        skew = self._condition.skew
        return self._actor.clock // 1000 if skew is None else skew.local(self._actor.clock) // 1000

    def emit(self, event: Event) -> None:
        """A clock that is set wrong says another time, and for a while none: what it stamps is told when it happens."""
        self._world.emit(event, event.at_ns * 1000 if self._condition.skew is None else self._actor.clock)

    def _true_ns(self, local_ns: int | None) -> int | None:
        """The nanosecond by which the core's clock shows `local_ns`."""
        skew = self._condition.skew
        return local_ns if skew is None or local_ns is None else -(-skew.true(local_ns * 1000) // 1000)

    async def _cycles(self, op: Cycles, user: UserDispatcher, until_ns: int | None) -> None:
        skew = self._condition.skew
        if skew is None:
            await super()._cycles(op, user, until_ns)
        else:
            user.answer((skew.local(self._actor.clock) * self.kind.mhz + 500_000) // 1_000_000)

    async def _compute(self, op: Compute, user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        return await super()._compute(op, user, self._true_ns(until_ns))

    async def _poll(self, op: PollWait, user: UserDispatcher, until_ns: int | None) -> Hardware | None:
        event = await super()._poll(PollWait(self._true_ns(op.until_ns)), user, self._true_ns(until_ns))
        if event is not None:
            user.again(op)
        return event

    # What is counted, and seen late

    async def _load(self, op: LoadLine | LoadWords, user: UserDispatcher, until_ns: int | None) -> None:
        actor, coherence, line, core = self._actor, self._coherence, op.address // LINE, self.core.id
        data = await (coherence.load if op.cached else coherence.load_uncached)(actor, core, line)
        if self._holds is not None:
            data = self._holds.look(core, line, data, actor.clock)
        if self._seen.get(line) != data:
            self._seen[line] = data
            coherence.engine.delivered(line, core, data)
            self._faults.delivered(core, actor.clock)
        user.answer(data if self._registers is NATIVE else pick_up(self._registers, data))
        await self._pace()

    async def _store(self, op: StoreLine, user: UserDispatcher, until_ns: int | None) -> None:
        if self._holds is not None:
            self._holds.stored(self.core.id, op.address // LINE, op.data, self._actor.clock)
        await super()._store(op, user, until_ns)

    async def _step(self, op: Step, user: UserDispatcher, until_ns: int | None) -> None:
        self._faults.stepped(self.core.id, op, self._actor.clock)
        user.answer(None)
