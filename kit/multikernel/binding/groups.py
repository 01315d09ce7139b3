"""Which cores hold each object that is agreed on among equals.

    holders(known, object, protocol) -> cores, in the order in which the protocol takes them
    groups(known, bindings)          -> tuple[Placement, ...], a `group:OBJECT` each

The policy `group` ranks, this deals: all cores, or for a protocol of a few the first five, or three, or fewer where
there are no more.  The boot core is the first: there a protocol that has a leader begins with it.

May not know: what protocols do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multikernel.blueprint import Binding, Placement
from multikernel.board.units import id_ranges

if TYPE_CHECKING:
    from multikernel.assemble import Knowledge

FEW = (5, 3)
"""How many hold an object that a few keep: of five two may die, of three one."""


def ranked(known: Knowledge) -> list[tuple[int, int]]:
    """The cores that may hold an object, each with its least rank, the first first."""
    best: dict[int, int] = {}
    for rank, core in known.skb.query("group_order(K, C)").integers():
        best[core] = min(rank, best.get(core, rank))
    return sorted((rank, core) for core, rank in best.items())


def holders(known: Knowledge, protocol: str) -> tuple[int, ...]:
    """The cores that hold an object kept by `protocol`, the first of them first; none for a protocol over a tree."""
    members = known.registry.consistency_protocols.get(protocol).members
    cores = () if members == "spanned" else tuple(core for _, core in ranked(known))
    if members != "few":
        return cores
    return cores[: next((count for count in FEW if count <= len(cores)), len(cores))]


def told(cores: Sequence[int]) -> str:
    """`4,0-3`: the first of them, then the others."""
    return ",".join(filter(None, (str(cores[0]), id_ranges(sorted(cores[1:])))))


def groups(known: Knowledge, bindings: Sequence[Binding]) -> tuple[Placement, ...]:
    """See the module."""
    found = [
        (binding.slot.partition(":")[2], holders(known, binding.plugin))
        for binding in bindings
        if binding.slot.startswith("consistency:")
    ]
    return tuple(Placement(f"group:{name}", told(cores)) for name, cores in found if cores)
