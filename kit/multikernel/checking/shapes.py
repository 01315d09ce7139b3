"""The four trees of an agreement, at small sizes.

    members(tree, cores) -> a core's place in the tree, by core

Core 0 is the root.  `broadcast` and `unicast` are flat; `multicast` is of packages of two, the first of which hands
on to the second; `numa` is the same, the last package first (`binding/trees.py` lays them over boards).

May not know: protocols.
"""

from __future__ import annotations

from multikernel.system.protocol import Member
from multikernel.system.routes import TREES


def members(tree: str, cores: int) -> tuple[Member, ...]:
    """Who each of `cores` cores is in `tree`, one of `TREES`."""
    children: list[list[int]] = [[] for _ in range(cores)]
    flat = tree in TREES[:2]
    for core in range(1, cores):
        children[0 if flat or core % 2 else core - 1].append(core)
    if tree == "numa":
        children[0].reverse()
    places = {child: (core, place) for core in range(cores) for place, child in enumerate(children[core])}
    return tuple(Member(*places.get(core, (-1, 0)), tuple(children[core])) for core in range(cores))


def role(member: Member) -> str:
    """What a core is in its tree: root, inner or leaf."""
    if member.parent < 0:
        return "root"
    return "inner" if member.children else "leaf"
