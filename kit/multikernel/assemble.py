"""Board + installed plugins + system knowledge base -> Blueprint, in the order of a boot.

Interface: `assemble(board, registry=None, platform="any") -> Blueprint`; its two halves, `know(...) -> Knowledge` and
`assembled(known) -> Blueprint`.

Invariants: the same board, plugins and platform kind give the same bytes; whatever the board leaves
open is decided by a query; nothing is quadratic in cores.

May not know: platforms, any plugin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from multikernel.binding.board_facts import assert_board
from multikernel.binding.contracts import Contracts
from multikernel.binding.devices import carriers, check_reach
from multikernel.binding.gateways import GATEWAYS, assert_gateways, gateways, stranded
from multikernel.binding.groups import groups
from multikernel.binding.layout import Area, Layout, Placed
from multikernel.binding.measured import assert_measured
from multikernel.binding.pairs import Pairs
from multikernel.binding.placements import Placements, in_memory
from multikernel.binding.plugin_facts import assert_plugins
from multikernel.binding.policies import Chosen, policies
from multikernel.binding.slots import AUTO, Slots
from multikernel.binding.trees import trees
from multikernel.blueprint import (
    SCHEMA,
    Binding,
    Blueprint,
    ChannelEntry,
    CoreEntry,
    CoreKind,
    Interconnect,
    Island,
    Kit,
    Latency,
    Link,
    MatrixRow,
    Memory,
    PairClass,
    View,
)
from multikernel.board.latencies import Latency as BoardLatency
from multikernel.board.latencies import picoseconds
from multikernel.board.model import Board
from multikernel.board.topology import Topology
from multikernel.errors import BindingError
from multikernel.interfaces import LINE
from multikernel.knowledge.facts import Fact
from multikernel.knowledge.policies import VOCABULARY, shipped
from multikernel.knowledge.policies import load as load_policies
from multikernel.knowledge.skb import Skb
from multikernel.registry import OWN, Plugin, Registry

DEFAULT_BACKEND = "pydatalog"
"""The SKB's backend where the board leaves it open and this one is installed."""


@dataclass(frozen=True)
class Knowledge:
    """What is known before anything is decided: the facts of board and plugins, and the policies."""

    board: Board
    registry: Registry
    platform: str
    skb: Skb
    backend: str
    slots: Slots
    gateways: Mapping[int, int]
    measured: tuple[Fact, ...] = ()
    policies: tuple[Chosen, ...] = ()


def assemble(
    board: Board | str, registry: Registry | None = None, platform: str = "any", measured: Sequence[Fact] = ()
) -> Blueprint:
    """The blueprint of a board (or of the board of that name or path).  `measured` is what was found out on the
    machine (`Multikernel.facts`): it goes before what is only ranked.

    `platform` is a platform kind (sim, host, qemu): then plugins without a facet for it do not count;
    with `any` the blueprint is for whichever it is booted on.  Raises BoardError, PluginError,
    BindingError naming the slot that cannot be filled.
    """
    known = know(board, registry, platform, measured)
    blueprint = assembled(known)
    known.skb.close()
    return blueprint


def assembled(known: Knowledge) -> Blueprint:
    """The blueprint of what is known.  Raises BindingError naming the slot that cannot be filled."""
    board, topology = known.board, known.board.topology()
    relaying = any(transport.scope == "circuit" for transport in known.registry.transports)
    if relaying:
        stranded(topology, known.slots, known.gateways)  # before a slot of its, which only follows
    bindings = bind(known)
    chosen = {binding.slot: binding.plugin for binding in bindings}
    kinds = core_kinds(known, chosen)
    pairs = Pairs(board, known.skb)
    scopes = {transport.name: transport.scope for transport in known.registry.transports}
    parts = known.slots.partition()
    transports = {count.name: chosen[f"transport:{count.name}"] for count in parts.classes}
    classes = tuple(
        pairs.decide(count, transports[count.name], scopes[transports[count.name]]) for count in parts.classes
    )
    if not relaying:
        stranded(topology, known.slots, known.gateways)
    channels = static_channels(known, pairs, classes)
    blueprint = Blueprint(
        schema=SCHEMA,
        board=board.name,
        board_hash=board.hash,
        bindings=bindings,
        kinds=kinds,
        cores=in_memory(core_table(topology, known.gateways, parts.marks), known.skb),
        memory=memory_map(topology),
        views=views(topology),
        interconnect=interconnect(topology),
        pair_classes=classes,
        channels=channels,
        trees=trees(topology, known.skb),
        boot_core=topology.boot_core,
        boot=board.boot,
        devices=carriers(board, classes),
        placements=(*Placements(board, known.skb).all(), *groups(known, bindings)),
        variants=parts.variants,
        kit=kit(known.policies),
        programs=programs(known),
    )
    check_reach(blueprint)
    return blueprint


def programs(known: Knowledge) -> tuple[Binding, ...]:
    """Where each program of the boot list comes from.  Raises BindingError for one that nobody offers."""
    registry = known.registry.programs
    for index, name in enumerate(known.board.boot):
        if name not in registry:
            place = known.board.where("boot", index)
            told = f"{place}{': ' if place else ''}the boot list names a program {name!r} that nobody offers"
            raise BindingError(f"{told}; installed: {', '.join(registry.names()) or 'none'}", slot=f"program:{name}")
    origins = {name: registry.origin(name) for name in dict.fromkeys(known.board.boot)}
    return tuple(
        Binding(f"program:{name}", name, plugin.distribution, plugin.version, plugin.source_hash)
        for name, plugin in origins.items()
    )


def kit(chosen: Sequence[Chosen]) -> Kit:
    """The kit that decided, and its own policies."""
    own = (*(shipped(name) for name in VOCABULARY), *(entry.policy for entry in chosen if not entry.name))
    texts = sorted((policy.decides, policy.text) for policy in own)
    return Kit(version(OWN), tuple((name, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts))


def know(
    board: Board | str, registry: Registry | None = None, platform: str = "any", measured: Sequence[Fact] = ()
) -> Knowledge:
    """Facts of board and plugins in an SKB, with the policies.  Raises as `assemble`."""
    installed = Registry.load() if registry is None else registry
    if isinstance(board, str):
        from multikernel.board import load_board

        board = load_board(board, sources=installed.board_dirs if registry is None else None)
    registry = installed
    backend = backend_for(board, registry)
    skb = Skb(registry.skb_backends.get(backend).factory())
    chosen = policies(board, registry)
    assert_board(skb, board)
    skb.declare(*GATEWAYS)
    load_policies(skb, [shipped(name) for name in VOCABULARY])
    assert_plugins(skb, registry, platform)
    assert_measured(skb, board, measured)
    load_policies(skb, [entry.policy for entry in chosen])
    slots = Slots(board, registry, skb)
    tree = gateways(board, registry, slots)
    assert_gateways(skb, tree)
    return Knowledge(board, registry, platform, skb, backend, slots, tree, tuple(measured), chosen)


def backend_for(board: Board, registry: Registry) -> str:
    """The name of the backend: the one slot that no query can fill.  Raises BindingError."""
    named = dict(board.bindings()).get("skb", AUTO)
    installed = tuple(spec.name for spec in registry.skb_backends if not spec.unavailable)
    if named == AUTO and installed:
        return DEFAULT_BACKEND if DEFAULT_BACKEND in installed else installed[0]
    if named in registry.skb_backends and named not in installed:
        lacks = registry.skb_backends.get(named).unavailable
        raise BindingError(f"slot skb: {board.where('bind', 'skb')}: {named} cannot be used: {lacks}", slot="skb")
    if named not in installed:
        what = f"{board.where('bind', 'skb')}: {named} is not installed" if named != AUTO else "none is installed"
        raise BindingError(f"slot skb: {what}; installed: {', '.join(installed) or 'none'}", slot="skb")
    return named


def bind(known: Knowledge) -> tuple[Binding, ...]:
    """Every slot and what fills it."""
    registry, slots = known.registry, known.slots
    origins: dict[str, Plugin] = {"skb": registry.skb_backends.origin(known.backend)}
    chosen: dict[str, str] = {"skb": known.backend}
    for slot in slots.all():
        name = chosen[slot] = slots.decide(slot).chosen
        match slot.partition(":")[0]:
            case "cpu-driver":
                origins[slot] = registry.cpu_drivers.origin(name)
            case "monitor":
                origins[slot] = registry.monitors.origin(name)
            case "transport":
                origins[slot] = registry.transports.origin(name)
            case _:
                origins[slot] = registry.consistency_protocols.origin(name)
    hashes = {plugin.name: plugin.source_hash for plugin in origins.values()}
    return tuple(
        Binding(slot, chosen[slot], plugin.distribution, plugin.version, hashes[plugin.name])
        for slot, plugin in origins.items()
    ) + tuple(policy.binding() for policy in known.policies if policy.name)


def core_kinds(known: Knowledge, chosen: dict[str, str]) -> tuple[CoreKind, ...]:
    """The kinds that have cores.  What the board says a path costs goes before what the driver says."""
    topology = known.board.topology()
    used = {core.kind for core in topology.cores}
    kinds: list[CoreKind] = []
    for kind in sorted((kind for kind in topology.kinds if kind.name in used), key=lambda kind: kind.name):
        driver = chosen[f"cpu-driver:{kind.name}"]
        entry = CoreKind(kind.name, kind.isa, kind.mhz, kind.word, kind.endian, kind.mmu, driver, kind.costs,
                         kind.tlb_entries, kind.store_buffer, kind.outstanding)  # fmt: skip
        model = known.registry.cpu_drivers.get(driver).factory(entry)
        costs = {cost.name: cost for cost in (*model.costs, *kind.costs)}
        kinds.append(replace(entry, costs=tuple(costs[name] for name in sorted(costs))))
    return tuple(kinds)


def core_table(topology: Topology, gateways: Mapping[int, int], marks: Mapping[int, int]) -> tuple[CoreEntry, ...]:
    """One row a core, by id."""
    return tuple(
        CoreEntry(
            id=core.id,
            kind=core.kind,
            space=core.space,
            node=core.node,
            island=core.island,
            package=core.package,
            cluster=core.cluster,
            hardware_id=core.hardware_id,
            start=core.start,
            fails=core.fails,
            groups=topology.memberships[core.id],
            gateway=gateways[core.id],
            mark=marks.get(core.id, 0),
        )
        for core in topology.cores
    )


def memory_map(topology: Topology) -> tuple[Memory, ...]:
    """Every region, by name."""
    regions = sorted(topology.regions, key=lambda region: region.id)
    return tuple(Memory(r.id, r.kind, r.base, r.size, r.node) for r in regions)


def views(topology: Topology) -> tuple[View, ...]:
    """What each space that cores use sees of memory, by space and address."""
    regions = {region.id for region in topology.regions}
    return tuple(
        View(space, window.address, window.size, window.region, window.offset, window.cacheable)
        for space in sorted({core.space for core in topology.cores})
        for window in topology.spaces.windows(space)
        if window.region in regions
    )


def interconnect(topology: Topology) -> Interconnect:
    """What lies between the cores, as far as the board says; times in picoseconds."""
    matrix = topology.matrix
    senders = {count.name: topology.kind(topology.core(count.src).kind).mhz for count in topology.classes()}
    return Interconnect(
        groups=tuple(group.level for group in topology.groups),
        nodes=tuple(sorted(node.id for node in topology.nodes)),
        links=tuple(
            Link(link.a, link.b, link.kind, link.bandwidth_mbs, link.latency_ns * 1000 if link.latency_ns >= 0 else -1)
            for link in topology.links
        ),
        distances=tuple((a, b, distance) for (a, b), distance in sorted(topology.distances.items())),
        islands=tuple(Island(island.protocol, island.line, island.regions) for island in topology.islands),
        latencies=tuple(latency_row(told, senders[told.cls]) for told in topology.latencies if told.cls in senders),
        offsets=tuple(topology.offsets.items()),
        matrix=tuple(MatrixRow(*row) for row in zip(matrix.ids, matrix.ps, strict=True)) if matrix else (),
    )


def latency_row(told: BoardLatency, mhz: int) -> Latency:
    """What the board says of a class, in picoseconds of a sender at `mhz`."""

    def ps(amount: int) -> int:
        return picoseconds(amount, told.unit, mhz) if amount >= 0 else -1

    return Latency(
        pair_class=told.cls,
        ps=ps(told.mean),
        sd_ps=ps(told.sd),
        status=told.status,
        source=told.source,
        home=told.home,
        min_ps=ps(told.min),
        max_ps=ps(told.max),
        p99_ps=ps(told.p99),
        count=told.count,
    )


def static_channels(known: Knowledge, pairs: Pairs, classes: tuple[PairClass, ...]) -> tuple[ChannelEntry, ...]:
    """To each core from its gateway, then one for each class whose representatives have none.  A channel carries
    both directions, so two cores share at most one; cores whose messages are relayed share none.  What the board
    fixes is placed there, and every channel held to the contract of its sides.  Raises BindingError."""
    topology = known.board.topology()
    transports = known.registry.transports
    by_name = {entry.name: entry for entry in classes}
    root = topology.boot_core
    wanted = dict.fromkeys((known.gateways[core.id], core.id) for core in topology.cores if core.id != root)
    parts = known.slots.partition()
    for entry in classes:
        if (entry.dst, entry.src) not in wanted and entry.scope == "channel":
            wanted[entry.src, entry.dst] = None
    lines = {
        entry.name: transports.get(entry.transport).factory().lines(entry.slots)
        for entry in classes
        if entry.scope != "circuit"
    }
    layout = Layout(topology)
    contracts = Contracts(known.board)
    contracts.reserve(layout)
    channels: list[ChannelEntry] = []
    for number, (a, b) in enumerate(contracts.pairs(wanted, known.gateways)):
        entry = by_name[parts.name(topology.pair_class(a, b), a, b)]
        back = by_name[parts.name(topology.pair_class(b, a), b, a)]
        rings = entry.notify != "", back.notify != ""
        if fixed := contracts.fixed(a, b):
            size = transports.get(entry.transport).factory().lines(fixed.slots) * LINE
            channels.append(contracts.entry(number, fixed, entry, size))
            contracts.check(channels[-1], size, rings)
            continue
        size = lines[entry.name] * LINE
        if entry.scope == "link":
            near, far = (own_side(topology, pairs, layout, entry.device, core, size) for core in (a, b))
            placed = Placed(near[1].offset, near[1].address, far[1].address)
            channels.append(
                ChannelEntry(number, a, b, entry.name, entry.transport, near[0], *placed, slots=entry.slots,
                             far_region=far[0], far_offset=far[1].offset)
            )  # fmt: skip
            contracts.check_sides(channels[-1], size)
            continue
        region = pairs.place(a, b).region
        placed = layout.place(region, a, b, size)
        channels.append(ChannelEntry(number, a, b, entry.name, entry.transport, region, *placed, slots=entry.slots))
        contracts.check(channels[-1], size, rings)
    return tuple(channels)


def own_side(topology: Topology, pairs: Pairs, layout: Layout, device: str, core: int, size: int) -> tuple[str, Area]:
    """The region, and the place in it, of `core`'s own side of a channel over `device`; none for no bytes."""
    if not size:
        return "", Area(0, 0)
    region = pairs.own(core, device)
    return region, layout.area(region, core, topology.device(device).dma_space, size)
