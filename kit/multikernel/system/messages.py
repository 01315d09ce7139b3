"""Typed messages: what monitors say to each other and to the dispatchers of their core.

    @message(7)
    class Hello(NamedTuple): core: int      # int: 8 bytes; Small: 4; str: 20 bytes, UTF-8
    encode(Hello(3)) -> bytes                         # at most 56: one line
    decode(payload) -> Hello

On the wire a message is its number (one byte), then its fields in order, little-endian on every core:
the wire format knows no word size and no byte order but its own.

May not know: channels, monitors.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error
from typing import Annotated, NamedTuple, TypeAlias, TypeVar, get_type_hints

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import PAYLOAD

NAME = 20
"""Bytes of a name in a message."""

LOCAL = 32
"""Messages of lower numbers are said by monitors to monitors alone, the others by dispatchers and their monitor to each
other: so no program can speak for a core."""

Small: TypeAlias = Annotated[int, "I"]
"""A field of 4 bytes."""

_M = TypeVar("_M", bound=type[tuple[object, ...]])
_BY_NUMBER: dict[int, tuple[type[tuple[object, ...]], Struct, tuple[int, ...]]] = {}
"""Of each message its type, its layout less the number, and which of its fields are text."""
_BY_TYPE: dict[type, tuple[int, Struct, tuple[int, ...]]] = {}


def message(number: int) -> Callable[[_M], _M]:
    """Class decorator: register a NamedTuple of ints and strs as message `number` (1 to 255)."""

    def register(kind: _M) -> _M:
        hints = get_type_hints(kind, include_extras=True).values()
        text = tuple(place for place, hint in enumerate(hints) if hint is str)
        codes = "".join(f"{NAME}s" if hint is str else "I" if hint == Small else "Q" for hint in hints)
        layout = Struct("<B" + codes)
        if number in _BY_NUMBER or layout.size > PAYLOAD:
            raise LocalMisuse(f"message {number} is taken or too long ({layout.size} bytes)")
        _BY_NUMBER[number] = (kind, Struct("<x" + codes), text)
        _BY_TYPE[kind] = (number, layout, text)
        return kind

    return register


def encode(item: tuple[int | str, ...]) -> bytes:
    """The bytes of a message.  LocalMisuse for a field that does not fit."""
    number, layout, text = _BY_TYPE[type(item)]
    try:
        if not text:
            return layout.pack(number, *item)
        fields: list[int | str | bytes] = list(item)
        for place in text:
            raw = str(item[place]).encode()
            if len(raw) > NAME:
                raise LocalMisuse(f"{item[place]!r} is longer than the {NAME} bytes of a name in a message")
            fields[place] = raw
        return layout.pack(number, *fields)
    except error as problem:
        raise LocalMisuse(f"{item!r} does not fit its message: {problem}") from None


def decode(payload: bytes) -> tuple[object, ...]:
    """The message in `payload`.  PeerError for bytes that are none."""
    found = _BY_NUMBER.get(payload[0]) if payload else None
    if found is None or len(payload) != found[1].size:
        raise PeerError(f"not a message: {payload.hex()}")
    kind, layout, text = found
    raw = layout.unpack(payload)
    if not text:
        return tuple.__new__(kind, raw)
    fields = list(raw)
    try:
        for place in text:
            fields[place] = raw[place].rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise PeerError(f"not a message: {payload.hex()}") from None
    return tuple.__new__(kind, fields)


# Between monitors


@message(1)
class Hello(NamedTuple):
    """A new core's monitor to the boot core's, over its boot channel."""

    core: int


@message(2)
class Welcome(NamedTuple):
    """The answer: `members` cores have joined, the newcomer included."""

    members: int


@message(3)
class Introduce(NamedTuple):
    """Routed by the boot core's monitor from `source` (its lower half) to `target`: let us have a channel.  `address`
    is its memory, zeroed, or 0 when `target` is to provide it.  The upper half of `source` counts how often one of the
    two was restarted: with another count the message is to, or from, what a core was before."""

    source: int
    target: int
    address: int
    slots: int


@message(4)
class Introduced(NamedTuple):
    """The answer, routed back to `source`, as in the request: the channel lies at `address`; 0 when refused."""

    source: int
    target: int
    address: int


@message(5)
class Bind(NamedTuple):
    """A dispatcher of the sending core wants a channel to `service`.  `address` as in Introduce;
    `bell` is the asker's bell line."""

    request: int
    address: int
    slots: int
    bell: int
    service: str


@message(6)
class Bound(NamedTuple):
    """The answer: where the channel lies (0: refused) and the exporter's bell line."""

    request: int
    address: int
    bell: int


@message(7)
class Spawn(NamedTuple):
    """Start `program` of process `process` on the receiving core; `argument` is its own (4 bytes)."""

    request: Small
    argument: Small
    program: str
    process: str


@message(8)
class Spawned(NamedTuple):
    """The answer: the dispatcher's number on its core, 0 when refused."""

    request: int
    number: int


@message(22)
class Forget(NamedTuple):
    """From the boot core's monitor: `core` has stopped and is started anew, for the `times`-th time, knowing nothing.
    Its gateway starts it."""

    core: Small
    times: Small


@message(9)
class Agreement(NamedTuple):
    """A step of a consistency protocol: `operation` identifies the agreement (its low byte the object),
    `phase` is the protocol's own, `value` what is agreed, for process `process`; `among` are the children
    of the receiver it concerns."""

    operation: Small
    phase: Small
    value: int
    tree: Small
    among: int
    process: str


@message(10)
class Gather(NamedTuple):
    """What monitors say to each other before an object is first agreed on among equals; `stage` is one of
    `monitor/gathering.py`, `object` a number on which all monitors agree."""

    object: Small
    stage: Small


@message(12)
class Spans(NamedTuple):
    """To the boot core's monitor: `process` now has a dispatcher on `core`."""

    request: Small
    core: Small
    process: str


@message(13)
class Noted(NamedTuple):
    """The answer: agreements of the process include that core from now on."""

    request: Small


@message(14)
class OpenCircuit(NamedTuple):
    """A dispatcher of the sending core wants a channel to `service` that the monitors carry, with a window of
    `slots` messages; the sender calls its end `number`."""

    number: Small
    slots: Small
    service: str


@message(15)
class CircuitOpened(NamedTuple):
    """The answer to the end `number`: the other is called `other` (0: refused)."""

    number: Small
    other: Small


@message(16)
class CircuitCredit(NamedTuple):
    """To the end `number`: `read` messages of it were read."""

    number: Small
    read: Small


@message(17)
class CircuitClosed(NamedTuple):
    """To the end `number`: the dispatcher at the other has ended."""

    number: Small


# Between a dispatcher and its core's monitor


@message(32)
class WatchLine(NamedTuple):
    """Poll the line at `address` for me: wake me when its first word differs from `word`; `maintained` is
    that of `interfaces.Watch`."""

    address: int
    word: int
    maintained: Small


@message(33)
class Export(NamedTuple):
    """Offer `service` on this core."""

    request: int
    service: str


@message(34)
class Connect(NamedTuple):
    """A channel to `service` on `core`, please."""

    request: Small
    core: int
    service: str


@message(35)
class Connected(NamedTuple):
    """The answer to Connect, and what an exporter is told of a new client (`request` 0).  `frame` is a
    Frame capability for the channel's memory at physical `address` (0: refused); `bells` one for the page
    with the peer's bell, at line `bell`; `notify` interrupts the peer's core; `side` is which side this is.
    On one core `address` is 0 and `frame` names an EndPoint (low half) and the own buffer (high half); so it is
    for a circuit, where the EndPoint is the monitor's, and `bells` and `notify` name another and its buffer, for
    what is said about the circuit, and `bell` is its window."""

    request: Small
    frame: int
    bells: Small
    notify: Small
    address: int
    peer: Small
    bell: Small
    side: Small


@message(36)
class SpawnOn(NamedTuple):
    """Start `program` on `core`."""

    request: int
    core: int
    argument: Small
    program: str


@message(37)
class Done(NamedTuple):
    """The answer to a request that has one value; `failed` is not 0 when it was refused (`UNSEEN`: as the core that
    was to get memory has no address for it; `WITHHELD`: as the capability may not be sent)."""

    request: int
    value: int
    failed: int


UNSEEN = 2
WITHHELD = 3


@message(42)
class Gone(NamedTuple):
    """From the CPU driver to the monitor: dispatcher `number` has ended."""

    number: Small


@message(38)
class Agree(NamedTuple):
    """Run the consistency protocol of `object` on `value` over tree number `tree`, for the sender's
    process."""

    request: Small
    value: int
    tree: Small
    object: str


@message(47)
class Reconfigure(NamedTuple):
    """Let `core` be one of those that hold `object`, or (`present` 0) no longer."""

    request: Small
    core: Small
    present: Small
    object: str


@message(48)
class AskReplica(NamedTuple):
    """What does this core's replica of `object` say to `question`?"""

    request: Small
    question: int
    object: str


@message(44)
class AskUp(NamedTuple):
    """On the boot core: has the monitor of `core` joined?"""

    request: Small
    core: Small


@message(39)
class AllocateRam(NamedTuple):
    """A RAM capability of `size` bytes on this core's node, please."""

    request: Small
    size: int


@message(40)
class SendMemory(NamedTuple):
    """Give the Frame (`ram` 0) or RAM at `cptr` to dispatcher `number` of `core` too."""

    request: Small
    cptr: Small
    core: Small
    number: Small
    ram: Small


@message(41)
class MemorySent(NamedTuple):
    """To a dispatcher: another one gave it the Frame (`ram` 0) or RAM now at `cptr`, of `size` bytes."""

    cptr: Small
    size: int
    ram: Small


@message(43)
class ClaimPool(NamedTuple):
    """From the memory server: the RAM of pool number `pool` of the layout, please."""

    request: Small
    pool: Small


@message(11)
class PassMemory(NamedTuple):
    """Between monitors: `size` bytes at `base` for dispatcher `number` of the receiving core, as a Frame
    (`ram` 0) or RAM with `rights`."""

    base: int
    size: int
    number: Small
    ram: Small
    rights: Small


@message(49)
class Lost(NamedTuple):
    """To a dispatcher: the core at the other end of one of its channels has died.  `channel` is what `Connected` said
    of it: its address, or, where monitors carry it, the `frame`."""

    channel: int


# Between a dispatcher and its core's monitor, about one circuit


@message(45)
class Granted(NamedTuple):
    """Either way: `read` messages were read, so that so many more may be sent."""

    read: Small


@message(46)
class Ended(NamedTuple):
    """To the dispatcher: nobody is at the other end any more."""
