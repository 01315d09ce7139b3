"""The machine of a core that is a process of this host (`system/machine.py`).

Time is the host's.  Work costs what it costs, so named costs are not charged; `Compute` keeps the CPU
busy for as long as the cycles take at the clock of the core's kind.  Addresses of programs are translated
by the kit's MMU model over page tables in the shared memory: that isolates programs that use operations,
and no others.

An interrupt is looked for between two operations and while spinning.  A core that spins while others want
its CPU hinders them, so where there are more cores than CPUs it yields the CPU instead.

May not know: the driver, monitors, how processes come and go.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from mk_host import reports
from mk_host.arena import IPI, KNOCK, POWER_OFF, Arena
from mk_host.lines import HostLines, HostPoller
from mk_host.shared import RawBell, RawPoller, RingModule
from multikernel.system.dispatcher import PageFault, UserDispatcher
from multikernel.system.machine import Faulted, Hardware, Interrupted, Machine, TimerFired
from multikernel.system.mmu import PageFault as Untranslated
from multikernel.system.mmu import TranslationUnit
from multikernel.system.operations import (
    Access,
    Audit,
    Clock,
    CompareAndSwap,
    Compute,
    Cycles,
    Draw,
    Fence,
    Operation,
    PollWait,
    Spend,
    Step,
    Witness,
)
from multikernel.system.requests import Call

if TYPE_CHECKING:
    from multikernel.blueprint import CoreEntry, CoreKind
    from multikernel.events import Event
    from multikernel.interfaces import Lines
    from multikernel.system.dispatcher import Poller

SPIN_NS = 1_000
"""How long an idle core spins before it sleeps, where no other core wants its CPU."""
YIELDS = 16
"""How often it then gives its CPU away before it sleeps; measured: docs/host.md."""
BLOCKING_NS = 50_000
"""What blocking and being woken costs: the futex, and the driver and the monitor in Python at both ends;
what `mkit boot host --run ping` shows where every message finds its receiver blocked."""
_LONG_NS = 1_000_000_000
"""One sleep of a core that waits for nothing but an interrupt."""
WORD = 8


Done: TypeAlias = Hardware | None


class PoweredOff(BaseException):
    """The core's power is gone: nothing on it runs any more.  No mistake, so not an Exception."""


class HostMachine(Machine):
    """See the module.  To be made in the core's process."""

    def __init__(
        self,
        core: CoreEntry,
        kind: CoreKind,
        ring: RingModule,
        arena: Arena,
        unit: TranslationUnit,
        epoch_ns: int,
        seed: int,
        crowded: bool,
        report: Callable[[bytes], None],
    ) -> None:
        self.core = core
        self.kind = kind
        self._ring = ring
        self._arena = arena
        self._unit = unit
        self._epoch_ns = epoch_ns
        self._random = Random(f"{seed}:{core.id}")
        self._crowded = crowded
        self._report = report
        self._bell = arena.bell(core.id)
        self._others: dict[int, RawBell] = {}
        self._root = 0
        self._knocked = False
        table: dict[type[Operation[object]], Callable[..., Awaitable[Done]]] = {
            Compute: self._compute, Spend: self._spend, Clock: self._clock, Cycles: self._cycles, Draw: self._draw,
            Access: self._access, CompareAndSwap: self._compare_and_swap, PollWait: self._poll_wait,
            Audit: self._audit, Fence: self._fence, Step: self._step, Witness: self._witness,
        }  # fmt: skip
        self.handlers = table

    # The contract

    def poll_ns(self) -> int:
        return BLOCKING_NS

    def now_ns(self) -> int:
        return time.monotonic_ns() - self._epoch_ns

    def interrupted(self) -> bool:
        taken = self._bell.take()
        if taken & 1 << POWER_OFF:
            raise PoweredOff
        self._knocked = self._knocked or taken & 1 << KNOCK != 0
        return taken != 0

    def knocked(self) -> bool:
        knocked, self._knocked = self._knocked, False
        return knocked

    async def idle(self, until_ns: int | None) -> Hardware:
        spin, yields = (0, 0) if self._crowded else (SPIN_NS, YIELDS)
        while True:
            left = _LONG_NS if until_ns is None else max(0, until_ns - self.now_ns())
            if self._bell.wait(None, spin, yields, left) == self._ring.PENDING:
                self.interrupted()
                return Interrupted()
            if until_ns is not None:
                return TimerFired()

    def charge(self, cost: str, times: int = 1) -> None:
        """Nothing: the work itself took its time."""

    def ipi(self, core: int) -> None:
        self._post(core, IPI)

    def knock(self, core: int) -> None:
        self._post(core, KNOCK)

    def _post(self, core: int, kind: int) -> None:
        bell = self._others.get(core)
        if bell is None:
            bell = self._others[core] = self._arena.bell(core)
        bell.post(kind)

    def start(self, core: int, channel: int, slots: int) -> None:
        self._arena.release(core, channel, slots)

    def install(self, root: int) -> None:
        self._root = root

    def invalidate(self, root: int, address: int, size: int) -> None:
        self._unit.invalidate(address, size, root)

    def read(self, address: int, size: int) -> bytes:
        return self._arena.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        self._arena.write(address, data)

    def zero(self, address: int, size: int) -> None:
        self._arena.zero(address, size)

    def window(self, address: int, count: int) -> Lines:
        return HostLines(self._ring, self._arena.lines(address, count), count)

    def poller(self) -> Poller:
        return HostPoller(self._ring.Poller())

    def emit(self, event: Event) -> None:
        self._report(reports.encode(event))

    def next_input(self) -> Call | None:
        text = self._arena.take_input()
        return reports.decode_call(text) if text else None

    # Hardware operations

    async def _compute(self, operation: Compute, user: UserDispatcher, end_ns: int | None) -> Done:
        end = self.now_ns() + operation.cycles * 1000 // self.kind.mhz
        while (left := end - self.now_ns()) > 0:
            event = self._spin(None, left, end_ns)
            if event is not None and not isinstance(event, int):
                operation.cycles = max(0, end - self.now_ns()) * self.kind.mhz // 1000
                user.again(operation)
                return event
        user.answer(None)
        return None

    async def _spend(self, operation: Spend, user: UserDispatcher, end_ns: int | None) -> Done:
        user.answer(None)
        return None

    async def _clock(self, operation: Clock, user: UserDispatcher, end_ns: int | None) -> Done:
        user.answer(self.now_ns())
        return None

    async def _cycles(self, operation: Cycles, user: UserDispatcher, end_ns: int | None) -> Done:
        user.answer(self.now_ns() * self.kind.mhz // 1000)
        return None

    async def _draw(self, operation: Draw, user: UserDispatcher, end_ns: int | None) -> Done:
        user.answer(self._random.randrange(operation.bound))
        return None

    async def _audit(self, operation: Audit, user: UserDispatcher, end_ns: int | None) -> Done:
        user.answer(-1)  # a core sees no other's translations
        return None

    async def _fence(self, operation: Fence, user: UserDispatcher, end_ns: int | None) -> Done:
        self._ring.fence()
        user.answer(None)
        return None

    async def _step(self, operation: Step, user: UserDispatcher, end_ns: int | None) -> Done:
        user.answer(None)
        return None

    async def _witness(self, operation: Witness, user: UserDispatcher, end_ns: int | None) -> Done:
        self.emit(replace(operation.event, at_ns=self.now_ns()))
        user.answer(None)
        return None

    async def _access(self, operation: Access, user: UserDispatcher, end_ns: int | None) -> Done:
        found = self._translate(operation, operation.address, operation.value is not None, user)
        if isinstance(found, Faulted):
            return found
        if operation.value is None:
            user.answer(self._arena.memory.load_word(found))
        else:
            self._arena.memory.store_word(found, operation.value)
            user.answer(operation.value)
        return None

    async def _compare_and_swap(self, operation: CompareAndSwap, user: UserDispatcher, end_ns: int | None) -> Done:
        found = self._translate(operation, operation.address, True, user)
        if isinstance(found, Faulted):
            return found
        user.answer(self._arena.memory.compare_and_swap(found, operation.old, operation.new))
        return None

    async def _poll_wait(self, operation: PollWait, user: UserDispatcher, end_ns: int | None) -> Done:
        assert isinstance(user.poller, HostPoller)
        poller, end = user.poller.raw, operation.until_ns
        while True:
            left = _LONG_NS if end is None else end - self.now_ns()
            event = self._spin(poller, left, end_ns)
            if isinstance(event, int):
                user.answer(event)
                return None
            if event is not None:
                user.again(operation)
                return event
            if end is not None and self.now_ns() >= end:
                user.answer(-1)
                return None

    def _spin(self, poller: RawPoller | None, left_ns: int, until_ns: int | None) -> int | Hardware | None:
        """Look at least once, and on for at most `left_ns`: a key of the poller, an interrupt or the end
        of the slice, whichever comes first, or None."""
        slice_ns = left_ns if until_ns is None else until_ns - self.now_ns()
        window = max(0, min(left_ns, slice_ns, _LONG_NS))
        if poller is not None and self._crowded and window:
            found = self._bell.wait(poller, 0, 1, 1)
        else:
            found = self._bell.wait(poller, window, 0, window)
        if found == self._ring.PENDING:
            self.interrupted()
            return Interrupted()
        if found != self._ring.TIMEOUT:
            return found
        return TimerFired() if until_ns is not None and self.now_ns() >= until_ns else None

    def _translate(
        self, operation: Operation[object], address: int, write: bool, user: UserDispatcher
    ) -> int | Faulted:
        """The physical address of a word; a fault, after which the operation is carried out again."""
        found = self._unit.translate(self._root, address, write, WORD)
        if isinstance(found, Untranslated):
            user.again(operation)
            return Faulted(PageFault(address, write, found.kind))
        if found.pa + WORD > self._arena.size:  # nothing translates, and there is no memory
            user.again(operation)
            return Faulted(PageFault(address, write, "not-mapped"))
        return found.pa
