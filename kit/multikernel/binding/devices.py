"""Devices that carry messages between cores, as the blueprint has them.

Interface: `carriers(board, classes) -> tuple[DeviceEntry, ...]`, the devices that the classes of pairs name;
`check_reach(blueprint)`, that those which copy reach the memory of the cores they serve.

Invariant: every core of an entry has a window of registers towards every other; nothing is quadratic in cores.
May not know: plugins, why a device was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.blueprint import Blueprint, Buffers, DeviceEntry, PairClass, Span
from multikernel.board.devices import Device
from multikernel.board.model import Board
from multikernel.board.spaces import ROOT
from multikernel.errors import BindingError, LocalMisuse
from multikernel.interfaces import LINE
from multikernel.system.layout import Layout
from multikernel.system.registers import WINDOW
from multikernel.system.routes import Routes


def carriers(board: Board, classes: Sequence[PairClass]) -> tuple[DeviceEntry, ...]:
    """One entry a device, by id.  Raises BindingError where its registers have no address or too little room."""
    slots = {entry.device: f"transport:{entry.name}" for entry in classes if entry.device}
    return tuple(_entry(board, board.topology().device(name), slots[name]) for name in sorted(slots))


def _entry(board: Board, device: Device, slot: str) -> DeviceEntry:
    topology = board.topology()
    spaces = tuple(
        space for space in sorted({core.space for core in topology.cores}) if topology.spaces.sees(space, device.id)
    )
    buffers = tuple(
        Buffers(tuple(sorted(row.src)), tuple(sorted(row.dst)), row.slots, row.bytes)
        for row in topology.notifications
        if row.via == "mailbox" and row.device == device.id
    )
    served = {core for row in buffers for core in (*row.src, *row.dst)}
    cores = tuple(core.id for core in topology.cores if core.space in spaces and (core.id in served or not buffers))
    link = next((row for row in board.links if device.id in (row.a, row.b)), None)
    return DeviceEntry(
        id=device.id,
        cls=device.cls,
        registers=_registers(board, device, len(cores), slot),
        spaces=spaces,
        cores=cores,
        near=tuple(sorted({*device.cores, *device.near})),
        buffers=buffers,
        reaches=_reaches(board, device),
        channels=device.channels,
        latency_ps=link.latency_ns * 1000 if link is not None and link.latency_ns else -1,
        bandwidth_mbs=link.bandwidth_mbs or -1 if link is not None else -1,
    )


def _registers(board: Board, device: Device, cores: int, slot: str) -> Span:
    """Where in the physical space; with room for a window for each directed pair."""
    at = board.where("devices", next(i for i, row in enumerate(board.devices) if row.id == device.id))
    windows = [window for window in board.topology().spaces.windows(ROOT) if window.region == device.id]
    if not windows:
        raise BindingError(
            f"{at}: device {device.id} carries messages, but no map of space {ROOT} reaches its registers: add one",
            slot=slot,
        )
    needed = cores * cores * WINDOW * LINE
    if windows[0].size < needed:
        raise BindingError(
            f"{at}: device {device.id} has {windows[0].size} bytes of registers; {cores} cores need {needed}", slot=slot
        )
    return Span(windows[0].address, windows[0].size)


def _reaches(board: Board, device: Device) -> tuple[Span, ...]:
    """The physical memory the device itself reads and writes."""
    if not device.dma_space:
        return ()
    topology = board.topology()
    bases = {region.id: region.base for region in topology.regions if region.kind != "device" and region.base >= 0}
    spans = [
        Span(bases[window.region] + window.offset, window.size)
        for window in topology.spaces.windows(device.dma_space)
        if window.region in bases
    ]
    return tuple(sorted(spans, key=lambda span: span.base))


def check_reach(blueprint: Blueprint) -> None:
    """Raises BindingError when a device that copies reaches no memory of a core it serves: of those that are
    started through it, and of those that stand for a class of pairs."""
    copiers = {device.id: device for device in blueprint.devices if device.reaches}
    if not copiers:
        return
    layout, routes = Layout(blueprint), Routes(blueprint)
    started = [(routes.gateway(core), core) for core in routes.cores if core != routes.boot_core]
    pairs = [*started, *((entry.src, entry.dst) for entry in blueprint.pair_classes)]
    for a, b in pairs:
        entry = routes.transport(a, b)
        device = copiers.get(entry.device)
        if device is None:
            continue
        for core in (a, b):
            try:
                layout.copied(core, device.id)
            except LocalMisuse:
                raise BindingError(
                    f"device {device.id} is to copy messages between cores {a} and {b}, but reaches no whole region of "
                    f"those core {core} sees: let its dma_space see one, or bind another transport than "
                    f"{entry.transport}",
                    slot=f"transport:{entry.name}",
                ) from None
