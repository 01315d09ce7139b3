"""A board's devices, resolved.

    Device, Bar, Aperture

May not know: pydantic, YAML, who drives a device.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """A window a PCI function asks for: `size` bytes, a power of two, at an address of `bits`."""

    size: int
    bits: int
    prefetchable: bool


@dataclass(frozen=True, slots=True)
class Aperture:
    """Addresses of `phys` a PCI host bridge passes on: where windows may be placed."""

    base: int
    size: int
    prefetchable: bool


@dataclass(frozen=True, slots=True)
class Device:
    """See `wires.DeviceRow`.  Empty, and -1 for a figure, where the board does not say; `irqs` is 0 then."""

    id: str
    cls: str
    bus: str
    compatible: tuple[str, ...]
    node: int
    iommu: str
    dma_space: str
    cores: tuple[int, ...]
    regions: tuple[str, ...]
    near: tuple[int, ...]
    irqs: int
    msi: bool
    bars: tuple[Bar, ...]
    bridge: str
    apertures: tuple[Aperture, ...]
    channels: int
