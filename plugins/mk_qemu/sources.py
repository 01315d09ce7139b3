"""Which C sources an image of a blueprint is made of: the C facets of the plugins bound in it, and of
every installed program, since the run names those later.

May not know: what is in the sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from multikernel.blueprint import Blueprint
from multikernel.errors import PlatformError
from multikernel.registry import Plugin, Registry
from multikernel.spec import CpuDriverSpec, MonitorSpec, ProgramSpec, TransportSpec


def bound_sources(blueprint: Blueprint, registry: Registry | None = None) -> list[Path]:
    """Without a registry, of what is installed.  Raises PlatformError for a bound plugin without a C facet."""
    known = registry or Registry.load()
    return list(dict.fromkeys(_facets(blueprint, known)))


def _facets(blueprint: Blueprint, known: Registry) -> Iterator[Path]:
    for binding in blueprint.bindings:
        name = binding.plugin
        match binding.slot.partition(":")[0]:
            case "cpu-driver":
                yield from _facet(binding.slot, known.cpu_drivers.get(name), known.cpu_drivers.origin(name))
            case "monitor":
                yield from _facet(binding.slot, known.monitors.get(name), known.monitors.origin(name))
            case "transport":
                yield from _facet(binding.slot, known.transports.get(name), known.transports.origin(name))
            case _:
                continue  # consistency protocols and the SKB's backend have no code on this platform
    for program in known.programs:
        if program.metal:
            yield from _facet("program", program, known.programs.origin(program.name))


def _facet(
    slot: str, spec: CpuDriverSpec | MonitorSpec | TransportSpec | ProgramSpec, plugin: Plugin
) -> Iterator[Path]:
    if not spec.metal or plugin.path is None:
        raise PlatformError(
            f"{slot}: {spec.name!r} of {plugin.distribution} has no C facet, so it cannot run on bare metal; bind "
            "another in the board, or use --platform sim"
        )
    for name in spec.metal:
        yield plugin.path / name
