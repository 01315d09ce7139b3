"""What the coherence model takes from a blueprint, derived before anything is compared.

    parameters = derive(blueprint)
    parameters.assumptions        what no source states, and what the model takes instead

The derivation (docs/model.md tells it at length).  A board states L(c), the one-way latency of a line's
message over pair class c.  A message is two transactions, the sender's ownership and the receiver's
fetch.  A transaction of a requester for a line with a home, over class c, takes

    T = fixed(c) + hop * legs
    legs, probe-broadcast       requester to home, home to every node, the slowest of them back
          directory, filter     requester to home, home to the caches concerned, the slowest of them back
          bus                   0

`hop` is the time of a link that the board's links state, 0 if they state none; `fixed(c)` is what is left of L(c)
after the mean legs of a message whose line is homed at its receiver, in equal halves, so that L(c) is met.
Nothing but these latencies goes in.

May not know: the engine, what runs on a core.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mk_sim.geometry import Geometry

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
_BASE = re.compile(r"(?:island:)?(shared:[^:]+|hops:\d+|slit:\d+|remote)")


@dataclass(frozen=True, slots=True)
class CoreParameters:
    """A core: its place, the ranks of its groups (smallest first), the cost of a hit, how many lines its
    store buffer holds and how many misses it keeps in flight."""

    id: int
    kind: str
    node: int
    island: int
    groups: tuple[int, ...]
    hit_ps: int
    store_buffer: int
    outstanding: int


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
    """Everything the model knows of a machine.  `fixed_ps` maps a pair class to fixed(c); `memory_ps` a core
    kind to the fixed part of a transaction that no cache answers.  `levels` names the groups by rank."""

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


def derive(blueprint: Blueprint, homes: Iterable[tuple[int, int, int]] | None = None) -> Parameters:
    """The parameters of a blueprint.  `homes`, rows of (first line, last line, node), replaces its memory
    map."""
    wires = blueprint.interconnect
    notes: list[str] = []
    kinds = {kind.name: kind for kind in blueprint.kinds}
    if homes is None:
        homes = [(row.base // LINE, (row.base + row.size - 1) // LINE, row.node) for row in blueprint.memory]
    islands = _islands(blueprint.cores, wires, notes)
    stated = {latency.pair_class: latency.ps for latency in wires.latencies}
    if not stated:
        notes.append(NO_LATENCY)
        stated = {pair_class.name: ASSUMED_PS for pair_class in blueprint.pair_classes} or {"remote": ASSUMED_PS}
    hop_ps, fixed = _split(wires, islands, stated, notes)
    for pair_class in blueprint.pair_classes:
        if pair_class.name not in fixed:
            fixed[pair_class.name] = _unstated(pair_class.name, fixed, notes)
    return Parameters(
        cores=tuple(_core(core, kinds[core.kind], notes) for core in blueprint.cores),
        islands=islands,
        links=tuple(
            LinkParameters(link.a, link.b, _ps_per_kib(link.bandwidth_mbs, f"link {link.a}-{link.b}", notes))
            for link in wires.links
        ),
        distances=wires.distances,
        levels=wires.groups,
        homes=tuple(Home(*home) for home in sorted(homes)),
        fixed_ps=tuple(sorted(fixed.items())),
        memory_ps=tuple((kind, _memory(kind, stated, fixed, notes)) for kind in sorted(kinds)),
        hop_ps=hop_ps,
        assumptions=tuple(dict.fromkeys(notes)),
    )


def _core(core: CoreEntry, kind: CoreKind, notes: list[str]) -> CoreParameters:
    cycles = {cost.name: cost.cycles for cost in kind.costs}
    if kind.outstanding < 1:
        notes.append(f"kind {kind.name}: misses in flight not stated, 1 taken, the least possible")
    if kind.store_buffer < 1:
        notes.append(f"kind {kind.name}: store buffer not stated, 1 line taken, the least possible")
    if "cache_hit" not in cycles:
        notes.append(f"kind {kind.name}: cost cache_hit not stated, {HIT_CYCLES} cycles taken, as of AMD family 10h")
    hit_ps = cycles.get("cache_hit", HIT_CYCLES) * 1_000_000 // kind.mhz
    outstanding, depth = max(kind.outstanding, 1), max(kind.store_buffer // WORDS, 1)
    return CoreParameters(core.id, kind.name, core.node, core.island, core.groups, hit_ps, depth, outstanding)


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


def _split(
    wires: Interconnect, islands: tuple[IslandParameters, ...], stated: dict[str, int], notes: list[str]
) -> tuple[int, dict[str, int]]:
    """`hop` and `fixed`; see the module."""
    times = [link.latency_ps for link in wires.links if link.latency_ps >= 0]
    hop_ps = sum(times) // len(times) if times else 0
    if wires.links and not times:
        notes.append("links: latency not stated, so neither is the price of a home far away; 0 taken")
    legs = _mean_legs(wires, islands)
    fixed = {name: round((ps - hop_ps * legs.get(_base(name), Fraction(0))) / 2) for name, ps in stated.items()}
    for name in [name for name, ps in fixed.items() if ps < 0]:
        notes.append(f"class {name}: its latency is less than its links' alone; they are met, it is not")
        fixed[name] = 0
    return hop_ps, fixed


def _base(name: str) -> str:
    match = _BASE.match(name)
    return match.group(1) if match else name


def _mean_legs(wires: Interconnect, islands: tuple[IslandParameters, ...]) -> dict[str, Fraction]:
    """Mean legs of a message, ownership and fetch, over the node pairs of a class; a group is taken to lie
    within one node."""
    geometry = Geometry(wires.links, wires.nodes)
    found: dict[str, list[int]] = {}
    for island in islands:
        everywhere = island.nodes if island.protocol == "probe-broadcast" else ()
        for sender in island.nodes:
            for receiver in island.nodes:
                legs = 0
                if island.protocol != "bus":
                    legs = geometry.legs(sender, receiver, everywhere or (receiver,))
                    legs += geometry.legs(receiver, receiver, everywhere or (sender,))
                found.setdefault(f"hops:{geometry.hops(sender, receiver)}", []).append(legs)
                if sender == receiver:
                    for level in wires.groups:
                        found.setdefault(f"shared:{level}", []).append(legs)
    return {name: Fraction(sum(legs), len(legs)) for name, legs in found.items()}


def _unstated(name: str, fixed: dict[str, int], notes: list[str]) -> int:
    """fixed(c) of a class without a stated latency: that of the most distant stated class of hops for a class
    of hops, else the greatest of all."""
    near = [other for other in fixed if _base(name).startswith("hops:") and other.startswith("hops:")]
    taken = max(near, key=lambda other: int(_base(other)[5:])) if near else max(sorted(fixed), key=fixed.__getitem__)
    notes.append(f"class {name}: latency not stated, the fixed part of {taken} taken")
    return fixed[taken]


def _memory(kind: str, stated: dict[str, int], fixed: dict[str, int], notes: list[str]) -> int:
    """The fixed part of a transaction with memory: half the greatest latency between islands that names the
    kind, or that names none; else the greatest fixed(c)."""
    across = [name for name in stated if name.startswith("island:")]
    own = [name for name in across if kind in re.split(r"[:>]|->", name)] or [n for n in across if "->" not in n]
    if own:
        return max(fixed[name] for name in own)
    notes.append(f"kind {kind}: latency of memory not stated, the greatest fixed part between caches taken")
    return max(fixed.values())
