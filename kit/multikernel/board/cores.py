"""Sections about cores: kinds, cores, groups, nodes, coherence islands.

May not know: YAML, other sections; references between sections are checked in `references.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from multikernel.board.units import Bytes, CoreSet, Count, Integer, MHz, Name, Positive, Text


class Section(BaseModel):
    """Every section: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CostRow(Section):
    """A named cost in cycles of its kind.  `max_cycles`: the source gives a range and `cycles` is its
    least value."""

    cycles: Count
    max_cycles: Count | None = None
    source: Text


class KindRow(Section):
    """A kind of core.  `mhz` clock; `word` bits; `hosts` what may run on it; `tlb_entries` of the data
    TLB for small pages, `store_buffer` stores and `outstanding` misses in flight, None where not known."""

    isa: Name
    uarch: Name | None = None
    mhz: MHz
    word: Literal[64, 32] = 64
    endian: Literal["little", "big"] = "little"
    mmu: Literal["full", "mpu", "none"] = "full"
    hosts: Literal["cpu-driver", "app-core", "offload"] = "cpu-driver"
    tlb_entries: Positive | None = None
    store_buffer: Positive | None = None
    outstanding: Positive | None = None
    costs: dict[Name, CostRow] = Field(default_factory=dict)


class CoreRow(Section):
    """Cores that are alike.  `hardware_id_offset` plus its id is what the hardware calls a core (APIC
    id, MPIDR, CPU number); `start` how it is started (boot, sipi, psci, remoteproc, fork);
    `fails` says why these cores are known not to start."""

    ids: CoreSet
    kind: Name
    space: Name = "phys"
    start: Name = "unstated"
    fails: Text | None = None
    hardware_id_offset: Integer = 0


class GroupRow(Section):
    """Sets of cores that share something (L2, L3, package, ...): flat, of one level disjoint.
    `size` is that of the shared cache."""

    level: Name
    size: Bytes | None = None
    sets: tuple[CoreSet, ...]


class NodeRow(Section):
    """A NUMA node: cores and memory side by side."""

    id: Count
    cores: CoreSet = ()
    regions: tuple[Name, ...] = ()


class IslandRow(Section):
    """Cores that keep each other's caches coherent.  No `regions` means every memory region that no
    other island names.  `line` in bytes."""

    cores: CoreSet
    regions: tuple[Name, ...] | None = None
    line: Positive = 64
    protocol: Literal["bus", "probe-broadcast", "probe-filter", "directory"] | None = None


class ProvenanceRow(Section):
    """Where the board's content comes from."""

    source: Text
    file: Text | None = None
    note: Text | None = None
