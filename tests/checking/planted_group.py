"""A sequencer and a gossip in a few lines, and with bugs planted in what they yield, as protocols of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from multikernel.errors import PeerError
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep
from multikernel.system.group import (
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
    Submitted,
    Tell,
)

ASK, DO = 1, 2
AGAIN = 1


@dataclass
class Sequencer(Peer):
    """Core 0 numbers what it is asked for and tells all; who asks, asks again until it is told."""

    members: tuple[int, ...] = ()
    places: dict[tuple[int, int], int] = field(default_factory=dict)
    order: list[tuple[int, int, int]] = field(default_factory=list)
    mine: dict[int, int] = field(default_factory=dict)
    done: int = 0

    def role(self) -> str:
        return "member" if self.core else "sequencer"

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(request, value):
                self.mine[request] = value
                return [*self._ask(), Arm(AGAIN, 5)]
            case Elapsed():
                return [*self._ask(), Arm(AGAIN, 5)] if self.mine else []
            case Heard(source, phase, (request, value)) if phase == ASK:
                return self._number(source, request, value)
            case Heard(_, phase, (place, origin, request, value)) if phase == DO:
                self.places[origin, request] = place
                if place > len(self.order) + 1:
                    return []
                if place == len(self.order) + 1:
                    self.order.append((origin, request, value))
                return self._carry_out()
            case Executed():
                self.done += 1
                origin, request, _ = self.order[self.done - 1]
                if origin == self.core and self.mine.pop(request, None) is not None:
                    return [Answer(request, self.done), *([] if self.mine else [Arm(AGAIN, 0)]), *self._carry_out()]
                return self._carry_out()
        raise PeerError(f"core {self.core} heard {event}")

    def _ask(self) -> list[GroupEffect]:
        if not self.core:
            return [effect for request, value in self.mine.items() for effect in self._number(0, request, value)]
        return [Tell(0, ASK, (request, value)) for request, value in self.mine.items()]

    def _number(self, origin: int, request: int, value: int) -> list[GroupEffect]:
        """Who is told again is told all, as it may lack some of what came before."""
        known = (origin, request) in self.places
        if not known:
            self.order.append((origin, request, value))
            self.places[origin, request] = len(self.order)
        first = 1 if known else len(self.order)
        tells: list[GroupEffect] = [
            Tell(member, DO, (place, *self.order[place - 1]))
            for place in range(first, len(self.order) + 1)
            for member in ((origin,) if known else self.members)
            if member
        ]
        return [*tells, *self._carry_out()]

    def _carry_out(self) -> list[GroupEffect]:
        if self.done == len(self.order):
            return []
        return [Execute(self.done + 1, *self.order[self.done])]


@dataclass
class Gossip(Peer):
    """Each core tells all others the newest of its own."""

    members: tuple[int, ...] = ()
    known: dict[int, int] = field(default_factory=dict)
    places: int = 0

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(request, value):
                tells = [Tell(other, DO, (self.core, request, value)) for other in self.members if other != self.core]
                return [*self._merge(self.core, request, value), Answer(request, 0), *tells]
            case Heard(_, _, (origin, request, value)):
                return self._merge(origin, request, value)
        return []

    def _merge(self, origin: int, request: int, value: int) -> list[GroupEffect]:
        if self.known.get(origin, 0) >= request:
            return []
        self.known[origin] = request
        self.places += 1
        return [Execute(self.places, origin, request, value)]


Bug = Callable[[Peer, GroupEvent, "list[GroupEffect]"], "list[GroupEffect]"]


class Toy:
    """A protocol whose peers are `kind`, with effects that go through a bug."""

    def __init__(self, kind: type[Sequencer] | type[Gossip], bug: Bug | None) -> None:
        self._kind, self._bug = kind, bug

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        peer = self._kind(core, members=tuple(members))
        bug = self._bug
        if bug is None:
            return peer
        right = peer.step
        found = bug

        def step(event: GroupEvent) -> Sequence[GroupEffect]:
            return found(peer, event, list(right(event)))

        peer.step = step  # type: ignore[method-assign]
        return peer


def sequencer(bug: Bug | None = None) -> ConsistencyProtocolSpec:
    """The sequencer, with a bug."""
    return ConsistencyProtocolSpec(
        "toy-sequencer",
        "",
        factory=lambda: _toy(Sequencer, bug),
        replicates=("log",),
        phases=("ask", "do"),
        timers=("again",),
        steps=(
            ProtocolStep("a core asks", ("submitted", "again"), "ask"),
            ProtocolStep("the sequencer tells all", ("submitted", "ask", "again"), "do"),
            ProtocolStep("a core carries it out", ("submitted", "ask", "do", "again", "executed"), "execute"),
            ProtocolStep("and answers its own", ("executed",), "answer"),
        ),
        withstands=("stop", "duplicate"),
        members="all",
    )


def gossip(bug: Bug | None = None) -> ConsistencyProtocolSpec:
    """The gossip, with a bug."""
    return ConsistencyProtocolSpec(
        "toy-gossip",
        "",
        factory=lambda: _toy(Gossip, bug),
        replicates=("load",),
        phases=("ask", "do"),
        withstands=("duplicate",),
        members="all",
        order="eventual",
        survives="any",
    )


def _toy(kind: type[Sequencer] | type[Gossip], bug: Bug | None) -> GroupProtocol:
    return Toy(kind, bug)


def carries_out_at_once(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """Who asks does not wait for its place."""
    if isinstance(event, Submitted) and peer.core and isinstance(peer, Sequencer) and not peer.order:
        peer.order.append((peer.core, event.request, event.value))
        return [*effects, Execute(1, *peer.order[0])]
    return effects


def leaves_a_gap(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The sequencer counts from 2 for others."""
    return [
        effect._replace(place=effect.place + 1) if isinstance(effect, Execute) and peer.core else effect
        for effect in effects
    ]


def names_itself(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """As if a core had asked for everything itself."""
    return [effect._replace(origin=peer.core) if isinstance(effect, Execute) else effect for effect in effects]


def another_value(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The value is off by ten."""
    return [effect._replace(value=effect.value + 10) if isinstance(effect, Execute) else effect for effect in effects]


def does_not_remember(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """What is asked for twice gets two places."""
    if isinstance(peer, Sequencer) and not peer.core:
        peer.places.clear()
    return effects


def answers_before(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """It is answered when it is told, not when it is done."""
    if isinstance(event, Executed):
        return [effect for effect in effects if not isinstance(effect, Answer)]
    own = [e for e in effects if isinstance(e, Execute) and e.origin == peer.core]
    return [*(Answer(effect.request, effect.place) for effect in own), *effects]


def answers_twice(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """Each answer comes again."""
    return [*effects, *(effect for effect in effects if isinstance(effect, Answer))]


def answers_another_place(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The place that is told is not its own."""
    return [e._replace(result=e.result - 1) if isinstance(e, Answer) and e.result > 1 else e for e in effects]


def refuses_what_is_done(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """Done, and told as refused."""
    return [effect._replace(accepted=False) if isinstance(effect, Answer) else effect for effect in effects]


def leaves_one_out(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """Core 2 is told nothing."""
    return [effect for effect in effects if not isinstance(effect, Tell) or effect.target != 2]


def tells_late(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """First it does what it does here."""
    return sorted(effects, key=lambda effect: isinstance(effect, Tell))


def does_not_ask(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """Nor ask again."""
    return [effect for effect in effects if not isinstance(effect, Tell) or effect.phase != ASK]


def never_disarms(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """Its timer is armed whenever it runs out."""
    return [e for e in effects if not isinstance(e, Arm) or e.ticks] + [Arm(AGAIN, 5)] * isinstance(event, Elapsed)


def fails(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """A step that cannot do what comes second."""
    return (
        [effects[len(effects)]] if isinstance(event, Heard) and isinstance(peer, Sequencer) and peer.done else effects
    )


def says_too_much(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """A message of more than a line."""
    return [effect._replace(numbers=(2**63,) * 6) if isinstance(effect, Tell) else effect for effect in effects]


def tells_itself(peer: Peer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """A message to the core that sends it."""
    return [effect._replace(target=peer.core) if isinstance(effect, Tell) else effect for effect in effects]


BUGS: tuple[tuple[Bug, str], ...] = (
    (carries_out_at_once, "agreement"),
    (names_itself, "agreement"),
    (leaves_a_gap, "order"),
    (another_value, "validity"),
    (answers_before, "answer"),
    (answers_twice, "answer"),
    (answers_another_place, "answer"),
    (refuses_what_is_done, "answer"),
    (leaves_one_out, "convergence"),
    (does_not_ask, "progress"),
    (never_disarms, "progress"),
    (does_not_remember, "validity"),
    (fails, "steps"),
    (says_too_much, "room"),
    (tells_itself, "room"),
)
"""Each bug of the sequencer and the property it violates."""
