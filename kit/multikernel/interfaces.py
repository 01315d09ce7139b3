"""The Protocol classes a plugin implements, and the three contracts of a core.

    Machine     what the hardware of one core does; seen only by the CPU driver and the core's loop
    CpuDriver   privileged, event-driven, one event at a time to completion
    UserHalf    what the CPU driver and the machine see of a dispatcher

Above them, at user level: `Lines` (channel memory), `Poller`, `Transport` and its `Endpoint`.

Rules: an operation never completes inside the call that starts it; refusal is synchronous; each
accepted start completes exactly once.  `await`ed methods below are operations of the running core:
on the simulator they cost virtual time, on the host they are what they say.  Time is integer
nanoseconds (`_ns`) or cycles of the core (`cycles`).

May not know: any implementation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint
    from multikernel.events import Event
    from multikernel.faults import Fault
    from multikernel.system.environment import Code

LINE = 64
"""Bytes of a channel line on every platform: one x86 cache line (AMD64 manual vol. 2, 7.1)."""
PAYLOAD = 56
"""Bytes of a message: a line less its header word."""


@dataclass(slots=True)
class Watch:
    """True as soon as the first 8-byte word of line `index` of `lines` differs from `word`.  `maintained`:
    whoever polls it has to invalidate the line before each look, as memory is what counts.  Not frozen, as one is made
    for each wait."""

    lines: Lines
    index: int
    word: int
    maintained: bool = False


class Lines(Protocol):
    """Channel memory as one core sees it: `count` lines of 64 bytes.

    `load`/`store` move whole lines; a store becomes visible to other cores later, in program order,
    and is visible for certain after `fence`.  The first word of a line is written last.  Where
    `coherent` is False this core sees stale lines until it `invalidate`s them, and others see its
    stores only after `clean`; on coherent memory both cost time and change nothing.
    """

    count: int
    coherent: bool

    def load(self, index: int) -> Awaitable[bytes]: ...
    def store(self, index: int, line: bytes) -> Awaitable[None]: ...
    def clean(self, index: int) -> Awaitable[None]: ...
    def invalidate(self, index: int) -> Awaitable[None]: ...
    def fence(self) -> Awaitable[None]: ...


class RingSender(Protocol):
    """The writing half of a ring of lines (layout in `system/ring.py`).  One per ring and core."""

    def put(self, payload: bytes) -> Awaitable[bool]:
        """Write one message (at most 56 bytes).  False, and nothing written, when the window is full."""

    def room(self) -> Watch:
        """The line that changes when `put` may succeed again."""


class RingReceiver(Protocol):
    """The reading half of a ring of lines."""

    def take(self) -> Awaitable[bytes | None]:
        """The next message, or None.  Acknowledges in batches."""

    def watch(self) -> Watch:
        """The line that changes when `take` may succeed."""


class ChannelMemory(Protocol):
    """What a platform hands a transport for one side of a channel: the lines both sides share, and
    ring halves over them (native where the platform has them, `system/ring.py` otherwise).

    A transport over a device (scope `link`) finds the registers of its directed pair in `device`, as
    `system/registers.py` lays them out; `lines` is then this side's own area, at physical address `here`, and
    `there` is that of the peer's.  For all others `device` is None and both addresses are 0."""

    lines: Lines
    device: Lines | None
    here: int
    there: int

    def sender(self, first: int, slots: int) -> RingSender: ...
    def receiver(self, first: int, slots: int) -> RingReceiver: ...


class Carrier(Protocol):
    """Moves messages one way each: at most 56 bytes, whole, in order and once.  Not to be shared between
    threads.  `ack_interval`: `poll` acknowledges, and so makes room, with every so many messages it gave."""

    ack_interval: int

    def try_send(self, payload: bytes) -> Awaitable[bool]:
        """Start sending; False when the window is full, and then nothing was sent.
        Raises LocalMisuse for a payload of more than 56 bytes."""

    def poll(self) -> Awaitable[bytes | None]:
        """The next message if one has arrived, else None.  Raises PeerError for a line that is not
        of this transport."""


class Endpoint(Carrier, Protocol):
    """One side of a channel over lines, built by a transport inside the core that uses it."""

    def watch(self) -> Watch:
        """What changes when `poll` may return a message."""

    def room(self) -> Watch:
        """What changes when `try_send` may succeed after it returned False."""


class Transport(Protocol):
    """A kind of channel (interconnect driver).  Built once per core from its config model."""

    def lines(self, slots: int) -> int:
        """How many 64-byte lines a channel with a window of `slots` messages each way needs: shared by both
        sides, or, over a device, of each side's own (0: none)."""

    def open(self, memory: ChannelMemory, slots: int, side: int) -> Endpoint:
        """The endpoint of side 0 (the one that asked for the channel) or 1, over zeroed memory."""


class Session(Protocol):
    """A kernel that is up on some platform."""

    def run(self, program: str, arguments: Sequence[tuple[str, str]]) -> None:
        """Run a program to its end; what it does arrives as events.  Raises BootTimeout when the
        instance stops answering."""

    def stop(self) -> Outcome:
        """Power off in order.  Idempotent; leaves nothing behind."""


class Reached(NamedTuple):
    """How many times, on all cores together, `protocol` was about to carry out `effect`, which came of `cause`."""

    protocol: str
    cause: str
    effect: str
    times: int


class Outcome(NamedTuple):
    """What is known when an instance has stopped.  `digest` is empty where the platform has none; `reached` are the
    protocol steps, by name, of a run that was observed."""

    digest: str
    virtual_ns: int
    channels: int
    messages: int
    reached: tuple[Reached, ...] = ()


class BootOptions(NamedTuple):
    """How to boot.  `trace` is a file to write deliveries to, or empty; `timeout_ns` bounds the boot
    (virtual on the simulator); `keep` is a folder for what the run leaves, or empty.

    For platforms that simulate faults (`FaultyPlatform`): `faults`; `jitter_ns`, the most that a line of a channel is
    seen late for no other reason, drawn from the seed; `observe`, whether protocol steps are counted."""

    seed: int = 0
    trace: str = ""
    timeout_ns: int = 60_000_000_000
    keep: str = ""
    faults: tuple[Fault, ...] = ()
    jitter_ns: int = 0
    observe: bool = False


class Platform(Protocol):
    """Something a blueprint can be brought up on."""

    def boot(self, blueprint: Blueprint, code: Code, options: BootOptions, sink: Callable[[Event], None]) -> Session:
        """Bring every core up and wait until the monitors that can join have joined; `code` is what the
        blueprint's names stand for.  Raises
        PlatformError when the platform cannot run here, BootTimeout when it does not come up."""

    def doctor(self) -> Sequence[str]:
        """One line a finding: native or fallback, and why."""


@runtime_checkable
class FaultyPlatform(Protocol):
    """A platform that simulates faults and observes what runs.  Optional."""

    def check(self, blueprint: Blueprint, options: BootOptions) -> None:
        """Raises UsageError, before anything is booted, for a fault that it cannot bring about on this blueprint."""


@runtime_checkable
class ImageBuilder(Protocol):
    """A platform that boots a file it can also build for keeping.  Optional."""

    def image(self, blueprint: Blueprint, code: Code, folder: Path) -> Path:
        """Build the image of `blueprint` in `folder` and give its path.  Raises PlatformError when a tool
        or a plugin's C facet is missing, FileError."""
