"""The resolved, frozen view of a board that everything else uses.

    cores, kinds, groups, nodes, islands, regions, spaces, links, notifications, devices, latencies, matrix
    core(id)  hops(a, b)  distance(a, b)  pair_class(a, b)  classes()
    latency(class, home)  offset(core)  pair_latency(a, b, home)
    address(space, region, offset)  decode(space, address)  cacheable(space, region)  shared_regions(a, b)
    notify(a, b)  coherent(a, b)

Invariants: nothing here is quadratic in cores but a matrix the board gives; what the board does not say is
None or -1, never invented; every order is the file's or by id.

The class of a pair of cores is named as in `multikernel.pairs`; groups of one size rank as the file lists their
levels.

May not know: pydantic, YAML, plugins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from multikernel.blueprint import Cost
from multikernel.board.classes import ClassCount, count_classes
from multikernel.board.devices import Device
from multikernel.board.latencies import Latency, LatencyMatrix, picoseconds
from multikernel.board.spaces import AddressSpaces, Region
from multikernel.pairs import node_hops, pair_name


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of core; see `cores.KindRow`.  -1 where the board does not know a figure."""

    name: str
    isa: str
    uarch: str
    mhz: int
    word: int
    endian: str
    mmu: str
    hosts: str
    tlb_entries: int
    store_buffer: int
    outstanding: int
    costs: tuple[Cost, ...]


@dataclass(frozen=True, slots=True)
class Core:
    """`node` is the node's id and `island` an index into `Topology.islands`; `package` and `cluster` number
    the distinct largest and smallest groups from 0; -1 where the board states none.  `fails` is why it
    is known not to start, or empty."""

    id: int
    kind: str
    space: str
    node: int
    island: int
    package: int
    cluster: int
    hardware_id: int
    start: str
    fails: str


@dataclass(frozen=True, slots=True)
class Group:
    """One set of cores sharing something; `size` bytes of a shared cache, -1 where none is stated."""

    level: str
    size: int
    cores: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A NUMA node."""

    id: int
    cores: tuple[int, ...]
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Island:
    """Cores kept coherent over `regions`.  `protocol` is bus, probe-broadcast, probe-filter, directory, or
    empty when not known.  `line` bytes."""

    index: int
    cores: tuple[int, ...]
    regions: tuple[str, ...]
    line: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link between nodes; -1 where a figure is not known.  MB are 10^6 bytes."""

    a: int
    b: int
    kind: str
    bandwidth_mbs: int
    latency_ns: int


@dataclass(frozen=True, slots=True)
class Notification:
    """Cores `src` wake cores `dst` through `via`; `slots` messages at once of `bytes` each, -1 where not stated."""

    src: frozenset[int]
    dst: frozenset[int]
    via: str
    device: str
    slots: int
    bytes: int


@dataclass(frozen=True)
class Topology:
    """See the module.  `cores` are those of the kernel, sorted by id; `boot_core` is the one that runs first."""

    cores: tuple[Core, ...]
    kinds: tuple[Kind, ...]
    groups: tuple[Group, ...]
    nodes: tuple[Node, ...]
    islands: tuple[Island, ...]
    regions: tuple[Region, ...]
    spaces: AddressSpaces
    links: tuple[Link, ...]
    notifications: tuple[Notification, ...]
    devices: tuple[Device, ...]
    boot_core: int
    distances: dict[tuple[int, int], int] = field(repr=False)
    latencies: tuple[Latency, ...] = field(repr=False)
    """By class and home."""
    offsets: dict[int, int] = field(repr=False)
    """Core id -> what it adds to a latency as sender, and as receiver; picoseconds.  Cores that add nothing
    are not in it; ids ascend."""
    matrix: LatencyMatrix | None = field(repr=False)
    memberships: dict[int, tuple[int, ...]] = field(repr=False)
    """Core id -> ranks of its groups, smallest group first; `groups` are in rank order."""
    others: tuple[Core, ...] = ()
    """Cores that are not the kernel's; see `hosting.py`.  They are in no other list of cores."""

    @cached_property
    def _cores(self) -> dict[int, Core]:
        return {core.id: core for core in (*self.cores, *self.others)}

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return {kind.name: kind for kind in self.kinds}

    @cached_property
    def _regions(self) -> dict[str, Region]:
        return {region.id: region for region in self.regions}

    def core(self, core_id: int) -> Core:
        """The core, of the kernel or not; KeyError for an id the board does not have."""
        return self._cores[core_id]

    def kind(self, name: str) -> Kind:
        """The kind; KeyError for a name the board does not have."""
        return self._kinds[name]

    def region(self, name: str) -> Region:
        """The region; KeyError for a name the board does not have."""
        return self._regions[name]

    def hops(self, node_a: int, node_b: int) -> int | None:
        """Links on the shortest way between two nodes; None when no way is known."""
        return node_hops(self.links, node_a).get(node_b)

    def distance(self, node_a: int, node_b: int) -> int | None:
        """The firmware's distance (10: itself); None when it states none."""
        return self.distances.get((node_a, node_b))

    def coherent(self, a: int, b: int) -> bool:
        """Both cores are in one coherence island."""
        island = self._cores[a].island
        return island >= 0 and island == self._cores[b].island

    def shared_group(self, a: int, b: int) -> int:
        """Index into `groups` of the smallest group holding both; -1 when none does."""
        ours = self.memberships[a]
        return next((rank for rank in self.memberships[b] if rank in ours), -1)

    def pair_class(self, a: int, b: int) -> str:
        """The class of the directed pair; `self` for a core and itself."""
        if a == b:
            return "self"
        return self.class_name(self.shared_group(a, b), self._cores[a], self._cores[b])

    def class_name(self, group: int, a: Core, b: Core) -> str:
        """The class of two cores whose smallest shared group is `group` (-1: none).  It depends on nothing
        of them but kind, island and node: that is what makes `classes` cheap."""
        shared = group >= 0
        return pair_name(
            shared_level=self.groups[group].level if shared else "",
            hops=None if shared else self.hops(a.node, b.node),
            distance=None if shared else self.distance(a.node, b.node),
            same_island=a.island >= 0 and a.island == b.island,
            kinds=(a.kind, b.kind),
        )

    def classes(self) -> tuple[ClassCount, ...]:
        """Every class of two different cores, sorted by name, with how many directed pairs it holds and
        the least of them.  Computed over groups and features, never over all pairs."""
        return self._classes

    @cached_property
    def _classes(self) -> tuple[ClassCount, ...]:
        return count_classes(self)

    @cached_property
    def _devices(self) -> dict[str, Device]:
        return {device.id: device for device in self.devices}

    def device(self, name: str) -> Device:
        """The device; KeyError for a name the board does not have."""
        return self._devices[name]

    @cached_property
    def _latencies(self) -> dict[tuple[str, str], Latency]:
        return {(row.cls, row.home): row for row in self.latencies}

    def latency(self, pair_class: str, home: str = "") -> Latency | None:
        """What the board says of a class whose lines are homed at the `receiver`, the `sender` or `elsewhere`:
        the row of that home, else the one for any home; None when there is neither."""
        return self._latencies.get((pair_class, home)) or self._latencies.get((pair_class, ""))

    def offset(self, core_id: int) -> int:
        """Picoseconds a core adds to a latency, as sender and as receiver."""
        return self.offsets.get(core_id, 0)

    def pair_latency(self, a: int, b: int, home: str = "") -> int | None:
        """One-way latency from a to b in picoseconds: the matrix's, else the class's with both cores' offsets;
        None when the board says neither."""
        stated = self.matrix.between(a, b) if self.matrix else None
        told = self.latency(self.pair_class(a, b), home) if stated is None and a != b else None
        if told is None:
            return stated
        mean = picoseconds(told.mean, told.unit, self._kinds[self._cores[a].kind].mhz)
        return mean + self.offset(a) + self.offset(b)

    def notify(self, a: int, b: int) -> str | None:
        """How `a` wakes `b`: the first entry of the board that covers the pair."""
        entry = self.notification(a, b)
        return entry.via if entry else None

    def notification(self, a: int, b: int) -> Notification | None:
        """The whole entry behind `notify`."""
        return next((n for n in self.notifications if a in n.src and b in n.dst), None)

    def address(self, space: str, region: str, offset: int) -> int | None:
        """The address at which a core of `space` sees byte `offset` of a region; None when it cannot."""
        return self.spaces.address(space, region, offset)

    def decode(self, space: str, address: int) -> tuple[str, int] | None:
        """What an address of `space` reaches: (region or device, offset); None when nothing answers."""
        return self.spaces.decode(space, address)

    def cacheable(self, space: str, region: str) -> bool:
        """A core of `space` may cache the region: every map through which it sees it says so."""
        return self.spaces.cacheable(space, region)

    def shared_regions(self, a: int, b: int) -> tuple[str, ...]:
        """Regions both cores can address, in the file's order."""
        spaces = (self._cores[a].space, self._cores[b].space)
        return tuple(r.id for r in self.regions if all(self.spaces.sees(s, r.id) for s in spaces))
