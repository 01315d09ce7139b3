"""One core's turn: a protocol's step function called on interned states, its effects, and what is wrong with them.

    model = Model(spec, "multicast", cores=3, operations=2)
    model.turns(core, local, event) -> tuple of Turn    every way the event can go on that core, computed once
    model.cuts(core, local, event)                      the same, cut short as the core stops

Local states and messages are numbers: a protocol is a function of them, so that each turn is computed once however
many global states it occurs in.  A turn is a core's whole reaction to one event, as in the monitor; it goes several
ways where the replica may accept or refuse, or where the core stops between two effects.

What a core knows is carried along: each message holds which acceptances, refusals and effects are in its causal
past.  Completion and validity are judged by that and not by what happens to be true elsewhere at the moment, so the
verdict is the same in every order of independent turns, and one order of them stands for all.

May not know: how turns are interleaved, faults of channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from multikernel.checking.machine import Machine, Numbered, Own, Stopped, Turn, Wrong
from multikernel.checking.shapes import members, role
from multikernel.errors import MultikernelError, UsageError
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.protocol import (
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
    TreeProtocol,
    Vote,
    Voted,
    prune,
)
from multikernel.system.routes import TREES

PROPERTIES = {
    "agreement": "no core carries out an operation that another gives up, or that is told as aborted",
    "validity": "a core carries out what was asked for, once, and only when every core has accepted it",
    "completion": "an operation is told as complete once, when every core has carried it out; as aborted, when a core "
    "has refused it and none still holds it",
    "routes": "a core sends to its parent and its children alone",
    "steps": "no step refuses a message or fails",
    "progress": "without a fault every operation completes and no core keeps anything of it",
}
"""What is checked, by name."""

BEGIN = -1
"""The event of the root that begins its next operation, beside the numbers of messages."""

_Frozen: TypeAlias = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...], tuple[tuple[int, Ballot], ...]]
EMPTY: _Frozen = ((), (), ())
_BEGINS = (Own("begin", BEGIN),)


class Local(NamedTuple):
    """A core: what its protocol keeps, and by operation (bit i for the i-th) what has come of it here.  `past` is
    what it knows of: three masks of a bit a core and operation each, accepted, refused and done (`Model.bit`)."""

    kept: _Frozen = EMPTY
    begun: int = 0
    accepted: int = 0
    refused: int = 0
    applied: int = 0
    released: int = 0
    completed: int = 0
    aborted: int = 0
    past: int = 0
    dead: bool = False


class Letter(NamedTuple):
    """A message under way, and what its sender knew."""

    received: Received
    past: int


class Model(Machine):
    """See the module.  `channels` are the directed pairs that talk; a channel is named by its index."""

    replayed_by = "replay"

    def __init__(self, spec: ConsistencyProtocolSpec, tree: str, cores: int, operations: int) -> None:
        self.members = members(tree, cores)
        down = [(core, child) for core, member in enumerate(self.members) for child in member.children]
        super().__init__(spec, cores, sorted([*down, *((child, core) for core, child in down)]))
        self.locals = Numbered[Local]()
        self.letters = Numbered[Letter]()
        self.operations = operations
        self.tree = TREES.index(tree)
        shapes = [members(name, cores) for name in TREES]
        self._members = [tuple(shape[core] for shape in shapes) for core in range(cores)]
        protocol = spec.factory()
        if not isinstance(protocol, TreeProtocol):
            raise UsageError(f"{spec.name} is no protocol over a tree")
        self._protocol = protocol
        self._votes = any(step.does == "vote" for step in spec.steps)

    def bit(self, kind: int, core: int, operation: int) -> int:
        """The bit in `past` for what `core` did about the operation: 0 accepted, 1 refused, 2 applied or released."""
        return 1 << ((kind * self.cores + core) * self.operations + operation - 1)

    def stopped(self, core: int, number: int) -> int:
        """The same core, dead: what came of the operations stays, what it kept is gone."""
        return self.locals.number(self.locals[number]._replace(kept=EMPTY, past=0, dead=True))

    def first(self, core: int) -> int:
        return self.locals.number(Local())

    def own(self, core: int, local: int) -> Sequence[Own]:
        return _BEGINS if not core and self.locals[local].begun < self.operations else ()

    def react(self, core: int, local: int, event: int, answers: Sequence[bool], cut: int) -> Turn:
        return _Reaction(self, core, local, answers, cut).to(event)

    def label(self, letter: int) -> str:
        received = self.letters[letter].received
        return f"{self.phase(received.phase)} {received.operation}"

    def role(self, core: int) -> str:
        return role(self.members[core])

    def arguments(self) -> str:
        return f'"{TREES[self.tree]}", cores={self.cores}, operations={self.operations}'


class _Reaction:
    """One turn being computed: the replica gives `answers`, then accepts; after `cut` effects (0: never) it stops."""

    def __init__(self, model: Model, core: int, local: int, answers: Sequence[bool], cut: int) -> None:
        self.model, self.core, self.cut = model, core, cut
        self.before = model.locals[local]
        awaited, owed, ballots = self.before.kept
        self.state = ReplicaState(core, model._members[core], dict(awaited), dict(owed), dict(ballots))
        self.now = self.before
        self.answers = list(answers)
        self.asked = 0
        self.effects = 0
        self.sends: list[tuple[int, int]] = []
        self.told: list[str] = []
        self.notable = False

    def to(self, event: int) -> Turn:
        """The turn."""
        problem = None
        try:
            if event == BEGIN:
                self._begin()
            else:
                letter = self.model.letters[event]
                self.now = self.now._replace(past=self.now.past | letter.past)
                self._step(letter.received, self.model.phase(letter.received.phase))
        except Stopped:
            pass
        except Wrong as wrong:
            problem = str(wrong.args[0]), f"core {self.core} {wrong.args[1]}"
        except (MultikernelError, LookupError) as error:
            problem = "steps", f"core {self.core}: {type(error).__name__}: {error}"
        state = self.state
        kept = (
            tuple(sorted(state.awaited.items())),
            tuple(sorted(state.owed.items())),
            tuple(sorted(state.ballots.items())),
        )
        after = self.model.locals.number(self.now._replace(kept=kept))
        if self.cut:
            after = self.model.stopped(self.core, after)
        answers = tuple(self.answers[: self.asked])
        told = tuple(self.told)
        return Turn(after, tuple(self.sends), answers, self.effects, self.cut, problem, self.notable, told)

    def _begin(self) -> None:
        model, operation = self.model, self.now.begun + 1
        self.now = self.now._replace(begun=operation)
        self.told.append(f"begins {operation}")
        branches: list[Branch] = prune(model.members.__getitem__, 0, range(model.cores), ())
        protocol = model._protocol
        self._carry_out("begin", protocol.begin(self.state, operation, 100 + operation, model.tree, branches))

    def _step(self, event: Event, name: str) -> None:
        self._carry_out(name, self.model._protocol.step(self.state, event))

    def _carry_out(self, cause: str, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if self.cut and self.effects == self.cut:
                raise Stopped
            self.effects += 1
            match effect:
                case Send():
                    self.model.reach(cause, self.model.phase(effect.phase))
                    self._send(effect)
                case Vote(operation, value):
                    self.model.reach(cause, "vote")
                    self._vote(operation, value)
                case Apply(operation, value):
                    self.model.reach(cause, "apply")
                    self._apply(operation, value)
                case Release(operation, value):
                    self.model.reach(cause, "release")
                    self._release(operation, value)
                case Complete(operation, committed):
                    self.model.reach(cause, "complete" if committed else "aborted")
                    self._complete(operation, committed)

    def _send(self, effect: Send) -> None:
        member, model = self.model.members[self.core], self.model
        targets = member.children if effect.target == EVERYBODY else (effect.target,)
        received = Received(self.core, *effect[1:])
        for target in targets:
            channel = model.channel.get((self.core, target))
            if channel is None:
                raise Wrong("routes", f"sends {model.phase(effect.phase)} to core {target}, which is not beside it")
            self.sends.append((channel, model.letters.number(Letter(received, self.now.past))))

    def _mask(self, operation: int, value: int, verb: str) -> int:
        if not 1 <= operation <= self.model.operations or value != 100 + operation:
            raise Wrong("validity", f"{verb} {value} for operation {operation}, which nobody asked for")
        return 1 << operation - 1

    def _vote(self, operation: int, value: int) -> None:
        mask = self._mask(operation, value, "votes on")
        if (self.now.accepted | self.now.refused) & mask:
            raise Wrong("validity", f"votes on operation {operation} twice")
        if self.asked == len(self.answers):
            self.answers.append(True)
        accepted = self.answers[self.asked]
        self.asked += 1
        self.told.append(f"{'accepts' if accepted else 'refuses'} {operation}")
        past = self.now.past | self.model.bit(0 if accepted else 1, self.core, operation)
        self.now = (
            self.now._replace(accepted=self.now.accepted | mask, past=past)
            if accepted
            else self.now._replace(refused=self.now.refused | mask, past=past)
        )
        self._step(Voted(operation, accepted), "accepted" if accepted else "refused")

    def _unknown(self, kinds: tuple[int, ...], operation: int) -> str:
        """The cores of which nothing of `kinds` is known about the operation, as words."""
        past, bit = self.now.past, self.model.bit
        cores = [c for c in range(self.model.cores) if not any(past & bit(kind, c, operation) for kind in kinds)]
        return ", ".join(map(str, cores))

    def _done(self, operation: int) -> None:
        self.notable = True
        self.now = self.now._replace(past=self.now.past | self.model.bit(2, self.core, operation))
        self._step(Applied(operation), "applied")

    def _apply(self, operation: int, value: int) -> None:
        mask = self._mask(operation, value, "carries out")
        if self.now.applied & mask:
            raise Wrong("validity", f"carries out operation {operation} twice")
        if self.model._votes and (missing := self._unknown((0,), operation)):
            raise Wrong("validity", f"carries out operation {operation}; it cannot know that {missing} accepted it")
        self.told.append(f"applies {operation}")
        self.now = self.now._replace(applied=self.now.applied | mask)
        self._done(operation)

    def _release(self, operation: int, value: int) -> None:
        mask = self._mask(operation, value, "gives up")
        if not self.now.accepted & mask or self.now.released & mask:
            raise Wrong("validity", f"gives operation {operation} up, which it does not hold")
        self.told.append(f"gives up {operation}")
        self.now = self.now._replace(released=self.now.released | mask)
        self._done(operation)

    def _complete(self, operation: int, committed: bool) -> None:
        told = "complete" if committed else "aborted"
        mask = 1 << operation - 1
        if self.core or not 1 <= operation <= self.now.begun or (self.now.completed | self.now.aborted) & mask:
            raise Wrong("completion", f"tells operation {operation} as {told}, which is none of its own under way")
        if missing := self._unknown((2,) if committed else (1, 2), operation):
            what = "carried it out" if committed else "given it up"
            raise Wrong(
                "completion", f"tells operation {operation} as {told}; it cannot know that {missing} has {what}"
            )
        if not committed and not any(self.now.past & self.model.bit(1, c, operation) for c in range(self.model.cores)):
            raise Wrong("completion", f"tells operation {operation} as aborted, which nobody has refused")
        self.notable = True
        self.told.append(f"completes {operation}" if committed else f"aborts {operation}")
        self.now = (
            self.now._replace(completed=self.now.completed | mask)
            if committed
            else self.now._replace(aborted=self.now.aborted | mask)
        )
