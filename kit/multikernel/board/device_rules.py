"""The section `devices`: ids that dangle, PCI windows that no bridge holds, apertures over memory.

    device_faults(board, spot) -> Iterator[Fault]
    aperture_faults(board, spot) -> Iterator[Fault]     on a board that holds together

May not know: YAML, drivers, where a window is placed in the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.board.checks import cores_of, duplicates, strangers, unknown
from multikernel.board.marks import Spot
from multikernel.board.model import Board
from multikernel.board.shape import Fault, Path
from multikernel.board.spaces import ROOT
from multikernel.board.wires import ApertureRow, BarRow, DeviceRow

BRIDGE = "pci-host"
"""The class of the devices that have apertures."""
REGISTERS = 6
"""Base address registers of a PCI function; a window of 64 bits takes two (PCI Local Bus 3.0, 6.2.5.1)."""


def device_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Ids that dangle, windows that no bridge can hold."""
    known = cores_of(board)
    nodes = {row.id for row in board.nodes}
    regions = {row.id for row in board.regions}
    devices = {row.id: row for row in board.devices}
    spaces = {ROOT, *board.spaces}
    yield from duplicates(spot, "devices", (row.id for row in board.devices))
    for index, device in enumerate(board.devices):
        path = ("devices", index)
        if device.node is not None and device.node not in nodes:
            yield unknown(spot, (*path, "node"), "unknown-node", str(device.node), map(str, nodes))
        yield from strangers(spot, (*path, "cores"), device.cores, known)
        yield from strangers(spot, (*path, "near"), device.near, known)
        if device.dma_space is not None and device.dma_space not in spaces:
            yield unknown(spot, (*path, "dma_space"), "unknown-space", device.dma_space, spaces)
        for place, name in enumerate(device.regions):
            if name not in regions:
                yield unknown(spot, (*path, "regions", place), "unknown-region", name, regions)
        for key, other in (("bridge", device.bridge), ("iommu", device.iommu)):
            if other is not None and other not in devices:
                yield unknown(spot, (*path, key), "unknown-device", other, devices)
        if device.bridge in devices and devices[device.bridge].cls != BRIDGE:
            message = f"{device.bridge!r} is a {devices[device.bridge].cls}, not a {BRIDGE}"
            yield Fault(spot.find((*path, "bridge")), "not-a-bridge", message)
        if device.apertures and device.cls != BRIDGE:
            message = f"{device.id!r} is a {device.cls}; apertures are those of a {BRIDGE}"
            yield Fault(spot.find_key((*path, "apertures")), "not-a-bridge", message)
        yield from _bars(device, devices.get(device.bridge or ""), path, spot)


def _bars(device: DeviceRow, bridge: DeviceRow | None, path: Path, spot: Spot) -> Iterator[Fault]:
    if sum(bar.bits // 32 for bar in device.bars) > REGISTERS:
        message = f"{device.id!r} needs more than the {REGISTERS} registers of a function; one of 64 bits takes two"
        yield Fault(spot.find((*path, "bars")), "bar-count", message)
    for place, bar in enumerate(device.bars):
        where = spot.find((*path, "bars", place, "size"))
        if bar.size & (bar.size - 1):
            yield Fault(where, "bar-size", f"{bar.size:#x} bytes is no power of two")
        elif bridge and bridge.cls == BRIDGE and not any(_fits(bar, aperture) for aperture in bridge.apertures):
            kind = f"{bar.bits}-bit {'' if bar.prefetchable else 'not '}prefetchable"
            message = f"no aperture of {bridge.id!r} holds {bar.size:#x} bytes, {kind}, at a multiple of that"
            yield Fault(where, "bar-outside", message)


def _fits(bar: BarRow, aperture: ApertureRow) -> bool:
    """A window may be placed there, were it the only one: aligned to its size, below 4 GiB when it has 32 bits.
    Only a prefetchable one may lie in a prefetchable aperture (PCI-to-PCI Bridge 1.2, 3.2.5)."""
    first = -(-aperture.base // bar.size) * bar.size
    end = first + bar.size
    fetch = bar.prefetchable or not aperture.prefetchable
    return fetch and end <= aperture.base + aperture.size and end <= 1 << bar.bits


def aperture_faults(board: Board, spot: Spot) -> Iterator[Fault]:
    """Apertures over each other, or over memory that is no device's; on a board that holds together."""
    regions = {row.id for row in board.regions if row.kind != "device"}
    memory = regions.difference(name for device in board.devices for name in device.regions)
    spans: list[tuple[int, int, str, Path]] = [
        (window.address, window.size, f"region {window.region!r}", ())
        for window in board.topology().spaces.windows(ROOT)
        if window.region in memory
    ]
    spans += [
        (row.base, row.size, f"an aperture of {device.id!r}", ("devices", index, "apertures", place, "base"))
        for index, device in enumerate(board.devices)
        for place, row in enumerate(device.apertures)
    ]
    top, holder = 0, ""
    held: Path = ()
    told: set[Path] = set()
    for base, size, what, path in sorted(spans):
        if base < top and (path or held) not in told:
            told.add(path or held)
            message = f"{what} at {base:#x} lies over {holder}, which ends at {top:#x}"
            yield Fault(spot.find(path or held), "aperture-overlap", message)
        if base + size > top:
            top, holder, held = base + size, what, path
