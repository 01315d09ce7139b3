"""What a running kernel tells the outside, one frozen record an event.

Every platform turns what happens on its cores into these; `kernel.py` folds them into a report and
the command line prints them.  Times are nanoseconds since boot: virtual on the simulator and under
QEMU's instruction counter, real on the host.

May not know: platforms, the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the board does not say and the platform took instead: every time it reports rests on `text`."""

    at_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class CoreUp:
    """A CPU driver runs on `core`."""

    at_ns: int
    core: int
    isa: str
    driver: str


@dataclass(frozen=True, slots=True)
class CoreFailed:
    """`core` could not be started, or died; the rest goes on."""

    at_ns: int
    core: int
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """`device` could not do what `core` told it."""

    at_ns: int
    core: int
    device: str
    text: str


@dataclass(frozen=True, slots=True)
class FaultStruck:
    """A fault of kind `kind` that was asked for begins, or is `over`, on `core` (of a link the first of its two).
    `text` is the fault, as `multikernel.faults.parse` takes it."""

    at_ns: int
    core: int
    kind: str
    text: str
    over: bool = False

    @property
    def stops(self) -> bool:
        """Whether the core runs nothing from now on."""
        return self.kind in ("stop", "restart") and not self.over


@dataclass(frozen=True, slots=True)
class MonitorJoined:
    """The monitor of `core` is a member; the boot core's joins first."""

    at_ns: int
    core: int


@dataclass(frozen=True, slots=True)
class Booted:
    """Every core has joined or was given up, and what the boot list names is started; `members` cores are up."""

    at_ns: int
    core: int
    members: int


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """A dispatcher of process `name` runs on `core`; `parent` started it."""

    at_ns: int
    core: int
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class Message:
    """A line of text a program or service printed."""

    at_ns: int
    core: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class FactAsserted:
    """Program `name` found out something about the machine: a fact for the system knowledge base, which checks
    it against what is declared when it is told."""

    at_ns: int
    core: int
    name: str
    predicate: str
    values: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class CallBegun:
    """Where a run is observed: a client on `core` asks for `value` to be agreed on for `object`, its `number`-th call
    there."""

    at_ns: int
    core: int
    object: str
    number: int
    value: int


@dataclass(frozen=True, slots=True)
class CallEnded:
    """That call is answered: with `result`, or, not `accepted`, refused."""

    at_ns: int
    core: int
    object: str
    number: int
    result: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Carried:
    """Where a run is observed: the replica of `object` on `core` carries `value` out, as the one at `place` there;
    `origin` and `request` name it, and `result` came of it.  Over a tree `place` is the number of the agreement, and
    `result` 0 if it is given up instead."""

    at_ns: int
    core: int
    object: str
    place: int
    origin: int
    request: int
    value: int
    result: int


Witnessed: TypeAlias = CallBegun | CallEnded | Carried
"""What is told only where a run is observed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a program's result: column names and values of equal length.
    A value is an integer, a decimal written as text, or a word."""

    columns: tuple[str, ...]
    values: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class ProgramDone:
    """`name` returned; `rows` is its result."""

    at_ns: int
    core: int
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ProgramRaised:
    """`name` raised on `core` in `dispatcher`; `error` is one line, `trace` the traceback."""

    at_ns: int
    core: int
    name: str
    dispatcher: str
    error: str
    trace: str


Event: TypeAlias = (
    Assumed
    | CoreUp
    | CoreFailed
    | DeviceFault
    | FaultStruck
    | MonitorJoined
    | Booted
    | ProcessStarted
    | Message
    | FactAsserted
    | Witnessed
    | ProgramDone
    | ProgramRaised
)
