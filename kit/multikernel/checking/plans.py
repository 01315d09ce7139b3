"""What may happen in an exploration and what has: faults, plans, moves, a violation, a report.

May not know: how moves are found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from multikernel.checking.machine import Machine, Turn

MISHAPS = ("drop", "duplicate")
"""Faults of channels; the others are of cores."""
FALLS = {"stop": "stop", "restart": "fall"}
"""Faults in which a core stops, and what the moves are called."""
TIMEOUT = "timeout"

State: TypeAlias = tuple[int, ...]


class Fault(NamedTuple):
    """`kind` at a place: a core, or a channel by its index."""

    kind: str
    place: int


class Plan(NamedTuple):
    """What may still happen, what has, the cores that are dead (bit i for core i) and of these the ones that come back;
    and how many timers may still run out in lulls."""

    pending: tuple[Fault, ...] = ()
    happened: tuple[Fault, ...] = ()
    dead: int = 0
    down: int = 0
    lulls: int = 0


class Move(NamedTuple):
    """What `core` does, or what befalls it: the kind of an event, `deliver`, or what a fault does; of which channel and
    what message (-1: none); its turn, if it has one; the state after it; how a core stops amid, if it does."""

    kind: str
    core: int
    channel: int
    letter: int
    turn: Turn | None
    after: State
    amid: str = ""


@dataclass
class Violation:
    """`how` a property does not hold, and the moves that lead there."""

    name: str
    how: str
    moves: list[Move]


M = TypeVar("M", bound=Machine)
M_co = TypeVar("M_co", bound=Machine, covariant=True)
End: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass
class Report(Generic[M_co]):
    """What an exploration found, with `faults` that may happen.  `ends` are the states in which nothing can happen any
    more, by the faults before and the roles of those that wait in them for ever; `reached` the numbers of its steps;
    `whole` whether nothing was left out."""

    model: M_co
    name: str
    faults: tuple[str, ...] = ()
    states: int = 0
    transitions: int = 0
    ends: Counter[End] = field(default_factory=Counter)
    reached: tuple[int, ...] = ()
    whole: bool = False
    seconds: float = 0.0
    violation: Violation | None = None


def without(plan: Plan, fault: Fault) -> Plan:
    """The plan in which a fault can no longer happen."""
    pending = list(plan.pending)
    pending.remove(fault)
    return plan._replace(pending=tuple(pending))


def happen(plan: Plan, fault: Fault) -> Plan:
    """The plan in which it has."""
    return without(plan, fault)._replace(happened=tuple(sorted((*plan.happened, fault))))
