"""A blueprint made by hand for the image's tests: 4 cores, 2 nodes, and the sources of its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from multikernel.blueprint import (
    SCHEMA,
    Binding,
    Blueprint,
    ChannelEntry,
    CoreEntry,
    CoreKind,
    Interconnect,
    Memory,
    PairClass,
)
from multikernel.system.environment import Code, Environment

PLUGINS = Path(__file__).parents[2] / "plugins"
PROGRAMS = Path(__file__).parent / "programs"
MIB = 1 << 20
SLOTS = 8


def sources(*programs: str) -> list[Path]:
    """The C facets of the first-party plugins, and programs of the tests."""
    folders = ("mk_x86_64", "mk_ump", "mk_monitor", "mk_programs")
    found = [path for folder in folders for path in sorted((PLUGINS / folder / "metal").iterdir())]
    return [*found, *(PROGRAMS / name for name in programs)]


async def no_monitor(environment: Environment) -> None:
    """The Python monitor of these tests, which never run one."""


def code(sources: Sequence[Path]) -> Code:
    """What a platform is given, with these C facets and nothing else."""
    return Code(drivers={}, monitor=no_monitor, transports={}, protocols={}, programs={}, metal=tuple(sources))


def channel(number: int, a: int, b: int, pair_class: str) -> ChannelEntry:
    offset = 4096 * number
    at = 16 * MIB + offset
    return ChannelEntry(number, a, b, pair_class, "ump", "dram0", offset, at, at, SLOTS)


def four_cores() -> Blueprint:
    """Cores 0 and 1 on node 0, 2 and 3 on node 1; 64 MiB each; two classes of pairs."""
    kind = CoreKind("tcg", "x86-64", 1000, 64, "little", "full", "x86-64", ())
    cores = tuple(CoreEntry(i, "tcg", "flat", i // 2, 0, i // 2, i // 2, i, "sipi" if i else "boot") for i in range(4))
    memory = (Memory("dram0", "dram", 0, 64 * MIB, 0), Memory("dram1", "dram", 64 * MIB, 64 * MIB, 1))
    classes = (
        PairClass("shared:package", 4, 0, 1, "ump", "receiver", SLOTS, "ipi"),
        PairClass("hops:1", 8, 0, 2, "ump", "receiver", SLOTS, "ipi"),
    )
    channels = (channel(0, 0, 1, "shared:package"), channel(1, 0, 2, "hops:1"), channel(2, 0, 3, "hops:1"))
    wires = Interconnect((), (0, 1), (), (), (), ())
    bound = Binding("monitor", "user-mode", "multikernel-kit", "0", "0")
    return Blueprint(
        schema=SCHEMA,
        board="x86-qemu",
        board_hash="0" * 64,
        bindings=(bound,),
        kinds=(kind,),
        cores=cores,
        memory=memory,
        views=(),
        interconnect=wires,
        pair_classes=classes,
        channels=channels,
        trees=(),
        boot_core=0,
        boot=(),
    )


def with_broken_core(blueprint: Blueprint, core: int) -> Blueprint:
    """The same, with a core that its board says never starts."""
    return replace(
        blueprint,
        cores=tuple(replace(c, fails="does not start") if c.id == core else c for c in blueprint.cores),
    )
