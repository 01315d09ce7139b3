"""One-phase agreement, as for a TLB shootdown (Baumann et al., SOSP 2009, 5.1).

For effects that are idempotent and cannot be refused.  Over any tree:

    1  root     sends the value to its children (to everybody at once over a broadcast channel)
    2  a core   passes it on to its children, before anything else, so that they work meanwhile
    3           applies it
    4           acknowledges to its parent when it has applied it and all its children have acknowledged
    5  root     has applied it and has every acknowledgement: complete

Invariant: an acknowledgement says that the value is applied on the core and on all below it.

May not know: the value's meaning, channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.errors import PeerError
from multikernel.system.protocol import (
    ALL,
    EVERYBODY,
    Apply,
    Branch,
    Complete,
    Effect,
    Event,
    Received,
    ReplicaState,
    Send,
)

VALUE, ACK = 1, 2
BROADCAST = 0
"""The tree whose root reaches everybody by its broadcast channel."""


class OnePhase:
    """See `multikernel.system.protocol.TreeProtocol`.  `owed` maps an operation to whom its
    acknowledgement goes (-1: the root itself), `awaited` to how many things are still to come: the own
    application and each child's acknowledgement."""

    def begin(
        self, state: ReplicaState, operation: int, value: int, tree: int, branches: Sequence[Branch]
    ) -> Sequence[Effect]:
        if tree != BROADCAST:
            return self._spread(state, operation, value, tree, -1, branches)
        children = state.members[tree].children
        wanted = {branch.child: None for branch in branches}
        among = ALL if len(children) > 64 else sum(1 << place for place, c in enumerate(children) if c in wanted)
        state.owed[operation] = -1
        state.awaited[operation] = 1 + len(state.members[tree].among(among))
        if state.awaited[operation] == 1:
            return [Apply(operation, value)]
        return [Send(EVERYBODY, operation, VALUE, value, tree, among), Apply(operation, value)]

    def step(self, state: ReplicaState, event: Event) -> Sequence[Effect]:
        if not isinstance(event, Received):
            return self._arrived(state, event.operation)
        if event.phase == VALUE:
            if event.operation in state.awaited:
                raise PeerError(f"core {event.source} sent operation {event.operation} twice")
            member = state.members[event.tree]
            if event.tree == BROADCAST:
                concerned = event.among == ALL or event.among >> member.place & 1
                return (
                    self._spread(state, event.operation, event.value, event.tree, event.source, ()) if concerned else []
                )
            below = ALL if event.among == ALL else 0  # a tree that is not pruned may be deep
            branches = [Branch(child, below) for child in member.among(event.among)]
            return self._spread(state, event.operation, event.value, event.tree, event.source, branches)
        if event.phase == ACK and event.operation in state.awaited:
            return self._arrived(state, event.operation)
        raise PeerError(f"core {event.source} sent phase {event.phase} of operation {event.operation}, not under way")

    def _spread(
        self, state: ReplicaState, operation: int, value: int, tree: int, parent: int, branches: Sequence[Branch]
    ) -> Sequence[Effect]:
        """Steps 1 to 3."""
        state.owed[operation] = parent
        state.awaited[operation] = 1 + len(branches)
        sends = [Send(child, operation, VALUE, value, tree, among) for child, among in branches]
        return [*sends, Apply(operation, value)]

    def _arrived(self, state: ReplicaState, operation: int) -> Sequence[Effect]:
        """Steps 4 and 5."""
        state.awaited[operation] -= 1
        if state.awaited[operation]:
            return []
        del state.awaited[operation]
        parent = state.owed.pop(operation)
        return [Complete(operation)] if parent < 0 else [Send(parent, operation, ACK, 0, 0, 0)]
