"""The C facets of what a blueprint binds: which sources a bare-metal platform builds from.

    metal_sources(blueprint, registry) -> paths, in the order of the bindings, each once

A spec's `metal` names files in the folder `metal` of its plugin.  Programs count whether or not the
blueprint starts them, since a run names them later.  What has no facet is left out: assembly for such a
platform has not chosen it, and a platform that lacks a part says so.

May not know: what is in the sources, any platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from multikernel.blueprint import Blueprint
from multikernel.registry import Plugin, Registry
from multikernel.spec import Spec


def metal_sources(blueprint: Blueprint, registry: Registry) -> tuple[Path, ...]:
    """See the module.  Raises UsageError naming the near ones for a plugin that is not installed."""
    return tuple(dict.fromkeys(path for spec, plugin in _bound(blueprint, registry) for path in _facet(spec, plugin)))


def _bound(blueprint: Blueprint, registry: Registry) -> Iterator[tuple[Spec, Plugin]]:
    for kind in blueprint.kinds:
        yield registry.cpu_drivers.get(kind.driver), registry.cpu_drivers.origin(kind.driver)
    monitor = blueprint.bound("monitor").plugin
    yield registry.monitors.get(monitor), registry.monitors.origin(monitor)
    for pair_class in blueprint.pair_classes:
        yield registry.transports.get(pair_class.transport), registry.transports.origin(pair_class.transport)
    for program in registry.programs:
        yield program, registry.programs.origin(program.name)


def _facet(spec: Spec, plugin: Plugin) -> Iterator[Path]:
    if plugin.path is not None:
        for name in spec.metal:
            yield plugin.path / "metal" / name
