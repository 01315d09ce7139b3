"""Consistency protocols over a tree, as step functions over plain data (`group.py` has those among equals).

    protocol.begin(state, operation, value, tree, branches)  -> effects     the core that asks
    protocol.step(state, event)                              -> effects     every core, every event
    prune(member, root, cores, absent) -> branches           the part of a tree that leads to some cores

No I/O, no clock, no randomness: that is what lets a protocol be replayed, explored exhaustively at small
sizes, and compared with its C twin.  The monitor carries effects out in order; an `Apply` or a
`Release` is finished (its `Applied` event stepped), and a `Vote` answered (`Voted`), before the next effect is begun.

May not know: monitors, channels, what is agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

ALL = (1 << 64) - 1
"""`among` that names every child, however many there are."""


class Branch(NamedTuple):
    """A child to send to, and which of its own children it passes on to: bit i for the i-th."""

    child: int
    among: int


class Received(NamedTuple):
    """A message of this protocol from `source`; `among` are the children to pass it on to."""

    source: int
    operation: int
    phase: int
    value: int
    tree: int
    among: int


class Applied(NamedTuple):
    """The local effect of `operation`, an `Apply` or a `Release`, is done on this core."""

    operation: int


class Voted(NamedTuple):
    """This core's replica has been asked by a `Vote`: it can carry `operation` out if `accepted`."""

    operation: int
    accepted: bool


EVERYBODY = -1
"""A `Send` to all members at once, over the root's broadcast channel."""


class Send(NamedTuple):
    """Send to `target`'s monitor, or to EVERYBODY."""

    target: int
    operation: int
    phase: int
    value: int
    tree: int
    among: int


class Apply(NamedTuple):
    """Carry the agreed `value` out on this core."""

    operation: int
    value: int


class Vote(NamedTuple):
    """Ask this core's replica whether it can carry `value` out.  If it can, it will until `Apply` or `Release`."""

    operation: int
    value: int


class Release(NamedTuple):
    """`value`, which this core accepted, is not carried out anywhere: what was held for it is free."""

    operation: int
    value: int


class Complete(NamedTuple):
    """On the core that asked: every core has carried it out, or, not `committed`, none has and none will."""

    operation: int
    committed: bool = True


Event: TypeAlias = Received | Applied | Voted
Effect: TypeAlias = Send | Apply | Vote | Release | Complete


class Member(NamedTuple):
    """Who a core is in a tree: its parent (-1 at the root), its place among the parent's children, and the
    children it forwards to, in order."""

    parent: int
    place: int
    children: tuple[int, ...]

    def among(self, among: int) -> tuple[int, ...]:
        """The children that `among` names."""
        return tuple(child for place, child in enumerate(self.children) if among == ALL or among >> place & 1)


class Ballot(NamedTuple):
    """What a core keeps of an operation that is voted on: whom it answers (-1: nobody, it asked), and which cores, it
    among them, are still to answer what it sent last; whether it accepted, and whether all that answered did."""

    parent: int
    value: int
    tree: int
    branches: tuple[Branch, ...]
    awaited: tuple[int, ...]
    decided: bool = False
    accepted: bool = False
    all_accepted: bool = True


@dataclass(slots=True)
class ReplicaState:
    """One core's state of one replicated object: `members` by tree number, and the operations under
    way: whom an acknowledgement is owed to and how many are awaited, and those that are voted on."""

    core: int
    members: tuple[Member, ...]
    awaited: dict[int, int] = field(default_factory=dict)
    owed: dict[int, int] = field(default_factory=dict)
    ballots: dict[int, Ballot] = field(default_factory=dict)

    def under_way(self, operation: int) -> bool:
        """Whether this core still has to do with `operation`."""
        return operation in self.awaited or operation in self.ballots


def prune(member: Callable[[int], Member], root: int, cores: Container[int], absent: Container[int]) -> list[Branch]:
    """The branches of `root` that lead to `cores`.  A child that is `absent` is stood in for by its own
    children.  Trees deeper than two levels, or wider than 64, are not pruned below the first level."""
    branches: list[Branch] = []
    for child in member(root).children:
        below = member(child).children
        deep = any(member(core).children for core in below) or len(below) > 64
        if child in absent:
            branches.extend(Branch(core, ALL) for core in below if core not in absent and (deep or core in cores))
            continue
        wanted = ALL if deep else sum(1 << place for place, core in enumerate(below) if core in cores)
        if wanted or child in cores:
            branches.append(Branch(child, wanted))
    return branches


@runtime_checkable
class TreeProtocol(Protocol):
    """A plugin's protocol over a tree.  Unknown operations and phases raise PeerError."""

    def begin(
        self, state: ReplicaState, operation: int, value: int, tree: int, branches: Sequence[Branch]
    ) -> Sequence[Effect]: ...

    def step(self, state: ReplicaState, event: Event) -> Sequence[Effect]: ...
