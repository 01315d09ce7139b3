"""What a capability invocation can ask of the CPU driver, one frozen record a request.

The capability that authorises each is named in its docstring; every refusal is a CapabilityError.
The requests on memory capabilities themselves (copy, retype, map, ...) are in `system/caps`.

May not know: how any of them is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """Frame or RAM: `count` 64-byte lines from `offset` (bytes) as channel memory.  Gives `Lines`."""

    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class StartCore:
    """Kernel: start `core`, whose monitor finds its boot channel at `channel` (physical address) with
    a window of `slots` messages.  Refused for a core not in the core table."""

    core: int
    channel: int
    slots: int


@dataclass(frozen=True, slots=True)
class MintFrame:
    """Kernel: a Frame capability for memory named by another core's monitor.  Gives a CPtr."""

    base: int
    size: int


@dataclass(frozen=True, slots=True)
class MintNotify:
    """Kernel: a capability to interrupt `core`.  Gives a CPtr."""

    core: int


@dataclass(frozen=True, slots=True)
class Notify:
    """Notify (IRQ) capability: interrupt its core, whose monitor looks at its channels."""


@dataclass(frozen=True, slots=True)
class CreateDispatcher:
    """Kernel: a dispatcher of process `name` on this core running program `program`, not yet runnable.
    `arguments` are its parameters as pairs.  Gives its number."""

    name: str
    program: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RunDispatcher:
    """Kernel: make dispatcher `number` runnable for the first time."""

    number: int


@dataclass(frozen=True, slots=True)
class WakeDispatcher:
    """Kernel: a watch of blocked dispatcher `number` has come true."""

    number: int


@dataclass(frozen=True, slots=True)
class MintEndPoint:
    """Kernel: an EndPoint capability for buffer `buffer` of dispatcher `number`, put into the
    capability space of dispatcher `holder`.  Gives a CPtr valid there."""

    number: int
    buffer: int
    holder: int


@dataclass(frozen=True, slots=True)
class DropPage:
    """Kernel: take the mapping of the page at `address` out of the page tables of dispatcher `number` on this
    core and invalidate it in the TLB.  A page that is not mapped is no error: the effect is idempotent."""

    number: int
    address: int


@dataclass(frozen=True, slots=True)
class Emit:
    """Console: report `event`, one of `multikernel.events`, to the outside."""

    event: object
