"""Two simulated cores share the blueprint, code and the ports of the machine, and nothing else.

A walk over everything reachable from each core's CPU driver: what two cores both reach must be one of those or
something that cannot change.  The machine's shared parts (engine, caches, memory, the platform that joins
them) are the ports; the walk does not go into them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from itertools import combinations
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)

import pytest

from multikernel import Multikernel
from multikernel.blueprint import Blueprint
from multikernel.system.driver import CpuDriver
from multikernel.system.environment import Code
from multikernel.system.layout import Layout
from multikernel.system.physical_memory import SparseMemory
from multikernel.system.routes import Routes

PORTS = (
    "mk_sim.engine_python.Engine", "mk_sim._engine.Engine",
    "mk_sim.caches.Caches", "mk_sim._engine.Caches",
    "mk_sim.coherence.Coherence", "mk_sim.platform.Simulation", "mk_sim.wires.Wires",
)  # fmt: skip
SHARED = (Blueprint, Layout, Routes, Code, SparseMemory)
CODE = (
    type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, MethodDescriptorType, WrapperDescriptorType,
    property, staticmethod, classmethod, type(lru_cache(lambda: None)),
)  # fmt: skip
ATOMS = (int, str, bytes, float, bool, type(None), Enum, MappingProxyType, frozenset, range)


def name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def is_boundary(thing: object) -> bool:
    """Blueprint, code, ports and constants: shared, and not walked into."""
    return isinstance(thing, (*CODE, *ATOMS, *SHARED)) or name(thing) in PORTS


def cannot_change(thing: object) -> bool:
    if isinstance(thing, tuple):
        return True
    return is_dataclass(thing) and vars(type(thing))["__dataclass_params__"].frozen


def reachable(root: object) -> dict[int, object]:
    """Everything `root` leads to, by identity."""
    found: dict[int, object] = {}
    open_ = [root]
    while open_:
        thing = open_.pop()
        if id(thing) in found or is_boundary(thing):
            continue
        found[id(thing)] = thing
        open_.extend(gc.get_referents(thing))
    return found


def drivers(kernel: Multikernel) -> Iterator[CpuDriver]:
    """Those of this kernel: its blueprint's rows are its own."""
    rows = {id(core) for core in kernel.blueprint.cores}
    for thing in gc.get_objects():
        if isinstance(thing, CpuDriver) and id(thing.machine.core) in rows:
            yield thing


def shared_between(kernel: Multikernel) -> list[str]:
    gc.collect()
    walks = {driver.machine.core.id: reachable(driver) for driver in drivers(kernel)}
    assert sorted(walks) == [core.id for core in kernel.blueprint.cores]
    assert all(len(walk) > 200 for walk in walks.values())
    return sorted(
        f"{a} and {b}: {name(thing)}"
        for (a, ours), (b, theirs) in combinations(sorted(walks.items()), 2)
        for identity, thing in ours.items()
        if identity in theirs and not cannot_change(thing)
    )


@pytest.mark.kernel("x86-qemu", "zcu102")
def test_cores_share_only_blueprint_code_and_ports(kernel: Multikernel) -> None:
    kernel.run("ping", rounds=3, messages=32)
    kernel.run("unmap", pages=1)
    assert shared_between(kernel) == []


@pytest.mark.kernel("x86-qemu")
def test_a_list_that_two_cores_reach_is_found(kernel: Multikernel) -> None:
    planted: list[int] = []
    for driver in drivers(kernel):
        if driver.machine.core.id in (1, 3):
            vars(driver)["planted"] = planted
    assert shared_between(kernel) == ["1 and 3: builtins.list"]
