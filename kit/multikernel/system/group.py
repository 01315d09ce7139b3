"""Consistency protocols among equals: step functions over plain data, one peer a core.

    protocol.start(core, members, incarnation)  -> Peer      on every core that has to do with the object
    peer.step(event)                            -> effects   every event, one after another

Beside the protocols over a tree (`protocol.py`), where one core asks and the others obey, these are for updates that
any core may submit.  No I/O, no clock, no randomness.  The monitor carries effects out in order; an `Execute` is
finished, and its `Executed` stepped, before the next effect is begun.

A peer is a dataclass of plain data: its fields are numbers, tuples (named ones too) of plain data that does not change,
and lists and dicts of such.  `freeze` and `thaw` rest on that: they are what lets a peer be explored and compared.

What a peer may rely on: messages between two peers come in the order they were told, if they come; who restarts has
forgotten everything and is started with an `incarnation` above 0.  A peer that has nothing left to do arms no timer,
so that a kernel at rest is at rest.

May not know: monitors, channels, what is agreed on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from multikernel.errors import LocalMisuse, PeerError

ROOM = 52
"""Bytes of numbers in one message: what a line leaves beside its header, the message's, object and phase."""


class Submitted(NamedTuple):
    """Somebody on this core asks for `value` (0 to 2**64 - 1).  `request` is this core's own number, 1, 2, 3, ..., and
    is answered once."""

    request: int
    value: int


class Reconfigured(NamedTuple):
    """Somebody on this core asks that `core` be a member (`present`) or no longer.  Answered as `Submitted` is."""

    request: int
    core: int
    present: bool


class Heard(NamedTuple):
    """A message of this protocol from the peer on core `source`: its phase and its numbers."""

    source: int
    phase: int
    numbers: tuple[int, ...]


class Elapsed(NamedTuple):
    """The timer armed under this number ran out, and is no longer armed."""

    timer: int


class Executed(NamedTuple):
    """An `Execute` is done; what the replica says came of it."""

    place: int
    result: int


class Tell(NamedTuple):
    """Send to the peer on core `target`: what `Heard` says there.  At most ROOM bytes by `size`."""

    target: int
    phase: int
    numbers: tuple[int, ...]


class Execute(NamedTuple):
    """Carry `value` out on this core's replica, as the one at `place` here (1, 2, 3, ...).  `origin` and `request` say
    who asked for it: together they name it, on every core the same."""

    place: int
    origin: int
    request: int
    value: int


class Answer(NamedTuple):
    """`request` of this core is settled: carried out, with `result`, or, not `accepted`, refused for good."""

    request: int
    result: int
    accepted: bool = True


class Arm(NamedTuple):
    """Arm `timer` anew: it runs out after `ticks` of the monitor's (`TICK_NS`); 0 disarms it."""

    timer: int
    ticks: int


GroupEvent: TypeAlias = Submitted | Reconfigured | Heard | Elapsed | Executed
GroupEffect: TypeAlias = Tell | Execute | Answer | Arm


@dataclass
class Peer(ABC):
    """One core's part; see the module.  A subclass is a dataclass as well, and adds fields of plain data."""

    core: int

    @abstractmethod
    def step(self, event: GroupEvent) -> Sequence[GroupEffect]:
        """Every event, one after another.  PeerError for a message that no peer of the protocol would send."""

    def neighbours(self) -> Sequence[int]:
        """The cores it will tell something of its own accord: it has met them before the object is first used."""
        return ()

    def starts(self) -> Sequence[Arm]:
        """Timers that run from the start: of who was restarted and has to ask others what it has forgotten."""
        return ()

    def role(self) -> str:
        """What this core is to the object at present, in a word: leader, follower, client."""
        return "peer"

    def freeze(self) -> tuple[Hashable, ...]:
        """What this peer is, as a value: equal where two peers of a core would do the same."""
        return tuple(_frozen(getattr(self, field.name)) for field in fields(self))

    def thaw(self, frozen: tuple[Hashable, ...]) -> None:
        """Become what was frozen, sharing nothing with it that changes."""
        for field, value in zip(fields(self), frozen, strict=True):
            setattr(self, field.name, _thawed(getattr(self, field.name), value))


@runtime_checkable
class GroupProtocol(Protocol):
    """A plugin's protocol: makes peers, keeps nothing."""

    def start(self, core: int, members: Sequence[int], incarnation: int) -> Peer:
        """The peer of `core`, which need not be one of `members`, the cores that hold the object at first."""


def size(numbers: Sequence[int]) -> int:
    """Bytes of a message's numbers: seven bits a byte (LEB128)."""
    return sum(max(1, -(-number.bit_length() // 7)) for number in numbers)


def pack(numbers: Sequence[int]) -> bytes:
    """The bytes.  LocalMisuse for a negative number, or more than ROOM bytes."""
    packed = bytearray()
    for number in numbers:
        if number < 0:
            raise LocalMisuse(f"{number} in a message: numbers are not negative")
        while number > 0x7F:
            packed.append(number & 0x7F | 0x80)
            number >>= 7
        packed.append(number)
    if len(packed) > ROOM:
        raise LocalMisuse(f"{len(packed)} bytes of numbers in a message: there is room for {ROOM}")
    return bytes(packed)


def unpack(packed: bytes) -> tuple[int, ...]:
    """The numbers again.  PeerError for bytes that end amid one."""
    numbers: list[int] = []
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise PeerError(f"not a message's numbers: {packed.hex()}")
    return tuple(numbers)


def _frozen(value: Hashable | list[Hashable] | dict[Hashable, Hashable]) -> Hashable:
    if isinstance(value, list):
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def _thawed(now: object, frozen: Hashable) -> Hashable | list[Hashable] | dict[Hashable, Hashable]:
    """`now` tells of what type the field is, which never changes."""
    if isinstance(now, list) and isinstance(frozen, tuple):
        return list(frozen)
    return dict(frozen) if isinstance(now, dict) and isinstance(frozen, tuple) else frozen
