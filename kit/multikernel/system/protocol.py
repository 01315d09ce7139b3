"""Consistency protocols as step functions over plain data.

    protocol.begin(state, operation, value, tree)  -> effects       the core that asks
    protocol.step(state, event)                    -> effects       every core, every event

No I/O, no clock, no randomness: that is what lets a protocol be replayed, explored exhaustively at small
sizes, and compared with its C twin.  The monitor carries effects out in order; an `Apply` is finished
(its `Applied` event stepped) before the next effect is begun.

May not know: monitors, channels, what is agreed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias


class Received(NamedTuple):
    """A message of this protocol from `source`."""

    source: int
    operation: int
    phase: int
    value: int
    tree: int


class Applied(NamedTuple):
    """The local effect of `operation` is done on this core."""

    operation: int


EVERYBODY = -1
"""A `Send` to all members at once, over the root's broadcast channel."""


class Send(NamedTuple):
    """Send to `target`'s monitor, or to EVERYBODY."""

    target: int
    operation: int
    phase: int
    value: int
    tree: int


class Apply(NamedTuple):
    """Carry the agreed `value` out on this core."""

    operation: int
    value: int


class Complete(NamedTuple):
    """On the core that asked: every core has carried it out."""

    operation: int


Event: TypeAlias = Received | Applied
Effect: TypeAlias = Send | Apply | Complete


class Member(NamedTuple):
    """Who this core is in a tree: its parent (-1 at the root) and the children it forwards to, in order."""

    parent: int
    children: tuple[int, ...]


@dataclass(slots=True)
class ReplicaState:
    """One core's state of one replicated object: `members` by tree number, and the operations under
    way: whom an acknowledgement is owed to and how many are awaited."""

    core: int
    members: tuple[Member, ...]
    awaited: dict[int, int] = field(default_factory=dict)
    owed: dict[int, int] = field(default_factory=dict)


class ConsistencyProtocol(Protocol):
    """A plugin's protocol.  Unknown operations and phases raise PeerError."""

    def begin(self, state: ReplicaState, operation: int, value: int, tree: int) -> Sequence[Effect]: ...

    def step(self, state: ReplicaState, event: Event) -> Sequence[Effect]: ...
