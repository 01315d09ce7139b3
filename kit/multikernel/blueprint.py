"""The blueprint: everything late binding decided, and nothing else.

Frozen, canonical, serialisable: the same inputs give the same bytes (sorted keys, integers and
strings only, no time, no path of this machine).  The simulator and the host platform interpret it;
the bare-metal platform compiles it to `const` C tables.

May not know: the SKB, the registry, any plugin.  `assemble.py` makes it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from multikernel.pairs import node_hops, pair_name

SCHEMA = "blueprint/1"


@dataclass(frozen=True, slots=True)
class Binding:
    """One slot and what fills it.  `slot` is e.g. `cpu-driver:k10`, `monitor`, `transport:L3`,
    `consistency:shootdown`.  `hash` covers the plugin's sources, never compiled files."""

    slot: str
    plugin: str
    distribution: str
    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class Cost:
    """A named software or hardware cost of a core kind, in cycles of that kind, with its source."""

    name: str
    cycles: int
    source: str


@dataclass(frozen=True, slots=True)
class CoreKind:
    """`word` is bits; `endian` little or big; `mmu` full, mpu or none.  `tlb_entries`, `store_buffer`
    (stores) and `outstanding` (misses in flight) are -1 where the board does not know them."""

    name: str
    isa: str
    mhz: int
    word: int
    endian: str
    mmu: str
    driver: str
    costs: tuple[Cost, ...]
    tlb_entries: int = -1
    store_buffer: int = -1
    outstanding: int = -1


@dataclass(frozen=True, slots=True)
class CoreEntry:
    """One row of the core table.  `node` and `island` are indices, -1 when the board names none;
    `package` the index of the outermost group, `cluster` of the innermost; `start` how it is started
    (boot, sipi, psci, fork, ...); `fails` what the board says is broken about it, or empty; `groups` the
    ranks of the groups it is in (indices into `Interconnect.groups`), smallest first; `gateway` the core that
    starts this one and through which it is reached where no transport serves directly (-1: the boot core);
    `memory` the region its arena lies in, empty where no policy says; `mark` tells cores apart that `variants` do."""

    id: int
    kind: str
    space: str
    node: int
    island: int
    package: int
    cluster: int
    hardware_id: int
    start: str
    fails: str = ""
    groups: tuple[int, ...] = ()
    gateway: int = -1
    memory: str = ""
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """A region as placed: `base` in the global physical space, `size` bytes."""

    region: str
    kind: str
    base: int
    size: int
    node: int


@dataclass(frozen=True, slots=True)
class View:
    """Cores of `space` see `size` bytes of `region` from `offset` at their address `base`."""

    space: str
    base: int
    size: int
    region: str
    offset: int
    cacheable: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A link between nodes `a` and `b`; -1 where a figure is not known.  MB are 10^6 bytes."""

    a: int
    b: int
    kind: str
    bandwidth_mbs: int
    latency_ps: int


@dataclass(frozen=True, slots=True)
class Island:
    """Cores kept coherent over `regions` (core rows name their island by index).  `protocol` is bus,
    probe-broadcast, probe-filter, directory, or empty when not known.  `line` is bytes."""

    protocol: str
    line: int
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """One-way latency of a message over a pair class, with its standard deviation, in picoseconds.  `home`: where
    the node that homes the line lies (receiver, sender, elsewhere; empty: wherever).  -1 where not stated."""

    pair_class: str
    ps: int
    sd_ps: int
    status: str
    source: str
    home: str = ""
    min_ps: int = -1
    max_ps: int = -1
    p99_ps: int = -1
    count: int = -1


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """Latencies from `core` to each core that has a row, in the order of the rows; picoseconds, 0 to itself."""

    core: int
    ps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interconnect:
    """What lies between the cores, as far as the board says.  `groups` are the levels of the groups in
    rank order; `distances` the firmware's (node, node, distance).  `latencies` by class and home; `offsets` the
    (core, picoseconds) that a core adds to them, as sender and as receiver, for those that add something;
    `matrix` goes before both, rows by core, empty where the board gives none."""

    groups: tuple[str, ...]
    nodes: tuple[int, ...]
    links: tuple[Link, ...]
    distances: tuple[tuple[int, int, int], ...]
    islands: tuple[Island, ...]
    latencies: tuple[Latency, ...]
    offsets: tuple[tuple[int, int], ...] = ()
    matrix: tuple[MatrixRow, ...] = ()


@dataclass(frozen=True, slots=True)
class PairClass:
    """All pairs of cores the SKB need not tell apart.  `name` is the pair's class (`shared:L3`,
    `hops:1`, ...), `pairs` how many directed pairs are in it, `src`/`dst` its representative (least ids).
    `home` is who homes a channel's buffer: `receiver`, `sender` or `region:<id>`, empty where no buffer is
    shared.  `slots` is the window.  `scope` is the transport's (`spec.TransportSpec`); `device` carries the
    messages where its transport is one over a device, else it is empty."""

    name: str
    pairs: int
    src: int
    dst: int
    transport: str
    home: str
    slots: int
    notify: str
    scope: str = "channel"
    device: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """Pairs of `pair_class` whose cores have these marks are of class `name` instead: the SKB tells them apart."""

    pair_class: str
    mark_a: int
    mark_b: int
    name: str


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """A channel fixed at assembly, for the monitors of two cores: to each core from its gateway, the
    representatives of each class, and what the board fixes.  Addresses are what each side sees.
    Directions lie one behind the other: `slots` lines a->b, one ack line, `slots` lines b->a, one ack
    line, each line 64 bytes.  Over a device each side has an area of its own, where the transport needs
    any: a's at `offset` of `region`, b's at `far_offset` of `far_region`.  A region that is not there is
    empty, and its address 0."""

    id: int
    a: int
    b: int
    pair_class: str
    transport: str
    region: str
    offset: int
    address_a: int
    address_b: int
    slots: int
    far_region: str = ""
    far_offset: int = 0


@dataclass(frozen=True, slots=True)
class Buffers:
    """Of a mailbox: each core of `src` has, for each core of `dst`, `slots` buffers of `bytes` bytes to fill."""

    src: tuple[int, ...]
    dst: tuple[int, ...]
    slots: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Span:
    """`size` bytes from physical address `base`."""

    base: int
    size: int


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device that carries messages.  `registers` is where its registers lie: a window of `system/registers.py`
    for each directed pair of `cores`, ascending; cores of `spaces` see them.  A mailbox has `buffers`; a DMA
    engine copies between the `reaches`.  `near` are the cores next to it or on it; for all others an access goes
    over a link of `latency_ps` and `bandwidth_mbs`.  `channels` queues; -1 for figures the board does not state."""

    id: str
    cls: str
    registers: Span
    spaces: tuple[str, ...]
    cores: tuple[int, ...]
    near: tuple[int, ...]
    buffers: tuple[Buffers, ...]
    reaches: tuple[Span, ...]
    channels: int
    latency_ps: int
    bandwidth_mbs: int


@dataclass(frozen=True, slots=True)
class TreeNode:
    """`core` forwards to `children`, in this order."""

    core: int
    children: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A multicast tree rooted at the boot core: `broadcast`, `unicast`, `multicast`, `numa`.
    `home` says where its channels' buffers live (`root` or `receiver`)."""

    name: str
    home: str
    nodes: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """What was decided besides plugins: `driver:nic0` and `interrupt:nic0:1` are a core, `pci:nic0:0` the address
    of BAR 0 in the space `phys`, `sharing:4` the cores (`4-7`) that may share replicas, by the least of them."""

    slot: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Kit:
    """What decided: the version of the kit, and each of its policies that did with the SHA-256 of its text.  Policies
    of others are bindings."""

    version: str
    policies: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Blueprint:
    """See the module.  `boot_core` runs first; `boot` is what it starts, in order; `devices` are those that carry
    messages between cores; `programs` are the plugins of `boot`, as far as they were installed."""

    schema: str
    board: str
    board_hash: str
    bindings: tuple[Binding, ...]
    kinds: tuple[CoreKind, ...]
    cores: tuple[CoreEntry, ...]
    memory: tuple[Memory, ...]
    views: tuple[View, ...]
    interconnect: Interconnect
    pair_classes: tuple[PairClass, ...]
    channels: tuple[ChannelEntry, ...]
    trees: tuple[Tree, ...]
    boot_core: int
    boot: tuple[str, ...]
    devices: tuple[DeviceEntry, ...] = ()
    placements: tuple[Placement, ...] = ()
    variants: tuple[Variant, ...] = ()
    kit: Kit = Kit("")
    programs: tuple[Binding, ...] = ()

    def to_json(self) -> str:
        """The canonical text: the same blueprint gives the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=True) + "\n"

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def bound_class(self, a: CoreEntry, b: CoreEntry) -> str:
        """The class in `pair_classes` of the directed pair: as `pair_class`, or the part of it that is bound
        otherwise."""
        name = self.pair_class(a, b)
        key = (name, a.mark, b.mark)
        return next((v.name for v in self.variants if (v.pair_class, v.mark_a, v.mark_b) == key), name)

    def pair_class(self, a: CoreEntry, b: CoreEntry) -> str:
        """The class of the directed pair by distance, `self` for a core and itself (named as in `pairs.py`)."""
        if a.id == b.id:
            return "self"
        shared = next((rank for rank in a.groups if rank in b.groups), -1)
        return pair_name(
            shared_level=self.interconnect.groups[shared] if shared >= 0 else "",
            hops=node_hops(self.interconnect.links, a.node).get(b.node) if shared < 0 else None,
            distance=next((d for x, y, d in self.interconnect.distances if (x, y) == (a.node, b.node)), None),
            same_island=a.island >= 0 and a.island == b.island,
            kinds=(a.kind, b.kind),
        )

    def bound(self, slot: str) -> Binding:
        """The binding of `slot`; KeyError names the slots there are."""
        for binding in self.bindings:
            if binding.slot == slot:
                return binding
        raise KeyError(f"no slot {slot!r}; slots: {', '.join(b.slot for b in self.bindings)}")
