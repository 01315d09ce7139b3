"""Two-phase commit (Gray, Notes on Data Base Operating Systems, LNCS 60, 1978), as the multikernel uses it for
operations on capabilities (Baumann et al., SOSP 2009, 5.2).  Over any tree:

    1  root     asks its children to prepare (everybody at once over a broadcast channel)
    2  a core   passes the question on to its children, before anything else, so that they work meanwhile
    3           asks its own replica, which accepts or refuses; what it accepts it holds
    4  5        answers its parent when it has all answers: yes if it and all below accept, else no
    6  7  root  has every answer: decides to commit if all are yes, else to abort, and tells its children
    8  9        a core passes the decision on
    10 11       carries the operation out, or gives up what it held
    12          acknowledges to its parent when it has done so and all its children have acknowledged
    13 14 root  has every acknowledgement: complete, committed or aborted

Any number of operations may be under way; each has a ballot of its own.  What comes a second time changes nothing: an
answer counts once for each core, a decision on what is over is acknowledged again.

Blocking: a core that has answered yes holds what it accepted until it hears the decision.  When the root stops in
between, it waits for ever, and must: the root may have told another.  When any other core stops, the root waits.
Nobody here is told that a core has stopped, nothing is logged, and no core takes another's place.

Invariants: who carries an operation out knows that every core has accepted it; an acknowledgement says that the
decision is carried out on the core and on all below it.

May not know: the value's meaning, who votes how, channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.errors import PeerError
from multikernel.system.protocol import (
    ALL,
    EVERYBODY,
    Applied,
    Apply,
    Ballot,
    Branch,
    Complete,
    Effect,
    Event,
    Received,
    Release,
    ReplicaState,
    Send,
    Vote,
    Voted,
)

PREPARE, YES, NO, COMMIT, ABORT, ACK = 1, 2, 3, 4, 5, 6
BROADCAST = 0
"""The tree whose root reaches everybody by its broadcast channel."""


class TwoPhase:
    """See the module, and `multikernel.system.protocol.TreeProtocol`."""

    def begin(
        self, state: ReplicaState, operation: int, value: int, tree: int, branches: Sequence[Branch]
    ) -> Sequence[Effect]:
        return self._ask(state, operation, value, tree, -1, branches)

    def step(self, state: ReplicaState, event: Event) -> Sequence[Effect]:
        operation = event.operation
        ballot = state.ballots.get(operation)
        match event:
            case Voted(_, accepted):
                state.ballots[operation] = state.ballots[operation]._replace(accepted=accepted)
                return self._answered(state, operation, state.core, accepted)
            case Applied():
                return self._answered(state, operation, state.core, True)
            case Received(source, _, phase, value, tree, among):
                if tree == BROADCAST and phase in (PREPARE, COMMIT, ABORT) and not _concerns(state, among):
                    return []
                if phase == PREPARE:
                    branches = _below(state, tree, among)
                    return [] if ballot else self._ask(state, operation, value, tree, source, branches)
                if phase in (YES, NO, ACK):
                    expected = ballot is not None and source in ballot.awaited and ballot.decided == (phase == ACK)
                    return self._answered(state, operation, source, phase != NO) if expected else []
                if phase in (COMMIT, ABORT):
                    return self._told(state, operation, source, phase == COMMIT)
                raise PeerError(f"core {source} sent phase {phase} of operation {operation}, which there is not")

    def _ask(
        self, state: ReplicaState, operation: int, value: int, tree: int, parent: int, branches: Sequence[Branch]
    ) -> Sequence[Effect]:
        """Steps 1 to 3."""
        awaited = (state.core, *(branch.child for branch in branches))
        ballot = state.ballots[operation] = Ballot(parent, value, tree, tuple(branches), awaited)
        return [*_to_children(state, operation, PREPARE, ballot), Vote(operation, value)]

    def _answered(self, state: ReplicaState, operation: int, core: int, yes: bool) -> Sequence[Effect]:
        """`core` has accepted or refused, or, after the decision, has carried it out with all below it."""
        ballot = state.ballots[operation]
        awaited = tuple(other for other in ballot.awaited if other != core)
        ballot = state.ballots[operation] = ballot._replace(awaited=awaited, all_accepted=ballot.all_accepted and yes)
        if awaited:
            return []
        if ballot.decided:
            return self._over(state, operation)
        if ballot.parent < 0:  # 6, 7
            return self._decide(state, operation, ballot.all_accepted)
        return [Send(ballot.parent, operation, YES if ballot.all_accepted else NO, 0, ballot.tree, 0)]  # 4, 5

    def _told(self, state: ReplicaState, operation: int, source: int, commit: bool) -> Sequence[Effect]:
        ballot = state.ballots.get(operation)
        if ballot is None:  # it is over here, or its question was lost and it cannot have been accepted
            return [Send(source, operation, ACK, 0, 0, 0)]
        if ballot.decided:
            return []
        if ballot.awaited:
            raise PeerError(f"core {source} decided on operation {operation} before it had the answer")
        return self._decide(state, operation, commit)

    def _decide(self, state: ReplicaState, operation: int, commit: bool) -> Sequence[Effect]:
        """Steps 6 to 11."""
        ballot = state.ballots[operation]
        own = (state.core,) if commit or ballot.accepted else ()
        awaited = (*own, *(branch.child for branch in ballot.branches))
        state.ballots[operation] = ballot._replace(decided=True, awaited=awaited, all_accepted=commit)
        if not awaited:
            return self._over(state, operation)
        sends = _to_children(state, operation, COMMIT if commit else ABORT, ballot)
        if not own:
            return sends
        return [*sends, Apply(operation, ballot.value) if commit else Release(operation, ballot.value)]

    def _over(self, state: ReplicaState, operation: int) -> Sequence[Effect]:
        """Steps 12 to 14."""
        ballot = state.ballots.pop(operation)
        if ballot.parent < 0:
            return [Complete(operation, ballot.all_accepted)]
        return [Send(ballot.parent, operation, ACK, 0, ballot.tree, 0)]


def _concerns(state: ReplicaState, among: int) -> bool:
    """Whether what was broadcast is for this core."""
    return among == ALL or bool(among >> state.members[BROADCAST].place & 1)


def _below(state: ReplicaState, tree: int, among: int) -> list[Branch]:
    """The branches a core passes on to; a tree that is not pruned may be deep."""
    if tree == BROADCAST:
        return []
    return [Branch(child, ALL if among == ALL else 0) for child in state.members[tree].among(among)]


def _to_children(state: ReplicaState, operation: int, phase: int, ballot: Ballot) -> list[Effect]:
    """A message to each branch, or one to all over the broadcast channel."""
    value, tree = ballot.value, ballot.tree
    if tree != BROADCAST:
        return [Send(child, operation, phase, value, tree, among) for child, among in ballot.branches]
    if not ballot.branches:
        return []
    children = state.members[tree].children
    wanted = dict.fromkeys(branch.child for branch in ballot.branches)
    among = ALL if len(children) > 64 else sum(1 << place for place, core in enumerate(children) if core in wanted)
    return [Send(EVERYBODY, operation, phase, value, tree, among)]
