"""One-phase agreement with bugs planted in what it yields, as protocols of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.protocol import Apply, Branch, Complete, Effect, Event, Received, ReplicaState, Send

Bug = Callable[[ReplicaState, "Event | None", list[Effect]], list[Effect]]


def one_phase() -> ConsistencyProtocolSpec:
    """As it is installed."""
    return Registry.load().consistency_protocols.get("one-phase")


class Planted:
    """One-phase, whose effects go through `bug`; the event is None when it begins."""

    def __init__(self, bug: Bug) -> None:
        self._bug = bug
        self._right = one_phase().factory()

    def begin(
        self, state: ReplicaState, operation: int, value: int, tree: int, branches: Sequence[Branch]
    ) -> Sequence[Effect]:
        return self._bug(state, None, list(self._right.begin(state, operation, value, tree, branches)))

    def step(self, state: ReplicaState, event: Event) -> Sequence[Effect]:
        return self._bug(state, event, list(self._right.step(state, event)))


def planted(bug: Bug) -> ConsistencyProtocolSpec:
    """One-phase with `bug`."""
    return replace(one_phase(), name="planted", factory=lambda: Planted(bug))


def completes_at_once(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """It does not wait for acknowledgements."""
    if event is None:
        return [*effects, *(Complete(effect.operation) for effect in effects if isinstance(effect, Apply))]
    return [effect for effect in effects if not isinstance(effect, Complete)]


def acknowledges_first(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """A core without children says that it has applied, then does."""
    if isinstance(event, Received) and not any(isinstance(effect, Send) for effect in effects):
        early = [Send(event.source, e.operation, 2, 0, 0, 0) for e in effects if isinstance(e, Apply)]
        return [*early, *effects]
    if event is not None and not isinstance(event, Received) and not state.members[2].children:
        return [effect for effect in effects if not isinstance(effect, Send)]
    return effects


def leaves_one_out(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """The first child is not told."""
    return effects[1:] if event is None and isinstance(effects[0], Send) else effects


def applies_twice(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """Carries out again what it has carried out."""
    applied = [effect for effect in effects if isinstance(effect, Apply)]
    return [*effects, *applied] if event is not None else effects


def applies_another_value(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """The value is off by one."""
    return [effect._replace(value=effect.value + 1) if isinstance(effect, Apply) else effect for effect in effects]


def sends_astray(state: ReplicaState, event: Event | None, effects: list[Effect]) -> list[Effect]:
    """Acknowledgements go to the core after the right one."""
    return [
        effect._replace(target=effect.target + 1) if isinstance(effect, Send) and effect.phase == 2 else effect
        for effect in effects
    ]


BUGS: tuple[tuple[Bug, str], ...] = (
    (completes_at_once, "completion"),
    (acknowledges_first, "completion"),
    (leaves_one_out, "progress"),
    (applies_twice, "validity"),
    (applies_another_value, "validity"),
    (sends_astray, "routes"),
)
"""Each bug and the property it violates."""
