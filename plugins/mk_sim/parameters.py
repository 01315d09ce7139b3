"""What the coherence model takes from a blueprint, derived before anything is compared.

    parameters = derive(blueprint)
    parameters.assumptions        what no source states, and what the model takes instead

The derivation (docs/model.md tells it at length).  A transaction of a requester for a line takes

    T = fixed + hop * legs
    legs, probe-broadcast       requester to home, home to every node, the slowest of them back
          directory, filter     requester to home, home to the caches concerned, the slowest of them back
          bus                   0

`hop` is the time of a link that the board's links state, 0 if they state none; the fixed parts are what the stated
latencies leave, see `latencies.py`.  Nothing but these latencies goes in.

May not know: the engine, what runs on a core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mk_sim.latencies import by_pair, memory, split

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint, CoreEntry, CoreKind, Interconnect

LINE = 64
WORDS = 8
"""Stores that write a line: 8 bytes each, as the ring's layout has them.  A buffer of n stores holds n // 8."""
HIT_CYCLES = 3
"""Load-to-use of a first-level hit: Software Optimization Guide for AMD Family 10h Processors, 40546;
taken for every kind without a cost `cache_hit`."""
ASSUMED_PS = 300_000
"""One-way latency between any two cores of a board that states none: within the 538 to 618 cycles at 2 GHz of the
8x4-core AMD machine in table 2 of Baumann et al., SOSP 2009."""
NO_LATENCY = (
    f"no latency between cores is stated; {ASSUMED_PS // 1000} ns taken for every pair, as on the 8x4-core AMD "
    "machine of SOSP 2009"
)


@dataclass(frozen=True, slots=True)
class CoreParameters:
    """A core: its place, the ranks of its groups (smallest first), the cost of a hit, how many lines its
    store buffer holds, how many misses it keeps in flight, and what its own place adds to each transaction it
    has a part in."""

    id: int
    kind: str
    node: int
    island: int
    groups: tuple[int, ...]
    hit_ps: int
    store_buffer: int
    outstanding: int
    offset_ps: int = 0


@dataclass(frozen=True, slots=True)
class IslandParameters:
    """`protocol` is bus, probe-broadcast, probe-filter or directory; `nodes` those its cores are on."""

    protocol: str
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """A link, alike both ways.  `ps_per_kib` is the time of 1024 bytes, 0 where no bandwidth is known."""

    a: int
    b: int
    ps_per_kib: int


@dataclass(frozen=True, slots=True)
class Home:
    """Lines `first` to `last` are homed at `node`."""

    first: int
    last: int
    node: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything the model knows of a machine.  `fixed_ps` maps a pair class to its fixed part; `homed_ps` (class,
    home) to the one that goes before it, where the board tells homes apart; `pairs_ps` (sender, receiver) to the one
    that goes before both, from a matrix.  `memory_ps` maps a core kind to the fixed part of a transaction that no
    cache answers.  `levels` names the groups by rank.

    `fetch_percent` of a message's two fixed parts together is the fetch's, the rest the ownership's; `controller_ps`
    a transaction occupies its home's memory controller.  No source says either: half and nothing are taken, and
    docs/model.md has what comes out over their whole intervals."""

    cores: tuple[CoreParameters, ...]
    islands: tuple[IslandParameters, ...]
    links: tuple[LinkParameters, ...]
    distances: tuple[tuple[int, int, int], ...]
    levels: tuple[str, ...]
    homes: tuple[Home, ...]
    fixed_ps: tuple[tuple[str, int], ...]
    memory_ps: tuple[tuple[str, int], ...]
    hop_ps: int
    assumptions: tuple[str, ...]
    homed_ps: tuple[tuple[str, str, int], ...] = ()
    pairs_ps: tuple[tuple[int, int, int], ...] = ()
    fetch_percent: int = 50
    controller_ps: int = 0


def derive(blueprint: Blueprint, homes: Iterable[tuple[int, int, int]] | None = None) -> Parameters:
    """The parameters of a blueprint.  `homes`, rows of (first line, last line, node), replaces its memory
    map."""
    wires = blueprint.interconnect
    notes: list[str] = []
    kinds = {kind.name: kind for kind in blueprint.kinds}
    if homes is None:
        homes = [(row.base // LINE, (row.base + row.size - 1) // LINE, row.node) for row in blueprint.memory]
    islands = _islands(blueprint.cores, wires, notes)
    stated = {(latency.pair_class, latency.home): latency.ps for latency in wires.latencies}
    parts_of = {variant.name: variant.pair_class for variant in blueprint.variants}  # bound otherwise, as far away
    classes = list(dict.fromkeys(parts_of.get(row.name, row.name) for row in blueprint.pair_classes))
    if not stated:
        greatest = max((ps for row in wires.matrix for ps in row.ps), default=0)
        notes.append("no class's latency is stated; the matrix's greatest taken for all" if greatest else NO_LATENCY)
        stated = {(name, ""): greatest or ASSUMED_PS for name in classes or ["remote"]}
    parts = split(wires, islands, stated, classes, notes)
    known = {name: parts.fixed[name] for name, _ in stated}
    offsets = dict(wires.offsets)
    return Parameters(
        cores=tuple(_core(core, kinds[core.kind], offsets.get(core.id, 0), notes) for core in blueprint.cores),
        islands=islands,
        links=tuple(
            LinkParameters(link.a, link.b, _ps_per_kib(link.bandwidth_mbs, f"link {link.a}-{link.b}", notes))
            for link in wires.links
        ),
        distances=wires.distances,
        levels=wires.groups,
        homes=tuple(Home(*home) for home in sorted(homes)),
        fixed_ps=tuple(sorted(parts.fixed.items())),
        memory_ps=tuple((kind, memory(kind, known, notes)) for kind in sorted(kinds)),
        hop_ps=parts.hop_ps,
        assumptions=tuple(dict.fromkeys(notes)),
        homed_ps=tuple((name, home, ps) for (name, home), ps in sorted(parts.homed.items())),
        pairs_ps=by_pair(blueprint.cores, wires, islands, parts.hop_ps),
    )


def _core(core: CoreEntry, kind: CoreKind, plus_ps: int, notes: list[str]) -> CoreParameters:
    cycles = {cost.name: cost.cycles for cost in kind.costs}
    if kind.outstanding < 1:
        notes.append(f"kind {kind.name}: misses in flight not stated, 1 taken, the least possible")
    if kind.store_buffer < 1:
        notes.append(f"kind {kind.name}: store buffer not stated, 1 line taken, the least possible")
    if "cache_hit" not in cycles:
        notes.append(f"kind {kind.name}: cost cache_hit not stated, {HIT_CYCLES} cycles taken, as of AMD family 10h")
    hit_ps = cycles.get("cache_hit", HIT_CYCLES) * 1_000_000 // kind.mhz
    outstanding, depth = max(kind.outstanding, 1), max(kind.store_buffer // WORDS, 1)
    return CoreParameters(
        core.id, kind.name, core.node, core.island, core.groups, hit_ps, depth, outstanding, plus_ps // 2
    )


def _islands(cores: Iterable[CoreEntry], wires: Interconnect, notes: list[str]) -> tuple[IslandParameters, ...]:
    nodes: dict[int, list[int]] = {}
    for core in cores:
        nodes.setdefault(core.island, []).append(core.node)
    found = []
    for index, island in enumerate(wires.islands):
        if not island.protocol:
            notes.append(f"island {index}: protocol not stated, directory taken, that of the fewest probes")
        members = tuple(sorted(dict.fromkeys(nodes.get(index, ()))))
        found.append(IslandParameters(island.protocol or "directory", members))
    return tuple(found)


def _ps_per_kib(bandwidth_mbs: int, what: str, notes: list[str]) -> int:
    if bandwidth_mbs < 1:
        notes.append(f"{what}: bandwidth not stated, nothing queues on it")
        return 0
    return 1_000_000 * 1024 // bandwidth_mbs
