"""What a capability invocation can ask of the CPU driver, one frozen record a request.

    await Invoke(KERNEL, GiveNotify(3, holder))       the result's type is the request's

The capability that authorises each is named in its docstring; every refusal is a CapabilityError.  The
requests on memory capabilities themselves (copy, retype, map, ...) are in `system/caps/requests.py`.

May not know: how any of them is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from multikernel.events import Event
from multikernel.interfaces import Lines
from multikernel.system.caps.types import ALL_RIGHTS

T_co = TypeVar("T_co", covariant=True)


class Request(Generic[T_co]):
    """Something a capability authorises, with a result of type T."""

    __slots__ = ()


class MemoryRange(NamedTuple):
    """`size` bytes of physical memory at `base`, and the `rights` of the capability that names them."""

    base: int
    size: int
    rights: int


class LocalPair(NamedTuple):
    """The two sides of a local connection: each a CPtr (low half) and the own buffer (high half)."""

    a: int
    b: int


# Any dispatcher


@dataclass(frozen=True, slots=True)
class Call:
    """A program to run, from outside."""

    program: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Start `core` anew, which has stopped, from outside."""

    core: int


Input: TypeAlias = Call | Restart
"""What the outside wants."""


@dataclass(frozen=True, slots=True)
class OpenWindow(Request[Lines]):
    """Frame with the rights to read and write: `count` 64-byte lines from `offset` (bytes) as channel memory."""

    offset: int
    count: int


class Seen(NamedTuple):
    """Memory at `physical`, and the `address` at which the core's own instructions have it."""

    physical: int
    address: int


@dataclass(frozen=True, slots=True)
class AddressOf(Request[Seen]):
    """Frame: where it is for a core that does not translate addresses.  LocalMisuse when the core does not
    reach it."""


@dataclass(frozen=True, slots=True)
class Notify(Request[None]):
    """IRQ capability of a core: interrupt it; its monitor looks at its channels."""


@dataclass(frozen=True, slots=True)
class SetRoot(Request[None]):
    """Dispatcher (one's own): use the page tables under the root table at `table` (a CPtr)."""

    table: int


@dataclass(frozen=True, slots=True)
class Emit(Request[None]):
    """Console: report `event` to the outside."""

    event: Event


# The monitor, by its Kernel capability


@dataclass(frozen=True, slots=True)
class StartCore(Request[None]):
    """Start `core`, whose monitor finds its boot channel at physical address `channel` with a window of
    `slots` messages.  Whether it came up is learned from its monitor's Hello.  Refused for a core not in
    the core table."""

    core: int
    channel: int
    slots: int


@dataclass(frozen=True, slots=True)
class OpenRaw(Request[Lines]):
    """`count` lines at physical address `address`."""

    address: int
    count: int


@dataclass(frozen=True, slots=True)
class NotifyCore(Request[None]):
    """Interrupt `core`."""

    core: int


@dataclass(frozen=True, slots=True)
class KnockCore(Request[None]):
    """Interrupt `core` by the vector that says that somebody is at its door (`monitor/doors.py`)."""

    core: int


@dataclass(frozen=True, slots=True)
class GiveFrame(Request[int]):
    """A Frame capability with `rights` for memory another core's monitor vouches for (or this core's own), in
    the capability space of dispatcher `holder`.  Gives its CPtr there."""

    base: int
    size: int
    holder: int
    rights: int = ALL_RIGHTS


@dataclass(frozen=True, slots=True)
class GiveRam(Request[int]):
    """A RAM capability with `rights` of `size` bytes at `base`, part of this core's arena or vouched for by the
    memory server, for dispatcher `holder`."""

    base: int
    size: int
    holder: int
    rights: int = ALL_RIGHTS


@dataclass(frozen=True, slots=True)
class GiveNotify(Request[int]):
    """A capability to interrupt `core`, for dispatcher `holder`."""

    core: int
    holder: int


@dataclass(frozen=True, slots=True)
class RangeOf(Request[MemoryRange]):
    """Physical base and size, and the rights, of the Frame (or, with `ram`, RAM) at `cptr` of dispatcher `holder`,
    which wants it sent.  CapabilityError `rights` for one without the right to."""

    holder: int
    cptr: int
    ram: bool


@dataclass(frozen=True, slots=True)
class CreateDispatcher(Request[int]):
    """A dispatcher of process `name` running program `program` with `argument` and `parameters`, not yet
    runnable; its endpoint to this monitor is in its capability space.  A `leader`'s end is the end of its
    process, and is reported.  Gives its number."""

    name: str
    program: str
    argument: int
    parameters: tuple[tuple[str, str], ...]
    leader: bool


@dataclass(frozen=True, slots=True)
class RunDispatcher(Request[None]):
    """Make dispatcher `number` runnable for the first time."""

    number: int


@dataclass(frozen=True, slots=True)
class WakeDispatcher(Request[None]):
    """A watch of blocked dispatcher `number` has come true."""

    number: int


@dataclass(frozen=True, slots=True)
class ConnectLocal(Request[LocalPair]):
    """An LMP connection between dispatchers `a` and `b` of this core, with buffers of `slots` messages:
    a CPtr for each side, which names the endpoint to send to and the own buffer."""

    a: int
    b: int
    slots: int


@dataclass(frozen=True, slots=True)
class DisconnectLocal(Request[None]):
    """Take back the `side` of a LocalPair that dispatcher `number` got: its EndPoint is deleted.  The monitor's own
    buffer and slot are used again; another dispatcher keeps its buffer and what is in it."""

    number: int
    side: int


@dataclass(frozen=True, slots=True)
class DropPage(Request[None]):
    """Take the page at virtual `address` out of the page tables of dispatcher `number` and of the TLB.
    One that is not mapped is no error: the effect is idempotent."""

    number: int
    address: int


@dataclass(frozen=True, slots=True)
class NextInput(Request[Input | None]):
    """Console: the next thing the outside wants, if there is one."""
