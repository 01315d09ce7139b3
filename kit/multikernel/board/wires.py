"""Sections about memory and what joins the machine: regions, spaces, distances, links, notify,
devices, latency.

May not know: YAML, other sections; references between sections are checked in `references.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from multikernel.board.cores import Section
from multikernel.board.units import Bytes, CoreSet, Count, Flag, Integer, Name, Positive, Text

RegionKind = Literal["dram", "hbm", "sram", "tcm", "cxl", "device"]
ClassName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:>+-]*$")]


class RegionRow(Section):
    """Memory.  `base` is its address in the space `phys`, unless that space's maps say it."""

    id: Name
    kind: RegionKind = "dram"
    size: Annotated[Bytes, Field(gt=0)]
    base: Bytes | None = None
    node: Count | None = None


class MapRow(Section):
    """`size` bytes from `base` of a space reach `to` (a region, a device or a space) from `at` on."""

    base: Bytes
    size: Annotated[Bytes, Field(gt=0)]
    to: Name
    at: Bytes = 0
    cacheable: Flag = True


class SpaceRow(Section):
    """A decoding net: what an address means to those who issue it.  What no map takes goes to
    `overlay`, unchanged.  `bits` bounds the addresses."""

    bits: Annotated[Positive, Field(le=64)] = 64
    overlay: Name | None = None
    maps: tuple[MapRow, ...] = ()


class DistanceRow(Section):
    """A matrix over nodes, as firmware states it (`slit`).  Row: from, column: to."""

    what: Literal["slit"]
    ids: tuple[Count, ...]
    matrix: tuple[tuple[Integer, ...], ...]
    source: Text | None = None


class LinkRow(Section):
    """A link between `node<id>`s or devices.  Bandwidth in MB/s (10^6) each way."""

    a: Name
    b: Name
    kind: Name
    coherent: Flag = False
    width: Positive | None = None
    bandwidth_mbs: Positive | None = None
    latency_ns: Positive | None = None
    source: Text | None = None


class NotifyRow(Section):
    """How cores `src` wake cores `dst`."""

    src: CoreSet
    dst: CoreSet
    via: Name
    device: Name | None = None
    slots: Positive | None = None


class DeviceRow(Section):
    """A device; `cores` are those on it, `regions` its own memory, `near` the cores next to it."""

    id: Name
    cls: Name
    bus: Text | None = None
    compatible: tuple[Text, ...] = ()
    node: Count | None = None
    iommu: Name | None = None
    dma_space: Name | None = None
    cores: CoreSet = ()
    regions: tuple[Name, ...] = ()
    near: CoreSet = ()


class LatencyRow(Section):
    """One-way latency of a message between any two cores of the pair class `cls`.  `unit` cycles are the
    sender's.  `status` says how far to trust it.  Throughput is a prediction, never an input."""

    cls: ClassName
    mean: Positive
    sd: Count
    unit: Literal["cycles", "ns"] = "cycles"
    status: Literal["measured", "published", "recalled", "extrapolated", "assumed"]
    source: Text


class LatencySection(Section):
    """`method` says how the figures were got."""

    method: Text
    classes: tuple[LatencyRow, ...]
