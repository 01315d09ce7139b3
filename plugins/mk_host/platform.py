"""The host as a platform: a process a core, real time, one shared mapping as physical memory.

    Host().boot(blueprint, code, options, sink) -> HostSession
    session.run(program, arguments)   session.stop() -> Outcome

Every core the board does not call broken gets a process at once and sleeps there until it is started.
A core that dies is told to the sink as CoreFailed and the others go on; the boot core's death ends the
instance, and a program that has lost a core of its own ends once it falls silent.  All cores see all of
memory, coherently, whatever the board's islands and views.

There is no digest and no trace: what happens is not the same twice.

May not know: what runs on the cores beyond bringing them up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, TypeAlias

from mk_host import reports
from mk_host.arena import LARGEST_INPUT, POWER_OFF, Arena
from mk_host.lines import Memories
from mk_host.machine import HostMachine, PoweredOff
from mk_host.reports import Counters
from mk_host.shared import load_backend
from mk_host.zygote import Cores, Exited, Report, ReportFunction, places
from multikernel.errors import BootTimeout, MultikernelError, PlatformError, UsageError
from multikernel.events import Booted, CoreFailed, Event, ProcessStarted, ProgramDone, ProgramRaised
from multikernel.interfaces import Outcome
from multikernel.spec import OnUse
from multikernel.system.bringup import Kernel, bring_up
from multikernel.system.core import run_core
from multikernel.system.environment import Made
from multikernel.system.layout import Layout
from multikernel.system.mmu import unit_for
from multikernel.system.page_tables import format_of
from multikernel.system.requests import Call
from multikernel.system.routes import Routes

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint
    from multikernel.interfaces import BootOptions
    from multikernel.system.environment import Code

Sink: TypeAlias = "Callable[[Event], None]"
TLB_ENTRIES = 64
"""Of a kind whose board says nothing; the first-level data TLB of AMD family 17h and later has as many
(Software Optimization Guide for AMD Family 17h, 55723, 2.7.2)."""
_POWER_OFF_NS = 2_000_000_000
"""How long cores have to power off before they are killed."""
_BEREAVED_NS = 2_000_000_000
"""How long a program may be silent once a core it started on has died: time to end by itself."""


class Host:
    """See `multikernel.interfaces.Platform`."""

    def boot(self, blueprint: Blueprint, code: Code, options: BootOptions, sink: Sink) -> HostSession:
        if options.trace:
            raise UsageError("the host platform has no trace of deliveries; use --platform sim")
        for device in blueprint.devices:
            raise PlatformError(
                f"the blueprint binds device {device.id}, which the host does not have: assemble the board for "
                "platform host, or boot it on sim"
            )
        session = HostSession(blueprint, code, options, sink)
        try:
            session.boot()
        except BaseException:
            session.stop()
            raise
        return session

    def doctor(self) -> Sequence[str]:
        cpus = len(os.sched_getaffinity(0))
        try:
            finding = load_backend().finding
        except MultikernelError as problem:
            finding = f"cannot run: {problem}"
        return (finding, f"{cpus} CPUs: boards of more cores share them and yield instead of spinning")


class HostSession:
    """See `multikernel.interfaces.Session`.  Making one forks the cores, which wait to be started."""

    def __init__(self, blueprint: Blueprint, code: Code, options: BootOptions, sink: Sink) -> None:
        self._ring = load_backend().ring
        self._blueprint = blueprint
        self._options = options
        self._sink = sink
        self._epoch_ns = time.monotonic_ns()
        self._kernel = Kernel(blueprint, Layout(blueprint), Routes(blueprint), code)
        numbers = [entry.id for entry in blueprint.cores if not entry.fails]
        memory = max(region.base + region.size for region in blueprint.memory)
        self._arena = Arena(self._ring, [entry.id for entry in blueprint.cores], memory)
        self._crowded = len(numbers) > len(os.sched_getaffinity(0))
        for factory in (code.monitor, *code.programs.values()):
            if isinstance(factory, OnUse):
                factory.load()  # once, and not in each core
        self._cores = Cores(places(numbers), self._core)
        self._dead: dict[int, str] = {}
        self._sides = self._messages = 0
        self._outcome: Outcome | None = None

    def boot(self) -> None:
        """Start the boot core; returns when it says that the kernel is up."""
        self._arena.release(self._blueprint.boot_core, 0, 0)
        self._until(lambda event: isinstance(event, Booted), "the boot")

    def run(self, program: str, arguments: Sequence[tuple[str, str]]) -> None:
        if self._outcome is not None:
            raise UsageError("the kernel has been stopped")
        text = reports.encode_call(Call(program, tuple(arguments)))
        if len(text) > LARGEST_INPUT:
            raise UsageError(f"the arguments of {program} are longer than {LARGEST_INPUT} bytes")
        if not self._arena.put_input(text):
            raise BootTimeout(f"the boot core has not taken the program before {program}")
        self._arena.interrupt(self._blueprint.boot_core)
        self._until(
            lambda event: isinstance(event, (ProgramDone, ProgramRaised)) and event.name == program,
            f"program {program}",
            program,
        )

    def stop(self) -> Outcome:
        if self._outcome is None:
            stopped_ns = self._now_ns()
            try:
                for core in self._cores.running:
                    self._arena.interrupt(core, POWER_OFF)
                end = time.monotonic_ns() + _POWER_OFF_NS
                while self._cores.running and (left := end - time.monotonic_ns()) > 0:
                    self._tell(self._cores.next(left))
            finally:
                self._cores.stop()
            del self._arena  # unmaps it
            self._outcome = Outcome("", stopped_ns, self._sides // 2, self._messages)
        return self._outcome

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._epoch_ns

    def _until(self, done: Callable[[Event], bool], what: str, program: str = "") -> None:
        """Pass events on until one of them is the one; the limit is the longest silence, and a shorter one
        once a core is dead that process `program` has started on."""
        spanned: set[int] = set()
        limit, lost = self._options.timeout_ns, -1
        while True:
            found = self._cores.next(limit)
            if found is None and self._cores.running:
                if lost >= 0:
                    raise PlatformError(f"{what} lost core {lost}, which it had started on: {self._dead[lost]}")
                dead = "".join(f"; core {core} is dead ({reason})" for core, reason in self._dead.items())
                raise BootTimeout(f"nothing was heard of the cores for {limit // 1_000_000} ms{dead}")
            event = self._tell(found)
            if event is not None and done(event):
                return
            if self._blueprint.boot_core not in self._cores.running:
                raise PlatformError(f"the boot core died during {what}")
            if isinstance(event, ProcessStarted) and event.name == program:
                spanned.add(event.core)
            elif isinstance(event, CoreFailed) and event.core in spanned and lost < 0:
                limit, lost = min(limit, _BEREAVED_NS), event.core

    def _tell(self, found: Report | Exited | None) -> Event | None:
        """The event in what was found, told to the sink; None for what is not for it."""
        if isinstance(found, Report):
            event = reports.decode(found.data)
            if isinstance(event, Counters):
                self._sides += event.sides
                self._messages += event.messages
                return None
        elif isinstance(found, Exited) and found.reason:
            self._dead[found.core] = found.reason
            event = CoreFailed(self._now_ns(), found.core, found.reason)
        else:
            return None
        self._sink(event)
        return event

    # In a core's process

    def _core(self, core: int, report: ReportFunction) -> None:
        released = self._arena.await_release(core)
        if released is None:
            return
        entry = self._kernel.routes.core(core)
        kind = next(kind for kind in self._blueprint.kinds if kind.name == entry.kind)
        made = Made(self._kernel.code, kind.name)
        unit = unit_for(
            format_of(made.driver.paging), self._arena, kind.tlb_entries if kind.tlb_entries > 0 else TLB_ENTRIES
        )
        machine = HostMachine(
            entry, kind, self._ring, self._arena, unit, self._epoch_ns, self._options.seed, self._crowded, report
        )
        memories = Memories(self._ring)
        try:
            _drive(run_core(machine, bring_up(machine, self._kernel, made, memories, released.channel, released.slots)))
        except PoweredOff:
            report(reports.encode(Counters(memories.sides, memories.messages())))


def _drive(core: Coroutine[object, object, None]) -> None:
    """Run a core: on this machine nothing it awaits ever suspends."""
    try:
        core.send(None)
    except StopIteration:
        return
    raise RuntimeError("a core of the host platform suspended")
