"""One run of a campaign: a kernel booted on the simulator, clients let loose on one object, the run judged.

    subject = Subject.of(board, object)
    run = trial(subject, schedule)         what came of it
    replay("mesh:3x1", "store", seed=7, faults=("stop:1@run+20us",)) -> what is violated, or ""

The same subject and schedule give the same digest, in any process.

May not know: how schedules are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import permutations

from multikernel.assemble import assemble
from multikernel.blueprint import Blueprint
from multikernel.campaign.judge import Story, Violation, judge
from multikernel.campaign.schedules import Schedule, Work
from multikernel.errors import BootTimeout, ProgramFailed, UsageError
from multikernel.events import CallEnded, FaultStruck
from multikernel.faults import Fault, parse
from multikernel.interfaces import BootOptions, FaultyPlatform, Reached
from multikernel.kernel import Multikernel
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.routes import Routes

PROGRAM = "clients"
OBJECTS = ("log", "store", "load", "reservation", "shootdown")
"""What that program knows to ask for."""
TIMEOUT_NS = 5_000_000_000
"""Virtual time of a run: far more than the program waits for who says nothing."""
PATIENCE_US = 100_000
"""How long the program waits for clients of which it hears nothing."""
SETTLE_US = 100_000
"""What replicas have to come to hold the same after the last call: a thousand ticks of a peer's timers."""


@dataclass(frozen=True)
class Subject:
    """What is tried: an object of a kernel, that `holders` hold by the protocol of `spec`.  `relays` are the cores
    through which others reach each other, as no memory joins those."""

    blueprint: Blueprint
    registry: Registry
    object: str
    spec: ConsistencyProtocolSpec
    holders: tuple[int, ...]
    relays: tuple[int, ...] = ()

    @staticmethod
    def of(board: str, name: str, registry: Registry | None = None) -> Subject:
        """The object `name` on a board of that name or path, with the plugins that are installed, or these.  Raises
        UsageError naming the objects there are, and what `assemble` raises."""
        registry = Registry.load() if registry is None else registry
        blueprint = assemble(board, registry, platform="sim")
        routes = Routes(blueprint)
        bound = {b.slot.partition(":")[2]: b.plugin for b in blueprint.bindings if b.slot.startswith("consistency:")}
        there = [each for each in bound if each in OBJECTS]
        if name not in there:
            raise UsageError(
                f"clients ask for no object {name!r} on {blueprint.board}; there are: {', '.join(there) or 'none'}",
                code="unknown-name",
            )
        spec = registry.consistency_protocols.get(bound[name])
        return Subject(blueprint, registry, name, spec, routes.holders(name), _relays(routes))

    def possible(self, schedule: Schedule) -> Schedule:
        """The schedule without the faults that cannot happen on this kernel, as a restart of a core behind a device."""
        platform = self.registry.platforms.get("sim").factory()
        kept: list[Fault] = []
        for fault in schedule.faults:
            if isinstance(platform, FaultyPlatform):
                with suppress(UsageError):
                    platform.check(self.blueprint, BootOptions(faults=(*kept, fault)))
                    kept.append(fault)
        return replace(schedule, faults=tuple(kept))


def _relays(routes: Routes) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for a, b in permutations(routes.cores, 2):
        if routes.transport(a, b).scope != "channel":
            while (a := routes.next_hop(a, b)) != b:
                found[a] = None
    return tuple(found)


@dataclass(frozen=True)
class Run:
    """What came of a schedule: whether its history could be `decided`, how many calls were `answered`, the faults that
    struck, the steps of protocols that were reached, the virtual time from the start of the program to the last
    answer."""

    schedule: Schedule
    digest: str
    violation: Violation | None
    decided: bool
    answered: int
    struck: tuple[str, ...]
    reached: tuple[Reached, ...]
    messages: int
    span_ns: int


def trial(subject: Subject, schedule: Schedule) -> Run:
    """See the module.  Raises UsageError for a fault that cannot happen on this kernel."""
    options = BootOptions(
        seed=schedule.seed,
        timeout_ns=TIMEOUT_NS,
        faults=schedule.faults,
        jitter_ns=schedule.jitter_ns,
        observe=True,
    )
    kernel = Multikernel(subject.blueprint, subject.registry)
    problem, broken, begun = "", False, 0
    work = schedule.work
    try:
        kernel.boot("sim", options)
        begun = kernel.events[-1].at_ns
        kernel.run(
            PROGRAM,
            object=subject.object,
            calls=work.calls,
            cores=work.cores,
            outstanding=work.outstanding,
            keys=work.keys,
            changes=work.changes,
            tree=work.tree,
            patience_us=PATIENCE_US,
            settle_us=SETTLE_US,
        )
    except ProgramFailed as error:
        problem, broken = str(error), True
    except BootTimeout as error:
        problem = str(error)
    outcome = kernel.stop()
    judgement = judge(
        Story(
            subject.object,
            subject.holders,
            subject.blueprint.boot_core,
            subject.spec,
            kernel.events,
            problem,
            broken,
            work.changes,
            subject.relays,
        )
    )
    struck = tuple(event.text for event in kernel.events if isinstance(event, FaultStruck) and not event.over)
    answered = sum(isinstance(event, CallEnded) and event.accepted for event in kernel.events)
    span_ns = max((event.at_ns for event in kernel.events if isinstance(event, CallEnded)), default=begun) - begun
    return Run(
        schedule,
        outcome.digest,
        judgement.violation,
        judgement.decided,
        answered,
        struck,
        outcome.reached,
        outcome.messages,
        span_ns,
    )


def replay(
    board: str,
    object: str,
    seed: int,
    faults: Sequence[str] = (),
    jitter_ns: int = 0,
    calls: int = 4,
    cores: int = 0,
    outstanding: int = 4,
    keys: int = 2,
    changes: int = 0,
    tree: str = "",
) -> str:
    """A run done again, as `mkit campaign` writes it down: what is violated, or ""."""
    work = Work(calls, cores, outstanding, keys, changes, tree)
    schedule = Schedule(seed, jitter_ns, tuple(map(parse, faults)), work)
    violation = trial(Subject.of(board, object), schedule).violation
    return f"{violation.name}: {violation.how}" if violation else ""
