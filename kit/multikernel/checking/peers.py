"""One core's turn among equals: a peer thawed, stepped and frozen again, its effects, and what is wrong with them.

    model = PeerModel(spec, cores=3, submitters=(0, 1))     operation i is submitted by submitters[i]
    model.turns(core, local, event) -> one Turn

Cores from 0 are members, `clients` more only submit.  Operation i, counted from 1, has the value 100 + i; the last may
be a change of members instead.  A core submits its own in their order, each at any time.  The replica's result is the
place, as a log's.  An `Execute` is finished, and its `Executed` stepped, before the next effect, as in the monitor.

What a core knows is carried along: each message holds which operations were carried out in its causal past.  Whether
an answer was due is judged by that, so that the verdict is the same in every order of independent turns.

May not know: how turns are interleaved, faults of channels.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from multikernel.checking.machine import Machine, Numbered, Own, Stopped, Turn, Wrong
from multikernel.errors import MultikernelError, UsageError
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.group import (
    ROOM,
    Answer,
    Arm,
    Elapsed,
    Execute,
    Executed,
    GroupEffect,
    GroupEvent,
    GroupProtocol,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
    Tell,
    size,
)

GROUP_PROPERTIES = {
    "agreement": "at each place every core carries out the same; what is told apart by origin and request is one thing",
    "order": "each core carries out place 1, 2, 3, ... without a gap",
    "validity": "a core carries out what was submitted, once",
    "answer": "a request is answered once: as accepted after a core carried it out, its own first if that is a member, "
    "with the result that has everywhere; as refused if no core ever does",
    "durability": "what was answered as accepted is still there in the end on some core that lives",
    "convergence": "in the end all that live hold the same",
    "progress": "in the end every request of a core that lives is answered, and no timer is armed for ever",
    "steps": "no step refuses a message or fails",
    "room": "a message fits a line and goes to another core",
}
"""What is checked among equals, by name."""

SUBMIT = -1
"""The event of a core that submits its next operation; timer t running out is -2 - t.  Messages are from 0."""
FAILURES = (
    MultikernelError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a step may fail with."""

Entry: TypeAlias = tuple[int, int, int]


class Operation(NamedTuple):
    """Who submits it, and what: a value, or that a core be a member (`present`: 1) or no longer (0)."""

    core: int
    value: int
    concerns: int = -1
    present: bool = False


class LocalPeer(NamedTuple):
    """A core: its peer, frozen; how many of its operations it has submitted, and of these in this life; which it waits
    for, by request; what it carried out (origin, request, value; of an eventual order, sorted), and in its life before;
    how operations were answered (number, result; -1: refused); its timers; what it knows to be carried out (bit i); its
    fate when it is dead."""

    kept: tuple[Hashable, ...]
    submitted: int = 0
    asked: int = 0
    open: tuple[tuple[int, int], ...] = ()
    log: tuple[Entry, ...] = ()
    former: tuple[Entry, ...] = ()
    answered: tuple[tuple[int, int], ...] = ()
    armed: tuple[tuple[int, int], ...] = ()
    past: int = 0
    life: int = 0
    heard: bool = False
    fate: str = ""


class PeerLetter(NamedTuple):
    """A message under way, and what its sender knew."""

    source: int
    phase: int
    numbers: tuple[int, ...]
    past: int


class PeerModel(Machine):
    """See the module."""

    replayed_by = "replay_group"

    def __init__(
        self,
        spec: ConsistencyProtocolSpec,
        cores: int,
        submitters: Sequence[int],
        clients: int = 0,
        reconfigure: bool = False,
    ) -> None:
        count = cores + clients
        pairs = [(source, target) for source in range(count) for target in range(count) if source != target]
        super().__init__(spec, count, pairs)
        protocol = spec.factory()
        if not isinstance(protocol, GroupProtocol):
            raise UsageError(f"{spec.name} is no protocol among equals")
        if spec.order == "eventual" and (clients or reconfigure):
            raise UsageError(f"{spec.name} is for objects that all cores hold: it has no clients, no change of members")
        self.members, self.clients, self.reconfigures = cores, clients, reconfigure
        self.submitters = tuple(submitters)
        self.linear = spec.order == "linear"
        self.operations = [Operation(core, 100 + index) for index, core in enumerate(submitters, 1)]
        if reconfigure:
            concerns = cores if clients else cores - 1
            self.operations[-1] = Operation(submitters[-1], 0, concerns, clients > 0)
        self.moving = {operation.concerns for operation in self.operations if operation.concerns >= 0}
        self.memberships = [range(cores)]
        if reconfigure:
            self.memberships.append(range(cores + 1 if clients else cores - 1))
        self.by_value = {operation.value: index for index, operation in enumerate(self.operations, 1)}
        self.of_core = [
            [index for index, operation in enumerate(self.operations, 1) if operation.core == core]
            for core in range(count)
        ]
        self.protocol = protocol
        self.locals = Numbered[LocalPeer]()
        self.letters = Numbered[PeerLetter]()
        self._peers: dict[tuple[int, int], Peer] = {}
        self._roles = [protocol.start(core, tuple(range(cores)), 0).role() for core in range(count)]
        self._own: dict[tuple[int, int, bool], tuple[Own, ...]] = {}
        self._dead: dict[tuple[int, int], int] = {}
        self._told: dict[int, int] = {}
        self._tellings = Numbered[Hashable]()

    def peer(self, core: int, life: int) -> Peer:
        """A peer to thaw into."""
        peer = self._peers.get((core, life))
        if peer is None:
            peer = self._peers[core, life] = self.protocol.start(core, tuple(range(self.members)), life)
        return peer

    def first(self, core: int) -> int:
        peer = self.protocol.start(core, tuple(range(self.members)), 0)
        return self.locals.number(LocalPeer(peer.freeze()))

    def own(self, core: int, local: int, timed: bool = True) -> Sequence[Own]:
        """Also without what timers bring."""
        key = core, local, timed
        known = self._own.get(key)
        if known is None:
            now = self.locals[local]
            events = [Own(f"timeout {self.timer(timer)}", -2 - timer) for timer, _ in now.armed] if timed else []
            if now.submitted < len(self.of_core[core]):
                operation = self.operations[self.of_core[core][now.submitted] - 1]
                events.append(Own("submit" if operation.concerns < 0 else "reconfigure", SUBMIT))
            known = self._own[key] = tuple(events)
        return known

    def react(self, core: int, local: int, event: int, answers: Sequence[bool], cut: int) -> Turn:
        return _Reaction(self, core, local, cut).to(event)

    def stopped(self, core: int, number: int) -> int:
        """The same core, dead: what came of the operations stays, and as what it died."""
        known = self._dead.get((core, number))
        if known is None:
            known = self._dead[core, number] = self._fallen(core, self.locals[number])
        return known

    def _fallen(self, core: int, now: LocalPeer) -> int:
        peer = self.peer(core, now.life)
        peer.thaw(now.kept)
        done = "before it took part"
        for mark, words in (
            (now.heard, "having heard"),
            (now.submitted, "having submitted"),
            (now.log, "having carried out"),
            (now.answered, "having answered"),
        ):
            done = words if mark else done
        fate = f"{peer.role()} {done}"
        return self.locals.number(now._replace(kept=(), open=(), armed=(), past=0, heard=False, fate=fate))

    def restarted(self, core: int, number: int) -> int:
        now = self.locals[number]
        peer = self.protocol.start(core, tuple(range(self.members)), now.life + 1)
        anew = now._replace(kept=peer.freeze(), asked=0, log=(), former=now.log, life=now.life + 1)
        return self.locals.number(anew._replace(armed=tuple(sorted((arm.timer, arm.ticks) for arm in peer.starts()))))

    def label(self, letter: int) -> str:
        told = self.letters[letter]
        return f"{self.phase(told.phase)} {','.join(map(str, told.numbers))}"

    def timer(self, number: int) -> str:
        """The name of a timer."""
        timers = self.spec.timers
        return timers[number - 1] if 1 <= number <= len(timers) else f"timer {number}"

    def role(self, core: int) -> str:
        return self._roles[core]

    def arguments(self) -> str:
        told = f"cores={self.members}, submitters={self.submitters}"
        told += f", clients={self.clients}" if self.clients else ""
        return told + (", reconfigure=True" if self.reconfigures else "")

    def telling(self, local: int) -> int:
        """The number of what a core has carried out and answered: all that is judged across cores."""
        known = self._told.get(local)
        if known is None:
            now = self.locals[local]
            known = self._told[local] = self._tellings.number((now.log, now.former, now.answered))
        return known


class _Reaction:
    """One turn being computed; after `cut` effects (0: never) the core stops."""

    def __init__(self, model: PeerModel, core: int, local: int, cut: int) -> None:
        self.model, self.core, self.cut = model, core, cut
        self.now = model.locals[local]
        self.peer = model.peer(core, self.now.life)
        self.peer.thaw(self.now.kept)
        self.open = dict(self.now.open)
        self.armed = dict(self.now.armed)
        self.arms: dict[int, int] = {}
        self.effects = 0
        self.sends: list[tuple[int, int]] = []
        self.told: list[str] = []
        self.notable = False

    def to(self, event: int) -> Turn:
        """The turn."""
        problem = None
        kept = self.now.kept
        try:
            with suppress(Stopped):
                self._begin(event)
            frozen = self.peer.freeze()
            hash(frozen)  # fails where a peer keeps what may change
            kept = frozen
        except Wrong as wrong:
            problem = str(wrong.args[0]), f"core {self.core} {wrong.args[1]}"
        except FAILURES as error:
            problem = "steps", f"core {self.core}: {type(error).__name__}: {error}"
        open_, armed = tuple(sorted(self.open.items())), tuple(sorted(self.armed.items()))
        after = self.model.locals.number(self.now._replace(kept=kept, open=open_, armed=armed))
        if self.cut:
            after = self.model.stopped(self.core, after)
        told, arms = tuple(self.told), tuple(self.arms.items())
        return Turn(after, tuple(self.sends), (), self.effects, self.cut, problem, self.notable, told, arms)

    def _begin(self, event: int) -> None:
        if event == SUBMIT:
            self._submit()
        elif event < 0:
            timer = -2 - event
            del self.armed[timer]
            self._step(Elapsed(timer), self.model.timer(timer))
        else:
            letter = self.model.letters[event]
            self.now = self.now._replace(past=self.now.past | letter.past, heard=True)
            self._step(Heard(letter.source, letter.phase, letter.numbers), self.model.phase(letter.phase))

    def _submit(self) -> None:
        index = self.model.of_core[self.core][self.now.submitted]
        operation = self.model.operations[index - 1]
        request = self.now.asked + 1
        self.now = self.now._replace(submitted=self.now.submitted + 1, asked=request)
        self.open[request] = index
        if operation.concerns < 0:
            self.told.append(f"submits {operation.value}")
            self._step(Submitted(request, operation.value), "submitted")
            return
        self.told.append(f"asks that {operation.concerns} {'come' if operation.present else 'go'}")
        self._step(Reconfigured(request, operation.concerns, operation.present), "reconfigured")

    def _step(self, event: GroupEvent, cause: str) -> None:
        for effect in self.peer.step(event):
            if self.cut and self.effects == self.cut:
                raise Stopped
            self.effects += 1
            self._carry_out(cause, effect)

    def _carry_out(self, cause: str, effect: GroupEffect) -> None:
        model = self.model
        match effect:
            case Tell(target, phase, numbers):
                model.reach(cause, model.phase(phase))
                channel = model.channel.get((self.core, target))
                if channel is None:
                    raise Wrong("room", f"sends {model.phase(phase)} to core {target}, which is no other core")
                if min(numbers, default=0) < 0 or not 0 <= phase < 256 or size(numbers) > ROOM:
                    raise Wrong("room", f"sends {model.phase(phase)} {numbers}, which a line has no room for")
                letter = PeerLetter(self.core, phase, tuple(numbers), self.now.past)
                self.sends.append((channel, model.letters.number(letter)))
            case Execute():
                model.reach(cause, "execute")
                self._execute(effect)
            case Answer(request, result, accepted):
                model.reach(cause, "answer" if accepted else "refuse")
                self._answer(request, result, accepted)
            case Arm(timer, ticks):
                self.arms.pop(timer, None)
                self.arms[timer] = ticks
                if ticks:
                    self.armed[timer] = ticks
                else:
                    self.armed.pop(timer, None)

    def _execute(self, effect: Execute) -> None:
        model, log = self.model, self.now.log
        place, origin, request, value = effect
        self.notable = True
        self.told.append(f"carries out {value} at {place}")
        if place != len(log) + 1:
            raise Wrong("order", f"carries out {value} at place {place}, having carried out {len(log)}")
        index = model.by_value.get(value)
        if index is None:
            raise Wrong("validity", f"carries out {value}, which nobody submitted")
        if any(entry[2] == value for entry in log):
            raise Wrong("validity", f"carries out {value} twice")
        log = (*log, (origin, request, value))
        self.now = self.now._replace(log=log if model.linear else tuple(sorted(log)), past=self.now.past | 1 << index)
        self._step(Executed(place, place), "executed")

    def _answer(self, request: int, result: int, accepted: bool) -> None:
        index = self.open.pop(request, None)
        if index is None:
            raise Wrong("answer", f"answers request {request}, which does not wait for an answer")
        operation = self.model.operations[index - 1]
        self.notable = True
        if operation.concerns < 0:
            self.told.append(f"answers {operation.value}" if accepted else f"refuses {operation.value}")
            if accepted and not self.now.past >> index & 1:
                raise Wrong("answer", f"answers {operation.value}; it cannot know that a core carried it out")
            own = self.core < self.model.members and not self.now.life and self.core not in self.model.moving
            if accepted and own and all(entry[2] != operation.value for entry in self.now.log):
                raise Wrong("answer", f"answers {operation.value}, which it has not carried out itself")
        else:
            self.told.append("answers the change of members" if accepted else "refuses the change of members")
        answered = (*self.now.answered, (index, result if accepted else -1))
        self.now = self.now._replace(answered=tuple(sorted(answered)))
