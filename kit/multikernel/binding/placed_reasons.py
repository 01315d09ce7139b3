"""Why a device's driver, interrupt or window, a core's memory or sharing group, or the holders of an object are where
they are: the `Reason`s of the slots that no plugin fills.

    driver:nic0  interrupt:nic0:0  pci:nic0:0  memory:5  sharing:3  group:log  policy:home

Interface: `PLACED`, who explains a slot by its head; `placed_slots(known)`, those there are, of cores one for each
place (space and node).

May not know: how it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from multikernel.assemble import Knowledge
from multikernel.binding.changes import Answer, Question
from multikernel.binding.edits import Edit
from multikernel.binding.groups import holders, ranked, told
from multikernel.binding.placements import Placements, Ranked
from multikernel.binding.reason import Reason, core_of, proofs
from multikernel.binding.slots import Candidate, Rejected, unknown_slot
from multikernel.board.units import id_ranges
from multikernel.errors import BindingError
from multikernel.knowledge.facts import Row
from multikernel.knowledge.policies import POLICIES

Explain: TypeAlias = Callable[[Knowledge, str], Reason]

SHOWN = 8
"""Rejected cores told; others are rejected alike."""


def placed_slots(known: Knowledge) -> tuple[str, ...]:
    """Every slot of this module."""
    topology = known.board.topology()
    devices = topology.devices
    places: dict[tuple[str, int], int] = {}
    for core in topology.cores:
        places.setdefault((core.space, core.node), core.id)
    return (
        *(f"driver:{device.id}" for device in devices),
        *(f"interrupt:{device.id}:{number}" for device in devices for number in range(device.irqs)),
        *(f"pci:{device.id}:{number}" for device in devices if device.bridge for number in range(len(device.bars))),
        *(f"memory:{core}" for core in places.values()),
        *(f"sharing:{group.cores[0]}" for group in Placements(known.board, known.skb).groups()),
        *(f"group:{name}" for name in _grouped(known)),
        *(f"policy:{name}" for name in POLICIES),
    )


def _driver(known: Knowledge, slot: str) -> Reason:
    placements = Placements(known.board, known.skb)
    device = _device(known, slot)
    driver = placements.driver(device)
    rank = next((entry.rank for entry in driver.candidates if entry.core == driver.core), 0)
    alike = sum(entry.rank == rank for entry in driver.candidates)
    asked = known.board.bind.placement
    how = "of all drivers together" if asked else f"the fewest drivers of {alike} equally near"
    because = proofs(known, "placement", (device, rank, driver.core))

    def ask(then: Knowledge) -> Answer:
        return Answer(slot, str(Placements(then.board, then.skb).driver(device).core))

    return Reason(
        slot,
        str(driver.core),
        f"the core that runs the driver of {device}" + ("" if driver.named_at else f": {how}"),
        driver.named_at,
        _candidates(driver.candidates),
        _cores_rejected(known, "may_drive", device, driver.candidates),
        because,
        Question(ask, _named(known, "driver", device, driver.core, driver.candidates), because),
    )


def _interrupt(known: Knowledge, slot: str) -> Reason:
    placements = Placements(known.board, known.skb)
    device = _device(known, slot)
    routes = {str(route.number): route for route in placements.interrupts(device)}
    number = slot.split(":")[2] if slot.count(":") == 2 else ""
    if number not in routes:
        raise unknown_slot(slot, [f"interrupt:{device}:{each}" for each in routes], known.board.name)
    route = routes[number]
    with placements.knowing_drivers():
        because = proofs(known, *route.goal)
    msi = known.board.topology().device(device).msi
    least = [entry.core for entry in route.candidates if entry.rank == route.candidates[0].rank]
    spread = f"vectors go in turn to cores {id_ranges(sorted(least))}" if msi else "a line goes where its driver runs"

    def ask(then: Knowledge) -> Answer:
        return Answer(slot, str(Placements(then.board, then.skb).interrupts(device)[route.number].core))

    return Reason(
        slot,
        str(route.core),
        f"the core that takes interrupt {number} of {device}" + ("" if route.named_at else f": {spread}"),
        route.named_at,
        _candidates(route.candidates),
        _cores_rejected(known, "may_take", device, route.candidates),
        because,
        Question(ask, _named(known, "interrupt", f"{device}:{number}", route.core, route.candidates), because),
    )


def _pci(known: Knowledge, slot: str) -> Reason:
    name = _device(known, slot)
    device = known.board.topology().device(name)
    number = slot.split(":")[2] if slot.count(":") == 2 else ""
    bars = {str(index): index for index in range(len(device.bars))} if device.bridge else {}
    if number not in bars:
        raise unknown_slot(slot, [f"pci:{name}:{each}" for each in bars], known.board.name)
    bar, bridge = bars[number], device.bridge
    placed = {(p.window.device, p.window.bar): p for p in Placements(known.board, known.skb).windows(bridge)}[name, bar]
    rows = known.skb.query(f"window_fits({name!r}, {bar}, O, {bridge!r}, J)").integers()
    order = next(rank for rank, aperture in rows if aperture == placed.aperture)
    fitting = [aperture for _, aperture in rows]
    apertures = known.board.topology().device(bridge).apertures
    because = proofs(known, "window_fits", (name, bar, order, bridge, placed.aperture))

    def ask(then: Knowledge) -> Answer:
        spans = {(p.window.device, p.window.bar): p.base for p in Placements(then.board, then.skb).windows(bridge)}
        return Answer(slot, f"{spans[name, bar]:#x}" if (name, bar) in spans else "")

    return Reason(
        slot,
        f"{placed.base:#x}",
        f"{device.bars[bar].size:#x} bytes in aperture {placed.aperture} of {bridge}, a multiple of their size, "
        "the largest windows first",
        candidates=tuple(Candidate(f"aperture {aperture}", rank) for rank, aperture in sorted(rows)),
        rejected=tuple(
            found
            for index in range(len(apertures))
            if index not in fitting
            for found in _rejected(known, f"aperture {index}", "may_hold", (name, bar, bridge, index))
        ),
        proofs=because,
        question=Question(ask, proofs=because),
    )


def _memory(known: Knowledge, slot: str) -> Reason:
    core = known.board.topology().core(core_of(known, _number(known, slot), slot))
    region = _region(known, core.space, core.node)
    if not region:
        raise BindingError(f"slot {slot}: no policy says in which memory core {core.id} has its arena", slot=slot)
    because = proofs(known, "memory", (core.space, core.node, region))
    ranked: tuple[Row, ...] = ()
    if ("memory_candidate", 7) in known.skb.program.predicates:
        ranked = known.skb.query(f"memory_candidate({core.space!r}, {core.node}, V, D, O, Z, R)").rows
    names = [str(row[-1]) for row in ranked] or [region]
    others = [r.id for r in known.board.topology().regions if r.id not in names and r.kind != "device"]

    def ask(then: Knowledge) -> Answer:
        row = then.board.topology().core(core.id)
        return Answer(slot, _region(then, row.space, row.node))

    return Reason(
        slot,
        region,
        f"the region in which core {core.id}, as all of space {core.space}"
        + (f" and node {core.node}" if core.node >= 0 else "")
        + ", has its arena",
        candidates=tuple(Candidate(name, place) for place, name in enumerate(names)),
        rejected=tuple(
            found for name in others for found in _rejected(known, name, "memory", (core.space, core.node, name))
        ),
        proofs=because,
        question=Question(ask, proofs=because),
    )


def _region(known: Knowledge, space: str, node: int) -> str:
    rows = known.skb.query(f"memory({space!r}, {node}, R)").rows
    return str(rows[0][0]) if rows else ""


def _sharing(known: Knowledge, slot: str) -> Reason:
    core = core_of(known, _number(known, slot), slot)
    told = _shares(known, core)
    subject = f"the cores with which core {core} may share a replica: one island, and the largest cache they share"
    rows = known.skb.query(f"sharing({core}, G, I)").integers()
    because = proofs(known, "sharing", (core, *rows[0])) if rows else ()

    def ask(then: Knowledge) -> Answer:
        return Answer(slot, _shares(then, core))

    return Reason(slot, told, subject, proofs=because, question=Question(ask, proofs=because))


def _shares(known: Knowledge, core: int) -> str:
    groups = Placements(known.board, known.skb).groups()
    return next((id_ranges(group.cores) for group in groups if core in group.cores), "none")


def _group(known: Knowledge, slot: str) -> Reason:
    name = slot.partition(":")[2]
    if name not in _grouped(known):
        raise unknown_slot(slot, [f"group:{each}" for each in _grouped(known)], known.board.name)
    protocol = known.slots.decide(f"consistency:{name}").chosen
    cores = holders(known, protocol)
    order = tuple(Ranked(rank, core) for rank, core in ranked(known))
    because = tuple(
        proof for entry in order if entry.core in cores[:SHOWN]
        for proof in proofs(known, "group_order", (entry.rank, entry.core))
    )  # fmt: skip

    def ask(then: Knowledge) -> Answer:
        return Answer(slot, told(holders(then, then.slots.decide(f"consistency:{name}").chosen)))

    return Reason(
        slot,
        told(cores),
        f"the cores that hold the object {name}, which {protocol} keeps the same",
        "",
        _candidates(order),
        proofs=because,
        question=Question(ask, proofs=because),
    )


def _grouped(known: Knowledge) -> list[str]:
    """The objects that are agreed on among equals."""
    slots = [slot for slot in known.slots.all() if slot.startswith("consistency:")]
    return [slot.partition(":")[2] for slot in slots if holders(known, known.slots.decide(slot).chosen)]


def _policy(known: Knowledge, slot: str) -> Reason:
    name = slot.partition(":")[2]
    for chosen in known.policies:
        if chosen.policy.decides == name:
            by = f" of plugin {chosen.plugin.name}" if chosen.plugin else ""
            what = f"{chosen.policy.file}{by}" if chosen.name else "the kit's own; bind: {policy: ...} names another"
            return Reason(slot, chosen.name or chosen.policy.file, f"what decides {name}: {what}", chosen.named_at)
    raise unknown_slot(slot, [f"policy:{each}" for each in POLICIES], known.board.name)


PLACED: Mapping[str, Explain] = MappingProxyType(
    {
        "driver": _driver,
        "interrupt": _interrupt,
        "pci": _pci,
        "memory": _memory,
        "sharing": _sharing,
        "group": _group,
        "policy": _policy,
    }
)


def _device(known: Knowledge, slot: str) -> str:
    """The device a slot names, which is there."""
    head, name, *_ = (*slot.split(":"), "")
    names = [device.id for device in known.board.topology().devices]
    if name not in names:
        raise unknown_slot(slot, [f"{head}:{each}" for each in names], known.board.name)
    return name


def _number(known: Knowledge, slot: str) -> int:
    head, _, text = slot.partition(":")
    if not text.isdecimal():
        raise unknown_slot(slot, [f"{head}:{core.id}" for core in known.board.topology().cores[:SHOWN]],
                           known.board.name)  # fmt: skip
    return int(text)


def _candidates(ranked: Iterable[Ranked]) -> tuple[Candidate, ...]:
    return tuple(Candidate(str(entry.core), entry.rank) for entry in ranked)


def _named(
    known: Knowledge, section: str, key: str, core: int, ranked: Iterable[Ranked]
) -> tuple[tuple[Edit, ...], ...]:
    """The edits that name the next best core under `bind`."""
    others = [entry.core for entry in ranked if entry.core != core][:SHOWN]
    table = known.board.bind.driver if section == "driver" else known.board.bind.interrupt
    return tuple((Edit(("bind", section, key), table.get(key), other),) for other in others)


def _cores_rejected(known: Knowledge, predicate: str, device: str, ranked: Iterable[Ranked]) -> tuple[Rejected, ...]:
    able = {entry.core for entry in ranked}
    others = [core.id for core in known.board.topology().cores if core.id not in able]
    return tuple(found for core in others[:SHOWN] for found in _rejected(known, str(core), predicate, (device, core)))


def _rejected(known: Knowledge, name: str, predicate: str, values: Row) -> tuple[Rejected, ...]:
    """What it lacks, if anything."""
    return tuple(Rejected(name, str(failure), failure) for failure in known.skb.why_not(predicate, *values)[:1])
