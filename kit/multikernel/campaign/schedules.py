"""What one run of a campaign is, and how it is drawn.

    draw(field, number) -> Schedule      the same for the same number, on every machine

The first schedule has neither fault nor jitter, the next few jitter alone: what is simple is found first.  When a fault
strikes is a time, a message or a step of the protocol, evenly; a time is within what a run without faults took, so
that it strikes amid the work.

May not know: how a run is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from multikernel.faults import Fault, Kind, Trigger

KINDS: Final[tuple[Kind, ...]] = ("stop", "stall", "restart", "skew", "cut", "delay")
ALONE: Final[tuple[Kind, ...]] = ("stop", "stall", "skew")
_TRIGGERS: Final[tuple[Trigger, ...]] = ("time", "message", "step")
QUIET = 8
"""So many of the first schedules have no fault."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the clients do: `calls` each, on `cores` cores (0: all), `outstanding` under way at a time, over `keys`; the
    last core that holds the object is let go and taken in again `changes` times.  Over trees each call draws one, or
    all take `tree`."""

    calls: int = 4
    cores: int = 0
    outstanding: int = 4
    keys: int = 2
    changes: int = 0
    tree: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run: everything that it depends on beside the kernel and the object."""

    seed: int
    jitter_ns: int
    faults: tuple[Fault, ...]
    work: Work


@dataclass(frozen=True, slots=True)
class Field:
    """What schedules are drawn from: `kinds` of faults, at most `most` a run, on `cores`, of which `boot_core` is not
    restarted; in a run without faults a core takes up to `messages` lines and `steps` steps within `span_ns`.  The
    `changes` of `work` are the most."""

    seed: int
    kinds: tuple[Kind, ...]
    most: int
    jitter_ns: int
    cores: tuple[int, ...]
    boot_core: int
    span_ns: int
    messages: int
    steps: int
    work: Work

    def possible(self) -> tuple[Kind, ...]:
        """The kinds that can happen: a core alone has no links, and nobody who would start it anew."""
        return self.kinds if len(self.cores) > 1 else tuple(kind for kind in self.kinds if kind in ALONE)


def draw(field: Field, number: int) -> Schedule:
    """Schedule `number`, from 0."""
    chance = Random(f"{field.seed}:{number}")
    jitter_ns = chance.randint(1, field.jitter_ns) if number and field.jitter_ns else 0
    count = 0 if number < QUIET or not field.possible() else chance.randint(1, field.most)
    faults = tuple(_fault(field, chance) for _ in range(count))
    work = replace(field.work, changes=chance.randint(0, field.work.changes))
    return Schedule(field.seed * 1_000_003 + number, jitter_ns, tuple(dict.fromkeys(faults)), work)


def _fault(field: Field, chance: Random) -> Fault:
    kind = chance.choice(field.possible())
    cores = [core for core in field.cores if kind != "restart" or core != field.boot_core]
    core = chance.choice(cores)
    trigger = chance.choice(_TRIGGERS)
    most = {"time": field.span_ns, "message": field.messages, "step": field.steps}[trigger]
    fault = Fault(kind, core, trigger=trigger, at=chance.randint(1, max(1, most)), since="run")
    lasts = chance.choice((field.span_ns // 10, field.span_ns, 10 * field.span_ns)) + 1
    match kind:
        case "stall" | "restart":
            return replace(fault, for_ns=lasts)
        case "skew":
            ahead = chance.choice((-lasts, lasts))
            return (
                replace(fault, by_ns=ahead)
                if chance.randint(0, 1)
                else replace(fault, by_ppm=50_000 if ahead > 0 else -50_000)
            )
        case "cut" | "delay":
            peer = chance.choice([other for other in field.cores if other != core])
            fault = replace(fault, peer=peer, for_ns=lasts, ways=chance.choice(("one", "both")))
            return fault if kind == "cut" else replace(fault, by_ns=max(1, field.span_ns // 20))
    return fault
