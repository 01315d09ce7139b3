"""Sections about memory and what joins the machine: regions, spaces, distances, links, notify,
devices, channels, latency.

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
    """How cores `src` wake cores `dst`.  Of a mailbox: `slots` messages at once, each of `bytes`."""

    src: CoreSet
    dst: CoreSet
    via: Name
    device: Name | None = None
    slots: Positive | None = None
    bytes: Positive | None = None


class BarRow(Section):
    """A window a PCI function asks for, at an address of `bits`.  `size` is a power of two from 16 bytes on
    (PCI Local Bus 3.0, 6.2.5.1)."""

    size: Annotated[Bytes, Field(ge=16)]
    prefetchable: Flag = False
    bits: Literal[32, 64] = 32


class ApertureRow(Section):
    """Addresses of `phys` that a PCI host bridge passes on: where windows may be placed."""

    base: Bytes
    size: Annotated[Bytes, Field(gt=0)]
    prefetchable: Flag = False


class DeviceRow(Section):
    """A device; `cores` are those on it, `regions` its own memory, `near` the cores next to it.  `irqs` how many
    interrupts (or `msi` vectors) it raises; `channels` the queues of a DMA engine or units of a mailbox.  A PCI
    function names its host `bridge` (a device of class pci-host, which has the `apertures`) and its `bars`."""

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
    irqs: Count | None = None
    msi: Flag = False
    bars: tuple[BarRow, ...] = ()
    bridge: Name | None = None
    apertures: tuple[ApertureRow, ...] = ()
    channels: Positive | None = None


class SideRow(Section):
    """One side of a fixed channel.  `address` is what its core issues; `line` bytes of its cache's lines; `cached`
    whether it caches the channel; `endian` its byte order; `doorbell`: it can ring the other side."""

    core: Count
    address: Bytes
    line: Positive | None = None
    cached: Flag | None = None
    endian: Literal["little", "big"] | None = None
    doorbell: Flag = False


class ChannelRow(Section):
    """A channel that firmware, or a table written by hand, fixes: `size` bytes of `region`, from where side a's
    address leads unless `offset` says it, for `slots` messages each way.  Side a writes the first half."""

    region: Name
    offset: Bytes | None = None
    size: Annotated[Bytes, Field(gt=0)]
    slots: Positive
    transport: Name = "auto"
    a: SideRow
    b: SideRow


Unit = Literal["cycles", "ns"]
Status = Literal["measured", "published", "recalled", "extrapolated", "assumed"]


class LatencyRow(Section):
    """One-way latency of a message between any two cores of the pair class `cls`.  `unit` cycles are the
    sender's.  `home`: where the node that homes the line lies; without it, wherever.  `count` is of pairs or
    samples.  `status` says how far to trust it.  Throughput is a prediction, never an input."""

    cls: ClassName
    home: Literal["receiver", "sender", "elsewhere"] | None = None
    mean: Positive
    sd: Count
    min: Positive | None = None
    max: Positive | None = None
    p99: Positive | None = None
    count: Positive | None = None
    unit: Unit = "cycles"
    status: Status
    source: Text


class OffsetRow(Section):
    """What each of `cores` adds to a class's latency, once as the sender and once as the receiver; less than
    nothing where it is nearer than most.  `unit` cycles are its own."""

    cores: CoreSet
    plus: Integer
    unit: Unit = "ns"
    status: Status
    source: Text


class LatencyMatrixRow(Section):
    """One-way latencies of pairs, one by one; they go before classes and offsets.  Row: from, column: to;
    nothing between a core and itself.  `unit` cycles are the sender's."""

    ids: tuple[Count, ...]
    unit: Unit = "ns"
    status: Status
    source: Text
    matrix: tuple[tuple[Integer, ...], ...]


class LatencySection(Section):
    """`method` says how the figures were got."""

    method: Text
    classes: tuple[LatencyRow, ...] = ()
    offsets: tuple[OffsetRow, ...] = ()
    matrix: LatencyMatrixRow | None = None
