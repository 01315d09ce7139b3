"""The simulator as a platform: a whole machine in one process, in virtual time.

The same blueprint, seed and programs give the same deliveries at the same times: the outcome's digest.
Virtual time stands still between programs.

Faults are in `faults.py`, what they do to a core in `faulty.py`, to what it sees in `holds.py`; without any the cores
are plain machines.  A core whose software has come to an end keeps its actor, which waits for a restart.

May not know: what runs on the cores beyond bringing them up.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TextIO

from mk_sim.coherence import Coherence
from mk_sim.devices import attach
from mk_sim.engine import FOUND, Engine
from mk_sim.faults import Faults
from mk_sim.faulty import MILLION, FaultyMachine, Halted
from mk_sim.hand import channel_memory
from mk_sim.holds import Holds
from mk_sim.machine import RUN_AHEAD_PS, SimMachine
from mk_sim.parameters import NO_LATENCY, derive
from multikernel.errors import BootTimeout, FileError, ProgramFailed, UsageError
from multikernel.events import Assumed, Booted, ProgramDone, ProgramRaised
from multikernel.faults import LINKS, known
from multikernel.interfaces import Outcome, Reached
from multikernel.native import require
from multikernel.system.bringup import Kernel, bring_up
from multikernel.system.environment import Made
from multikernel.system.layout import Layout
from multikernel.system.physical_memory import SparseMemory
from multikernel.system.requests import Call, Restart
from multikernel.system.ring import LinesMemory
from multikernel.system.routes import Routes
from multikernel.system.views import Views

if TYPE_CHECKING:
    from mk_sim.engine import Actor
    from multikernel.blueprint import Blueprint, CoreEntry
    from multikernel.events import DeviceFault, Event
    from multikernel.faults import Fault
    from multikernel.interfaces import BootOptions, Lines
    from multikernel.system.driver import CpuDriver
    from multikernel.system.environment import Code
    from multikernel.system.requests import Input

RESTARTS = 3
"""How often a core can be restarted: each time its monitor has half the memory that it had before
(`system/monitor/memory.py`)."""
Sink = Callable[["Event"], None]


class Simulator:
    """See `multikernel.interfaces.Platform`."""

    def boot(self, blueprint: Blueprint, code: Code, options: BootOptions, sink: Sink) -> Simulation:
        require(FOUND, "the simulator")
        simulation = Simulation(blueprint, code, options, sink)
        try:
            simulation.boot()
        except BaseException:
            simulation.stop()
            raise
        return simulation

    def check(self, blueprint: Blueprint, options: BootOptions) -> None:
        """See `multikernel.interfaces.FaultyPlatform`."""
        known(options.faults, [core.id for core in blueprint.cores])
        if options.jitter_ns < 0:
            raise UsageError(f"jitter of {options.jitter_ns} ns: give 0 or more", code="fault")
        routes = Routes(blueprint)
        for fault in options.faults:
            slow = sum(min(0, other.by_ppm) for other in options.faults if other.core == fault.core)
            if slow <= -MILLION:
                raise UsageError(f"fault {fault}: the clock of core {fault.core} would stand still", code="fault")
            if fault.kind == "restart":
                _check_restart(fault, options.faults, blueprint, routes)
            if fault.kind in LINKS:
                for a, b in ((fault.core, fault.peer), (fault.peer, fault.core)):
                    pair = routes.transport(a, b)
                    if pair.scope not in ("channel", "link"):
                        raise UsageError(
                            f"fault {fault}: what cores {a} and {b} tell each other passes the monitors of other "
                            "cores, and no line or device between the two",
                            code="fault",
                        )

    def doctor(self) -> Sequence[str]:
        if FOUND.module is None:
            return (f"fallback: engine in Python, about three times slower ({FOUND.finding})",)
        return (f"native: engine {FOUND.finding}",)


class Simulation:
    """See `multikernel.interfaces.Session`."""

    def __init__(self, blueprint: Blueprint, code: Code, options: BootOptions, sink: Sink) -> None:
        self._blueprint = blueprint
        self._sink = sink
        self._options = options
        self._engine = Engine(options.seed)
        self._coherence = Coherence(self._engine, derive(blueprint))
        self._memory = SparseMemory()
        layout, step = Layout(blueprint), any(fault.trigger == "step" for fault in options.faults)
        self._kernel = Kernel(blueprint, layout, Routes(blueprint), code, observed=options.observe or step)
        self._faults: Faults | None = None
        holds: Holds | None = None
        if options.faults or options.jitter_ns or options.observe:
            held = options.jitter_ns or any(fault.kind in LINKS for fault in options.faults)
            holds = Holds(self._engine, blueprint, layout, options.jitter_ns * 1000) if held else None
            self._faults = Faults(options.faults, self._engine, holds, self)
        self._machines: dict[int, SimMachine] = {}
        self._drivers: dict[int, CpuDriver] = {}
        self._inputs: deque[Input] = deque()
        self._released: dict[int, None] = {}
        self._resting: dict[int, None] = {}
        self._incarnations: dict[int, int] = {}
        self._ended: dict[str, None] = {}
        self._booted = False
        self._panic: ProgramRaised | None = None
        self._sides = 0
        self._spaces = _Spaces(blueprint)
        self._assumptions = attach(blueprint, self._engine, self._coherence, self, holds)
        self._trace: TextIO | None = None
        self._outcome: Outcome | None = None
        if options.trace:
            self._open_trace(options.trace)

    # Session

    def boot(self) -> None:
        """Run until the boot core's monitor says that the kernel is up."""
        if not (self._blueprint.interconnect.latencies or self._blueprint.interconnect.matrix):
            self._sink(Assumed(0, NO_LATENCY))
        for text in self._assumptions:
            self._sink(Assumed(0, text))
        self.start(self._blueprint.boot_core, 0, 0, 0)
        thresholds = gc.get_threshold()
        gc.set_threshold(100_000, *thresholds[1:])  # what a boot makes stays: looking through it takes a third of it
        try:
            self._run_until(lambda: self._booted, "boot")
        finally:
            gc.set_threshold(*thresholds)

    def run(self, program: str, arguments: Sequence[tuple[str, str]]) -> None:
        if self._outcome is not None:
            raise UsageError("the kernel has been stopped")
        if self._faults is not None:
            self._faults.started("run")
        self._ended.pop(program, None)
        self._inputs.append(Call(program, tuple(arguments)))
        self.interrupt(self._blueprint.boot_core, self._engine.now)
        self._run_until(lambda: program in self._ended, f"program {program}")

    def stop(self) -> Outcome:
        if self._outcome is None:
            steps = sorted(self._faults.reached.items()) if self._faults is not None else ()
            self._outcome = Outcome(
                self._engine.digest,
                self._engine.now // 1000,
                self._sides // 2,
                self._engine.deliveries,
                tuple(Reached(*step, times) for step, times in steps),
            )
            for driver in self._drivers.values():
                driver.close()
            if self._trace is not None:
                try:
                    self._trace.close()
                except OSError as problem:
                    raise _unwritable(self._options.trace, problem) from None
        return self._outcome

    def _run_until(self, done: Callable[[], bool], what: str) -> None:
        limit = self._engine.now + self._options.timeout_ns * 1000
        self._done = done
        self._engine.run(limit)
        if self._panic is not None:
            raise ProgramFailed(
                f"the monitor of core {self._panic.core} raised at {self._panic.at_ns} ns: {self._panic.error}",
                program="monitor",
                core=self._panic.core,
                dispatcher=self._panic.dispatcher,
                at_ns=self._panic.at_ns,
            )
        if not done():
            raise BootTimeout(
                f"{what} did not end within {self._options.timeout_ns} ns of virtual time; "
                f"now {self._engine.now // 1000} ns{self._blame()}"
            )

    def _blame(self) -> str:
        happened = self._faults.happened if self._faults is not None else ()
        return f"; faults so far: {', '.join(map(str, happened))}" if happened else ""

    @property
    def events(self) -> int:
        """Events the engine has handled: what simulating costs, whatever computer it runs on."""
        return self._engine.events

    # World, for the machines

    def start(self, core: int, channel: int, slots: int, at_ps: int) -> None:
        entry = self._kernel.routes.core(core)
        if not entry.fails:
            self._engine.at(max(at_ps, self._engine.now), partial(self._release, entry, channel), slots)

    def _release(self, entry: CoreEntry, channel: int, slots: int) -> None:
        kind = next(kind for kind in self._blueprint.kinds if kind.name == entry.kind)
        made = Made(self._kernel.code, entry.kind)
        actor = self._engine.actor(entry.id)
        actor.clock = max(actor.clock, self._engine.now)
        if self._faults is None:
            machine = SimMachine(entry, kind, made.driver.paging, actor, self._coherence, self._memory, self)
        else:
            self._released[entry.id] = None
            if self._faults.condition(entry.id).halted:
                return
            if actor.alive and entry.id not in self._resting:
                running = self._machines[entry.id]
                if isinstance(running, FaultyMachine) and running.halted:  # it has not yet come to where it stops
                    self._engine.at(self._engine.now + RUN_AHEAD_PS, partial(self._release, entry, channel), slots)
                return
            machine = FaultyMachine(
                entry, kind, made.driver.paging, actor, self._coherence, self._memory, self, self._faults
            )
        self._machines[entry.id] = machine
        incarnation = self._incarnations.get(entry.id, 0)
        driver = bring_up(machine, self._kernel, made, self._channel_memory, channel, slots, incarnation)
        self._drivers[entry.id] = driver
        if self._faults is None:
            actor.start(machine.live(driver))
        elif actor.alive:
            del self._resting[entry.id]
            actor.resume(None)
        else:
            actor.start(self._live(entry.id, actor))

    async def _live(self, core: int, actor: Actor) -> None:
        """The lives of a core that may stop: one after another, as often as it is released."""
        while True:
            machine, driver = self._machines[core], self._drivers[core]
            try:
                await machine.live(driver)
            except Halted:
                driver.close()
                self._resting[core] = None
                await actor.block()

    def _channel_memory(self, lines: Lines, device: Lines | None = None, here: int = 0, there: int = 0) -> LinesMemory:
        self._sides += 1
        return channel_memory(lines, device, here, there)

    def interrupt(self, core: int, at_ps: int) -> None:
        machine = self._machines.get(core)
        if machine is not None:
            self._engine.at(max(at_ps, self._engine.now), _deliver, machine)

    def knock(self, core: int, at_ps: int) -> None:
        machine = self._machines.get(core)
        if machine is not None:
            self._engine.at(max(at_ps, self._engine.now), _knock, machine)

    def fault(self, event: DeviceFault) -> None:
        self._sink(event)

    def emit(self, event: Event, at_ps: int) -> None:
        """A core runs ahead: the outside is told when global time has come to the event."""
        self._engine.at(max(at_ps, self._engine.now), self.tell, event)

    def strike(self, core: int) -> None:
        machine = self._machines.get(core)
        if isinstance(machine, FaultyMachine):
            machine.strike()

    def restart(self, core: int) -> None:
        if core in self._released and Restart(core) not in self._inputs:
            self._incarnations[core] = self._incarnations.get(core, 0) + 1
            self._inputs.append(Restart(core))
            self.interrupt(self._blueprint.boot_core, self._engine.now)

    def tell(self, event: Event) -> None:
        self._sink(event)
        if isinstance(event, Booted):
            self._booted = True
        elif isinstance(event, (ProgramDone, ProgramRaised)):
            self._ended[event.name] = None
            if event.name == "monitor" and isinstance(event, ProgramRaised):
                self._panic = event
        else:
            return
        if self._panic is not None or self._done():
            self._engine.stop()

    def next_input(self) -> Input | None:
        return self._inputs.popleft() if self._inputs else None

    def audit(self, process: str, address: int) -> int:
        routes = self._kernel.routes
        return sum(
            any(
                self._machines[core].reaches(dcb.root, address)
                for dcb in driver.dispatchers.values()
                if dcb.name == process and dcb.root and not dcb.exited
            )
            for core, driver in self._drivers.items()
            if routes.same_addresses(core, routes.boot_core) and core not in self._resting
        )

    def reach(self, core: CoreEntry, address: int, size: int) -> tuple[bool, bool]:
        return self._spaces.reach(core, address, size)

    def views(self, core: CoreEntry) -> Views:
        return self._spaces.views(core)

    def _open_trace(self, path: str) -> None:
        try:
            self._trace = open(path, "w", encoding="ascii", newline="\n")  # noqa: SIM115
        except OSError as problem:
            raise _unwritable(path, problem) from None
        trace = self._trace

        def write(time: int, source: int, target: int, data: bytes) -> None:
            line = f'{{"at_ps": {time}, "line": {source}, "core": {target}, "data": "{data.rstrip(bytes(1)).hex()}"}}\n'
            try:
                trace.write(line)
            except OSError as problem:
                raise _unwritable(path, problem) from None

        self._engine.trace = write


def _unwritable(path: str, problem: OSError) -> FileError:
    return FileError(f"{path}: {problem.strerror}; choose a file that can be written")


def _deliver(machine: SimMachine) -> None:
    machine.interrupt()


def _knock(machine: SimMachine) -> None:
    machine.knock_arrives()


def _check_restart(fault: Fault, faults: Sequence[Fault], blueprint: Blueprint, routes: Routes) -> None:
    """Raises UsageError for a core that cannot be restarted."""

    def refuse(why: str) -> NoReturn:
        raise UsageError(f"fault {fault}: {why}", code="fault")

    core = fault.core
    if core == routes.boot_core:
        refuse(f"core {core} is the boot core, and nobody would start it; stop, stall and skew it can have")
    if routes.children(core):
        behind = ", ".join(map(str, routes.children(core)))
        refuse(f"core {core} is the gateway of cores {behind}, which cannot be reached without it")
    if any("link" in (routes.transport(core, peer).scope, routes.transport(peer, core).scope) for peer in routes.cores):
        refuse(f"core {core} is reached over a device, whose buffers nobody clears")
    if sum(other.kind == "restart" and other.core == core for other in faults) > RESTARTS:
        refuse(f"core {core} can be restarted {RESTARTS} times: it has memory for no more")


class _Spaces:
    """What each core reaches of physical memory, and how."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._regions = sorted((memory.base, memory.size, memory.region) for memory in blueprint.memory)
        self._views: dict[tuple[str, str], list[tuple[int, int, bool]]] = {}
        for view in blueprint.views:
            found = self._views.setdefault((view.space, view.region), [])
            found.append((view.offset, view.offset + view.size, view.cacheable))
        self._islands = blueprint.interconnect.islands
        self._devices = blueprint.devices
        self._addresses = {space: Views(blueprint, space) for space in sorted({core.space for core in blueprint.cores})}

    def views(self, core: CoreEntry) -> Views:
        """The addresses that `core` itself uses."""
        return self._addresses[core.space]

    def reach(self, core: CoreEntry, address: int, size: int) -> tuple[bool, bool]:
        """Whether `core` caches `size` bytes at physical `address`, and whether they are coherent for its
        island.  LookupError when its space does not reach them."""
        for device in self._devices:
            if device.registers.base <= address < device.registers.base + device.registers.size:
                if core.space in device.spaces:
                    return False, False
                raise LookupError(f"core {core.id} does not see device {device.id}")
        for base, length, region in self._regions:
            if base <= address and address + size <= base + length:
                offset = address - base
                for low, high, cacheable in self._views.get((core.space, region), []):
                    if low <= offset and offset + size <= high:
                        island = self._islands[core.island] if core.island >= 0 else None
                        return cacheable, island is not None and region in island.regions
                raise LookupError(f"core {core.id} does not see byte {offset:#x} of region {region}")
        raise LookupError(f"no memory at physical address {address:#x}")
