"""What a board leaves open besides plugins: whose memory a core has, who drives a device and takes its interrupts,
where PCI windows lie, which cores share a replica.

    in_memory(cores, skb)         the cores, each with the region its arena lies in
    Placements(board, skb)        .driver(device)  .interrupts(device)  .windows(bridge)  .groups()
                                  .all() -> tuple[Placement, ...]

Policies rank (`knowledge/policies/`), this deals: of the cores of least rank the one with the fewest drivers, and
where the board asks (`bind: {placement: ...}`) all drivers at once, at the least sum of ranks.  What the board
names is taken if it serves.

May not know: plugins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from multikernel.binding.pci import NoRoom, Span, Window, pack
from multikernel.binding.pci import Placed as PlacedWindow
from multikernel.blueprint import CoreEntry, Placement
from multikernel.board.devices import Device
from multikernel.board.model import Board
from multikernel.board.units import id_ranges
from multikernel.errors import BindingError
from multikernel.knowledge.facts import Key, Source
from multikernel.knowledge.near import near
from multikernel.knowledge.optimise import Model
from multikernel.knowledge.skb import Skb


@dataclass(frozen=True, slots=True)
class Ranked:
    """A core and how near it is: the least first, then by id."""

    rank: int
    core: int


@dataclass(frozen=True, slots=True)
class Driver:
    """The core that runs the driver of a device, of which candidates; `named_at` where the board says so."""

    device: str
    core: int
    candidates: tuple[Ranked, ...]
    named_at: str


@dataclass(frozen=True, slots=True)
class Route:
    """The core that takes interrupt `number` of a device; `goal` is the atom whose proof is the reason."""

    device: str
    number: int
    core: int
    goal: Key
    candidates: tuple[Ranked, ...]
    named_at: str


@dataclass(frozen=True, slots=True)
class Group:
    """Cores that may share a replica: they share the cache of group `rank`, and an island."""

    rank: int
    island: int
    cores: tuple[int, ...]


def in_memory(cores: Iterable[CoreEntry], skb: Skb) -> tuple[CoreEntry, ...]:
    """The cores, each with the region in which its arena lies."""
    regions: dict[tuple[str, int], str] = {}
    for space, node, region in skb.query("memory(S, N, R)").rows:
        if isinstance(node, int):
            regions[str(space), node] = str(region)
    return tuple(replace(core, memory=regions.get((core.space, core.node), "")) for core in cores)


class Placements:
    """See the module.  Decided on demand and kept; the drivers of all devices are decided together."""

    def __init__(self, board: Board, skb: Skb) -> None:
        self._board, self._skb = board, skb
        self._topology = board.topology()
        self._drivers: dict[str, Driver] = {}

    def all(self) -> tuple[Placement, ...]:
        """Everything, by kind of slot.  Raises BindingError for what cannot be placed."""
        devices = self._topology.devices
        found = [Placement(f"driver:{device.id}", self.driver(device.id).core) for device in devices]
        found += [
            Placement(f"interrupt:{route.device}:{route.number}", route.core)
            for device in devices
            for route in self.interrupts(device.id)
        ]
        for bridge in devices:
            for placed in self.windows(bridge.id):
                found.append(Placement(f"pci:{placed.window.device}:{placed.window.bar}", placed.base))
        found += [Placement(f"sharing:{group.cores[0]}", id_ranges(group.cores)) for group in self.groups()]
        return tuple(found)

    def device(self, name: str, slot: str) -> Device:
        """The device.  Raises BindingError naming the near ones."""
        for device in self._topology.devices:
            if device.id == name:
                return device
        names = [device.id for device in self._topology.devices]
        close = near(name, names) or tuple(names)
        known = f"there are {', '.join(close)}" if close else "it has none"
        raise BindingError(f"{self._board.name} has no device {name!r}; {known}", slot=slot)

    # Drivers

    def driver(self, device: str) -> Driver:
        """Who drives a device.  Raises BindingError where no core can, or the one that the board names cannot."""
        self.device(device, f"driver:{device}")
        if not self._drivers:
            self._check_names()
            self._drivers = self._decide()
        return self._drivers[device]

    @contextmanager
    def knowing_drivers(self) -> Iterator[None]:
        """Within, the SKB knows who drives what, as the policy of interrupts asks."""
        for device in self._topology.devices:
            self.driver(device.id)
        rows = ((driver.device, driver.core) for driver in self._drivers.values())
        with self._skb.supposing((), [("driver", row, Source("asserted", "policy placement")) for row in rows]):
            yield

    def _check_names(self) -> None:
        """Every device that `bind` names is there, and raises the interrupt."""
        for device in self._board.bind.driver:
            at = self._board.spot.find_key(("bind", "driver", device))
            self._known_device(device, f"driver:{device}", str(at))
        for key in self._board.bind.interrupt:
            name, _, number = key.partition(":")
            slot, at = f"interrupt:{key}", self._board.spot.find_key(("bind", "interrupt", key))
            count = self._known_device(name, slot, str(at)).irqs
            if not count or (number and (not number.isdecimal() or int(number) >= count)):
                numbered = ", numbered from 0" if count else ""
                raise BindingError(f"slot {slot}: {at}: {name} raises {count} interrupts{numbered}", slot=slot)

    def _known_device(self, name: str, slot: str, at: str) -> Device:
        try:
            return self.device(name, slot)
        except BindingError as error:
            raise BindingError(f"slot {slot}: {at}: {error}", slot=slot) from None

    def _decide(self) -> dict[str, Driver]:
        ranked = {device.id: self._ranked("placement", device.id) for device in self._topology.devices}
        found: dict[str, Driver] = {}
        load: dict[int, int] = {}
        for device, core in self._board.bind.driver.items():
            at = self._board.where("bind", "driver", device)
            self._serves(f"driver:{device}", at, "may_drive", device, core, ranked[device])
            found[device] = Driver(device, core, ranked[device], at)
            load[core] = load.get(core, 0) + 1
        for device, candidates in ranked.items():
            if not candidates:
                raise BindingError(self._nobody(f"driver:{device}", "may_drive", device), slot=f"driver:{device}")
        if self._board.bind.placement is not None:
            return self._together(found, ranked)
        for device in ranked:
            if device not in found:
                best = min(ranked[device], key=lambda entry: (entry.rank, load.get(entry.core, 0), entry.core))
                load[best.core] = load.get(best.core, 0) + 1
                found[device] = Driver(device, best.core, ranked[device], "")
        return found

    def _together(self, named: dict[str, Driver], ranked: dict[str, tuple[Ranked, ...]]) -> dict[str, Driver]:
        """All at once, within what the board asks: drivers a core, and devices that share none."""
        asked = self._board.bind.placement
        assert asked is not None
        at = self._board.where("bind", "placement")
        for index, pair in enumerate(asked.apart):
            where = self._board.where("bind", "placement", "apart", index)
            for device in pair:
                self._known_device(device, f"driver:{device}", where)
            if pair[0] == pair[1]:
                text = f"slot driver:{pair[0]}: {where}: a device is not apart from itself"
                raise BindingError(text, slot=f"driver:{pair[0]}")
        costs = [(name, driver.core, 0) for name, driver in named.items()]
        costs += [(device, e.core, e.rank) for device in ranked if device not in named for e in ranked[device]]
        targets = tuple(sorted({core for _, core, _ in costs}))
        room = asked.capacity or len(ranked)
        apart = tuple(dict.fromkeys(asked.apart))
        model = Model(tuple(ranked), targets, tuple(costs), tuple((core, room) for core in targets), apart)
        placed = self._skb.optimise(model)
        if placed is None:
            limits = [f"at most {asked.capacity} a core"] if asked.capacity else []
            limits += [f"{' and '.join(pair)} apart" for pair in apart]
            count = f"{len(ranked)} drivers on {len(targets)} cores"
            slot = f"driver:{next(iter(ranked))}"
            raise BindingError(f"slot {slot}: {at}: no placement of {count}: {', '.join(limits)}", slot=slot)
        return {
            device: named.get(device, Driver(device, core, ranked[device], "")) for device, core in placed.assignment
        }

    # Interrupts

    def interrupts(self, device: str) -> tuple[Route, ...]:
        """Who takes each interrupt of a device.  Raises as `driver`."""
        row = self.device(device, f"interrupt:{device}")
        if not row.irqs:
            return ()
        driver = self.driver(device).core
        with self.knowing_drivers():
            ranked = self._ranked("interrupt", device)
        named = self._board.bind.interrupt
        least = [entry.core for entry in ranked if entry.rank == ranked[0].rank]
        turn = least if row.msi else least[:1]
        first = turn.index(driver) if driver in turn else 0
        routes: list[Route] = []
        for number in range(row.irqs):
            slot = f"interrupt:{device}:{number}"
            key = f"{device}:{number}" if f"{device}:{number}" in named else device
            if key in named:
                at = self._board.where("bind", "interrupt", key)
                self._serves(slot, at, "may_take", device, named[key], ranked)
                routes.append(Route(device, number, named[key], ("may_take", (device, named[key])), ranked, at))
                continue
            if not ranked:
                raise BindingError(self._nobody(slot, "may_take", device), slot=slot)
            core = turn[(first + number) % len(turn)]
            routes.append(Route(device, number, core, ("interrupt", (device, ranked[0].rank, core)), ranked, ""))
        return tuple(routes)

    def _ranked(self, predicate: str, device: str) -> tuple[Ranked, ...]:
        rows = self._skb.query(f"{predicate}({device!r}, K, C)").integers()
        best: dict[int, int] = {}
        for rank, core in rows:
            best[core] = min(rank, best.get(core, rank))
        return tuple(sorted((Ranked(rank, core) for core, rank in best.items()), key=lambda e: (e.rank, e.core)))

    def _serves(self, slot: str, at: str, predicate: str, device: str, core: int, ranked: tuple[Ranked, ...]) -> None:
        """Raises BindingError if a core that the board names cannot do it."""
        if self._skb.query(f"{predicate}({device!r}, {core})"):
            return
        there = any(entry.id == core for entry in self._topology.cores)
        lacks = f"core {core} needs {self._skb.why_not(predicate, device, core)[0]}" if there else f"no core {core}"
        serve = id_ranges(sorted(entry.core for entry in ranked)) or "no core"
        raise BindingError(f"slot {slot}: {at}: {lacks}; cores {serve} would serve", slot=slot)

    def _nobody(self, slot: str, predicate: str, device: str) -> str:
        lacks = dict.fromkeys(
            str(self._skb.why_not(predicate, device, core.id)[0]).replace(f"({core.id},", "(C,")
            for core in self._topology.cores[:8]
            if not self._skb.query(f"{predicate}({device!r}, {core.id})")
        )
        return "\n".join([f"slot {slot}: no core serves it", *(f"  needs {text}" for text in lacks)])

    # PCI

    def windows(self, bridge: str) -> tuple[PlacedWindow, ...]:
        """Where the windows of the functions behind a bridge lie, by device and number.  Raises BindingError
        naming the window, the apertures and what is missing."""
        behind = [device for device in self._topology.devices if device.bridge == bridge and device.bars]
        if not behind:
            return ()
        apertures = self.device(bridge, f"pci:{bridge}").apertures
        windows: list[Window] = []
        for device in behind:
            fits: dict[int, list[tuple[int, int]]] = {}
            for number, order, aperture in self._skb.query(
                f"window_fits({device.id!r}, I, O, {bridge!r}, J)"
            ).integers():
                fits.setdefault(number, []).append((order, aperture))
            for number, bar in enumerate(device.bars):
                ways = tuple(aperture for _, aperture in sorted(fits.get(number, [])))
                windows.append(Window(device.id, number, bar.size, ways))
        try:
            return pack(windows, [Span(aperture.base, aperture.size) for aperture in apertures])
        except NoRoom as none:
            raise BindingError(self._no_room(bridge, none, windows), slot=self._slot(none.window)) from None

    def _slot(self, window: Window) -> str:
        return f"pci:{window.device}:{window.bar}"

    def _no_room(self, bridge: str, none: NoRoom, windows: Iterable[Window]) -> str:
        window, device = none.window, self.device(none.window.device, "")
        bar = device.bars[window.bar]
        index = self._topology.devices.index(device)
        what = f"{'prefetchable, ' if bar.prefetchable else ''}{bar.bits} bits"
        at = self._board.where("devices", index, "bars", window.bar)
        text = f"slot {self._slot(window)}: {at}: no aperture of {bridge} has room for {window.size:#x} bytes ({what})"
        lines = [text if none.complete else f"{text}; none was found, which does not say that there is none"]
        host = self.device(bridge, "")
        for number, aperture in enumerate(host.apertures):
            kind = "prefetchable" if aperture.prefetchable else "not prefetchable"
            others = [other for other in windows if other.apertures and number in other.apertures and other != window]
            taken = sum(other.size for other in others)
            if number in window.apertures:
                why = f"{len(others)} other windows of {taken:#x} bytes may lie there"
            elif aperture.size < window.size:
                why = f"it is {window.size - aperture.size:#x} bytes too small"
            elif aperture.prefetchable and not bar.prefetchable:
                why = "the window must not be prefetched"
            else:
                why = "it is not for such a window"
                failures = self._skb.why_not("may_hold", window.device, window.bar, bridge, number)
                if failures:
                    why = f"needs {failures[0]}"
                elif bar.bits == 32 and aperture.base + aperture.size > 1 << 32:
                    why = "32 bits do not reach all of it"
            lines.append(f"  aperture {number} at {aperture.base:#x}, {aperture.size:#x} bytes, {kind}: {why}")
        if not host.apertures:
            lines.append(f"  {bridge} has no apertures")
        return "\n".join(lines)

    # Sharing

    def groups(self) -> tuple[Group, ...]:
        """Cores that may share a replica, by least core; alone there is nothing to share."""
        members: dict[tuple[int, int], list[int]] = {}
        for core, rank, island in self._skb.query("sharing(C, G, I)").integers():
            members.setdefault((rank, island), []).append(core)
        found = [Group(rank, island, tuple(cores)) for (rank, island), cores in members.items() if len(cores) > 1]
        return tuple(sorted(found, key=lambda group: group.cores))
