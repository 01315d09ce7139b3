"""From the latencies a board states to the fixed parts of transactions.

    parts = split(wires, islands, stated, classes, notes)   hop, fixed(c), fixed(c, home)
    by_pair(cores, wires, islands, hop_ps)                  fixed(a, b), from a matrix
    memory(kind, fixed, notes)                              of a transaction that no cache answers

A board states L, the one-way latency of a line's message: of a pair class, of a class and a home, or of two cores.
A message is two transactions, the sender's ownership and the receiver's fetch, of hop * legs and a fixed part each.
The fixed part is what is left of L after the mean legs of a message, in equal halves, so that L is met.

    home        the line's home is                  mean legs over
    receiver    the receiver's node                 the class's pairs of nodes
    sender      the sender's node, another          the same
    elsewhere   a node of neither                   the same, and the other nodes
    any         not told apart                      as for receiver

May not know: where a line is, the engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mk_sim.geometry import Geometry

if TYPE_CHECKING:
    from mk_sim.parameters import IslandParameters
    from multikernel.blueprint import CoreEntry, Interconnect

HOMES = ("receiver", "sender", "elsewhere")
_BASE = re.compile(r"(?:island:)?(shared:[^:]+|hops:\d+|slit:\d+|remote)")


@dataclass(frozen=True, slots=True)
class Parts:
    """Picoseconds: of a link; fixed, by class; fixed, by class and home, where the board tells homes apart."""

    hop_ps: int
    fixed: dict[str, int]
    homed: dict[tuple[str, str], int]


def relation(home: int, sender: int, receiver: int) -> str:
    """Where node `home` lies, seen from the nodes of a message's sender and receiver."""
    return "receiver" if home == receiver else "sender" if home == sender else "elsewhere"


def split(
    wires: Interconnect,
    islands: tuple[IslandParameters, ...],
    stated: dict[tuple[str, str], int],
    classes: Iterable[str],
    notes: list[str],
) -> Parts:
    """`stated` maps (class, home or nothing) to L in picoseconds, `classes` are those the machine has.  A class that
    is stated for some homes has for any other what it has for any, else for the receiver, the sender, elsewhere."""
    times = [link.latency_ps for link in wires.links if link.latency_ps >= 0]
    hop_ps = sum(times) // len(times) if times else 0
    if wires.links and not times:
        notes.append("links: latency not stated, so neither is the price of a home far away; 0 taken")
    legs = {home: _mean_legs(wires, islands, home) for home in dict.fromkeys(home or "receiver" for _, home in stated)}
    halves = {}
    for (name, home), ps in stated.items():
        half = round((ps - hop_ps * legs[home or "receiver"].get(_base(name), Fraction(0))) / 2)
        if half < 0:
            notes.append(f"class {name}: its latency is less than its links' alone; they are met, it is not")
        halves[name, home] = max(half, 0)
    fixed = {}
    for name in dict.fromkeys(name for name, _ in stated):
        first = next(home for home in ("", *HOMES) if (name, home) in halves)
        fixed[name] = halves[name, first]
        near = _base(name) == "hops:0" or name.startswith("shared:")  # one node, so no sender's beside it
        if first and not all((name, home) in halves for home in HOMES if not near or home != "sender"):
            notes.append(f"class {name}: not stated for every home; where it is not, home {first} is taken")
    for name in classes:
        if name not in fixed:
            fixed[name] = _unstated(name, fixed, notes)
    return Parts(hop_ps, fixed, {key: half for key, half in halves.items() if key[1]})


def by_pair(
    cores: Sequence[CoreEntry], wires: Interconnect, islands: tuple[IslandParameters, ...], hop_ps: int
) -> tuple[tuple[int, int, int], ...]:
    """(sender, receiver, fixed part) of each pair in the matrix; none without one."""
    entries = {core.id: core for core in cores}
    geometry = Geometry(wires.links, wires.nodes)
    found = []
    for row in wires.matrix:
        sender = entries[row.core]
        for column, ps in zip(wires.matrix, row.ps, strict=True):
            receiver = entries[column.core]
            if receiver is sender:
                continue
            legs = 0
            if hop_ps and sender.island == receiver.island >= 0:
                legs = _legs(geometry, islands[sender.island], sender.node, receiver.node, receiver.node)
            found.append((row.core, column.core, max(round(Fraction(ps - hop_ps * legs, 2)), 0)))
    return tuple(found)


def memory(kind: str, fixed: dict[str, int], notes: list[str]) -> int:
    """The fixed part of a transaction with memory: half the greatest latency between islands that names the
    kind, or that names none; else the greatest fixed(c)."""
    across = [name for name in fixed if name.startswith("island:")]
    own = [name for name in across if kind in re.split(r"[:>]|->", name)] or [n for n in across if "->" not in n]
    if own:
        return max(fixed[name] for name in own)
    notes.append(f"kind {kind}: latency of memory not stated, the greatest fixed part between caches taken")
    return max(fixed.values())


def _base(name: str) -> str:
    match = _BASE.match(name)
    return match.group(1) if match else name


def _legs(geometry: Geometry, island: IslandParameters, sender: int, receiver: int, home: int) -> int:
    """Legs of a message, ownership and fetch."""
    if island.protocol == "bus":
        return 0
    everywhere = island.nodes if island.protocol == "probe-broadcast" else ()
    own = geometry.legs(sender, home, everywhere or (receiver,))
    return own + geometry.legs(receiver, home, everywhere or (sender,))


def _mean_legs(wires: Interconnect, islands: tuple[IslandParameters, ...], home: str) -> dict[str, Fraction]:
    """Mean legs of a message whose line has that home, over the node pairs of a class; a group is taken to lie
    within one node."""
    geometry = Geometry(wires.links, wires.nodes)
    found: dict[str, list[int]] = {}
    for island in islands:
        for sender in island.nodes:
            for receiver in island.nodes:
                homes = [receiver] if home == "receiver" else [sender]
                if home == "elsewhere":
                    homes = [node for node in wires.nodes if node not in (sender, receiver)]
                legs = [_legs(geometry, island, sender, receiver, node) for node in homes]
                found.setdefault(f"hops:{geometry.hops(sender, receiver)}", []).extend(legs)
                if sender == receiver:
                    for level in wires.groups:
                        found.setdefault(f"shared:{level}", []).extend(legs)
    return {name: Fraction(sum(legs), len(legs)) for name, legs in found.items() if legs}


def _unstated(name: str, fixed: dict[str, int], notes: list[str]) -> int:
    """fixed(c) of a class without a stated latency: that of the most distant stated class of hops for a class
    of hops, else the greatest of all."""
    near = [other for other in fixed if _base(name).startswith("hops:") and other.startswith("hops:")]
    taken = max(near, key=lambda other: int(_base(other)[5:])) if near else max(sorted(fixed), key=fixed.__getitem__)
    notes.append(f"class {name}: latency not stated, the fixed part of {taken} taken")
    return fixed[taken]
