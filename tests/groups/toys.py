"""Group protocols made for tests: a sequencer that is right, and what is wrong with it when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from multikernel.campaign.trial import Subject
from multikernel.hookspecs import hookimpl
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec, ProtocolStep
from multikernel.system.group import (
    Answer,
    Arm,
    Elapsed,
    Execute,
    Executed,
    GroupEffect,
    GroupEvent,
    Heard,
    Peer,
    Submitted,
    Tell,
)

Bug = Callable[["Sequencer", GroupEvent, list[GroupEffect]], list[GroupEffect]]
ASK, ORDER = 1, 2


def right(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """No bug."""
    return effects


@dataclass
class Sequencer(Peer):
    """The first member numbers what is asked for and tells everybody."""

    members: tuple[int, ...]
    given: int = 0
    own: dict[int, int] = field(default_factory=dict)

    def neighbours(self) -> Sequence[int]:
        return [core for core in self.members if core != self.core]

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(request, value):
                if self.core != self.members[0]:
                    return [Tell(self.members[0], ASK, (request, value))]
                return self._order(self.core, request, value)
            case Heard(source, 1, (request, value)):
                return self._order(source, request, value)
            case Heard(_, 2, (place, origin, request, value)):
                return self._carry_out(place, origin, request, value)
            case Executed(place, result) if place in self.own:
                return [Answer(self.own.pop(place), result)]
        return []

    def _order(self, origin: int, request: int, value: int) -> list[GroupEffect]:
        self.given += 1
        numbers = (self.given, origin, request, value)
        tells: list[GroupEffect] = [Tell(core, ORDER, numbers) for core in self.neighbours()]
        return [*tells, *self._carry_out(*numbers)]

    def _carry_out(self, place: int, origin: int, request: int, value: int) -> list[GroupEffect]:
        if origin == self.core:
            self.own[place] = request
        return [Execute(place, origin, request, value)]


@dataclass
class Planted(Sequencer):
    """The same, its effects through a bug."""

    bug: int = 0

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        return BUGS[self.bug](self, event, list(super().step(event)))


def answers_at_once(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """It answers what nobody has carried out yet, and then nothing."""
    if isinstance(event, Submitted):
        return [*effects, Answer(event.request, 0)]
    return [effect for effect in effects if not isinstance(effect, Answer)]


def leaves_one_out(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The last member is not told what the second asks for."""
    last = peer.members[-1]
    return [e for e in effects if not (isinstance(e, Tell) and e.target == last and e.numbers[1] == peer.members[1])]


def other_value(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The last member carries out something else."""
    if peer.core != peer.members[-1]:
        return effects
    return [replace_value(effect) if isinstance(effect, Execute) else effect for effect in effects]


def replace_value(effect: Execute) -> Execute:
    return effect._replace(value=effect.value + 1)


def forgets_to_answer(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The second member never answers its second call."""
    return [e for e in effects if not (isinstance(e, Answer) and peer.core == peer.members[1] and e.request == 2)]


def twice(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The first member carries its first out a second time."""
    if peer.core != peer.members[0] or not effects or not isinstance(effects[-1], Execute):
        return effects
    return [*effects, effects[-1]] if effects[-1].place == 1 else effects


def told_elsewhere(peer: Sequencer, event: GroupEvent, effects: list[GroupEffect]) -> list[GroupEffect]:
    """The second member is told a place behind the one its value has."""
    return [e._replace(result=e.result + 1) if isinstance(e, Answer) and peer.core == 1 else e for e in effects]


BUGS: tuple[Bug, ...] = (
    right,
    answers_at_once,
    leaves_one_out,
    other_value,
    forgets_to_answer,
    twice,
    told_elsewhere,
)


class Toy:
    """The plugin's protocol, with a bug by its place in BUGS."""

    def __init__(self, bug: int) -> None:
        self._bug = bug

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        return Planted(core, tuple(members), bug=self._bug)


def toy(bug: Bug = right) -> ConsistencyProtocolSpec:
    """The spec."""
    number = BUGS.index(bug)
    return ConsistencyProtocolSpec(
        "toy",
        "A sequencer.",
        factory=lambda: Toy(number),
        replicates=("log",),
        phases=("ask", "order"),
        steps=(
            ProtocolStep("a core asks the sequencer", ("submitted",), "ask"),
            ProtocolStep("it numbers what it is asked for", ("submitted", "ask"), "order"),
            ProtocolStep("a core carries it out", ("submitted", "ask", "order"), "execute"),
            ProtocolStep("and answers", ("executed",), "answer"),
        ),
        withstands=("stop",),
        members="all",
    )


class Plugin:
    """Registers one toy."""

    multikernel_api = 1

    def __init__(self, spec: ConsistencyProtocolSpec) -> None:
        self._spec = spec

    @hookimpl
    def consistency_protocols(self) -> Iterator[ConsistencyProtocolSpec]:
        yield self._spec


@cache
def registry(bug: Bug = right) -> Registry:
    """What is installed, and the toy."""
    return Registry.load(Plugin(toy(bug)))


def subject(bug: Bug = right) -> Subject:
    """The log of a mesh of three cores, kept by a toy."""
    return Subject.of(str(Path(__file__).with_name("toy.yaml")), "log", registry(bug))


RUNG = 2**63
"""What the ticking peer carries out when its timer runs out."""


@dataclass
class Ticking(Peer):
    """Alone, it carries out what it is asked for and arms a timer of 20 ticks; that carries out RUNG."""

    given: int = 0

    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        match event:
            case Submitted(request, value):
                self.given += 1
                return [Execute(self.given, self.core, request, value), Answer(request, self.given), Arm(1, 20)]
            case Elapsed():
                self.given += 1
                return [Execute(self.given, self.core, 0, RUNG)]
        return []


class TickingProtocol:
    """Makes them."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        return Ticking(core)


@cache
def ticking() -> Subject:
    """The log of a mesh of three cores, kept by ticking peers."""
    spec = replace(toy(), factory=TickingProtocol, timers=("ring",))
    return Subject.of(str(Path(__file__).with_name("toy.yaml")), "log", Registry.load(Plugin(spec)))
