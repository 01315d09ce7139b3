"""An assembled kernel: boot, run programs, inspect, stop.

    kernel = Multikernel(assemble("paper-8x4-amd"))
    kernel.boot(platform="sim")
    rows = kernel.run("ping")
    outcome = kernel.stop()

Also a context manager.  What happens is kept as events (`events`) and told to `observer` as it happens.

May not know: any platform or plugin but through the registry.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType

from multikernel.blueprint import Blueprint
from multikernel.errors import LocalMisuse, ProgramFailed, UsageError
from multikernel.events import (
    CoreFailed,
    CoreUp,
    Event,
    FactAsserted,
    FaultStruck,
    MonitorJoined,
    ProgramDone,
    ProgramRaised,
)
from multikernel.facets import metal_sources
from multikernel.interfaces import BootOptions, FaultyPlatform, Outcome, Session
from multikernel.knowledge.facts import Fact, Source
from multikernel.registry import Registry
from multikernel.results import CoreState, Result
from multikernel.spec import ProgramSpec
from multikernel.system.environment import Code


def resolve(blueprint: Blueprint, registry: Registry) -> Code:
    """The factories behind the blueprint's names.  Raises UsageError naming the near ones for a plugin, or a
    program of the boot list, that is not installed."""
    for name in blueprint.boot:
        registry.programs.get(name)
    monitor = registry.monitors.get(blueprint.bound("monitor").plugin)
    drivers = {kind.name: registry.cpu_drivers.get(kind.driver) for kind in blueprint.kinds}
    names = sorted({pair.transport for pair in blueprint.pair_classes} | {"lmp"})
    transports = {name: registry.transports.get(name) for name in names}
    protocols = {
        binding.slot.partition(":")[2]: registry.consistency_protocols.get(binding.plugin)
        for binding in blueprint.bindings
        if binding.slot.startswith("consistency:")
    }
    kinds = {kind.name: kind for kind in blueprint.kinds}
    return Code(
        drivers={name: partial(spec.factory, kinds[name]) for name, spec in drivers.items()},
        monitor=monitor.factory,
        transports={name: spec.factory for name, spec in transports.items()},
        protocols={name: spec.factory for name, spec in protocols.items()},
        programs={spec.name: spec.factory for spec in registry.programs},
        metal=metal_sources(blueprint, registry),
    )


def check_parameters(program: ProgramSpec, given: Mapping[str, int | str]) -> None:
    """Raises UsageError naming the near ones for a parameter `program` does not take, or one that must be an
    integer and is not."""
    if program.parameters is None:
        return
    known = dict(program.parameters)
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known)
            hint = f" (did you mean {', '.join(near)}?)" if near else ""
            text = f"program {program.name} takes no parameter {name!r}{hint}; it takes: {', '.join(known) or 'none'}"
            raise UsageError(text, code="unknown-name")
        if known[name] is int and re.fullmatch(r"-?[0-9]+", str(value)) is None:
            raise UsageError(f"program {program.name}: {name} must be an integer, not {value!r}")


class Multikernel:
    """See the module.  `blueprint` is what is booted; `registry` defaults to what is installed."""

    def __init__(
        self, blueprint: Blueprint, registry: Registry | None = None, observer: Callable[[Event], None] | None = None
    ) -> None:
        self.blueprint = blueprint
        self.events: list[Event] = []
        self.platform = ""
        self.seed = 0
        self._registry = registry if registry is not None else Registry.load()
        self._observer = observer
        self._session: Session | None = None

    def boot(self, platform: str = "sim", options: BootOptions | None = None) -> Multikernel:
        """Bring the kernel up on `platform`.  Raises UsageError for an unknown platform or faults that it does not
        have, PlatformError when it cannot run here, BootTimeout when the kernel does not come up.  Returns itself."""
        if self._session is not None:
            raise LocalMisuse("the kernel is already up")
        options = options if options is not None else BootOptions()
        self.platform, self.seed = platform, options.seed
        built = self._registry.platforms.get(platform).factory()
        if options.faults or options.jitter_ns or options.observe:
            if not isinstance(built, FaultyPlatform):
                raise UsageError(
                    f"faults and jitter are simulated, on platform sim and not on {platform}", code="fault"
                )
            built.check(self.blueprint, options)
        self._session = built.boot(self.blueprint, resolve(self.blueprint, self._registry), options, self._observe)
        return self

    def run(self, program: str, **parameters: int | str) -> Result:
        """Run `program` on the boot core to its end.  Raises UsageError for a program that is not installed
        or a parameter it does not take, ProgramFailed when it, or a dispatcher it started, raised."""
        if self._session is None:
            raise LocalMisuse("the kernel is not up: call boot() first")
        check_parameters(self._registry.programs.get(program), parameters)
        start = len(self.events)
        self._session.run(program, [(name, str(value)) for name, value in sorted(parameters.items())])
        for event in self.events[start:]:
            if isinstance(event, ProgramRaised) and event.name == program:
                raise ProgramFailed(
                    f"program {program} raised on core {event.core} in {event.dispatcher} at {event.at_ns} ns: "
                    f"{event.error}",
                    program=program, core=event.core, dispatcher=event.dispatcher, at_ns=event.at_ns,
                )  # fmt: skip
            if isinstance(event, ProgramDone) and event.name == program:
                return Result(event.rows)
        raise LocalMisuse(f"program {program} ended without a result")

    def facts(self) -> tuple[Fact, ...]:
        """What programs found out about the machine, in the order they told it; `assemble` binds by it."""
        told = (event for event in self.events if isinstance(event, FactAsserted))
        return tuple(
            Fact(event.predicate, event.values, Source("measured", f"{event.name} on {self.platform}"), number)
            for number, event in enumerate(told, 1)
        )

    def cores(self) -> list[CoreState]:
        """Every core of the blueprint and how it is: `joined`, `up`, `stopped`, `failed` or `off`."""
        states = {core.id: "off" for core in self.blueprint.cores}
        for event in self.events:
            if isinstance(event, CoreUp):
                states[event.core] = "up"
            elif isinstance(event, MonitorJoined):
                states[event.core] = "joined"
            elif isinstance(event, CoreFailed):
                states[event.core] = "failed"
            elif isinstance(event, FaultStruck) and event.stops:
                states[event.core] = "stopped"
        kinds = {kind.name: kind for kind in self.blueprint.kinds}
        return [
            CoreState(core.id, kinds[core.kind].isa, kinds[core.kind].driver, states[core.id])
            for core in self.blueprint.cores
        ]

    def stop(self) -> Outcome:
        """Power off in order; idempotent."""
        if self._session is None:
            raise LocalMisuse("the kernel is not up")
        return self._session.stop()

    def __enter__(self) -> Multikernel:
        return self if self._session is not None else self.boot()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _observe(self, event: Event) -> None:
        self.events.append(event)
        if self._observer is not None:
            self._observer(event)
