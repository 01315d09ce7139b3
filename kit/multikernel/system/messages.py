"""Typed messages: what monitors say to each other and to the dispatchers of their core.

    @message(7)
    class Hello(NamedTuple): core: int                # int: 8 bytes; str: 20 bytes, UTF-8
    encode(Hello(3)) -> bytes                         # at most 56: one line
    decode(payload) -> Hello

On the wire a message is its number (one byte), then its fields in order, little-endian on every core:
the wire format knows no word size and no byte order but its own.

May not know: channels, monitors.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error
from typing import NamedTuple, TypeVar, get_type_hints

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import PAYLOAD

NAME = 20
"""Bytes of a name in a message."""

_M = TypeVar("_M", bound=type)
_BY_NUMBER: dict[int, tuple[Callable[..., tuple[object, ...]], Struct, tuple[bool, ...]]] = {}
_BY_TYPE: dict[type, tuple[int, Struct, tuple[bool, ...]]] = {}


def message(number: int) -> Callable[[_M], _M]:
    """Class decorator: register a NamedTuple of ints and strs as message `number` (1 to 255)."""

    def register(kind: _M) -> _M:
        hints = get_type_hints(kind)
        text = tuple(hint is str for hint in hints.values())
        layout = Struct("<B" + "".join(f"{NAME}s" if is_text else "Q" for is_text in text))
        if number in _BY_NUMBER or layout.size > PAYLOAD:
            raise LocalMisuse(f"message {number} is taken or too long ({layout.size} bytes)")
        _BY_NUMBER[number] = (kind, layout, text)
        _BY_TYPE[kind] = (number, layout, text)
        return kind

    return register


def encode(item: tuple[int | str, ...]) -> bytes:
    """The bytes of a message.  LocalMisuse for a field that does not fit."""
    number, layout, text = _BY_TYPE[type(item)]
    fields: list[int | bytes] = []
    for value, is_text in zip(item, text, strict=True):
        if is_text:
            raw = str(value).encode()
            if len(raw) > NAME:
                raise LocalMisuse(f"{value!r} is longer than the {NAME} bytes of a name in a message")
            fields.append(raw)
        else:
            fields.append(int(value))
    try:
        return layout.pack(number, *fields)
    except error as problem:
        raise LocalMisuse(f"{item!r} does not fit its message: {problem}") from None


def decode(payload: bytes) -> tuple[object, ...]:
    """The message in `payload`.  PeerError for bytes that are none."""
    found = _BY_NUMBER.get(payload[0]) if payload else None
    if found is None or len(payload) != found[1].size:
        raise PeerError(f"not a message: {payload.hex()}")
    kind, layout, text = found
    raw = layout.unpack(payload)[1:]
    fields = [
        value.rstrip(b"\0").decode() if is_text else value for value, is_text in zip(raw, text, strict=True)
    ]
    return kind(*fields)


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
    """Routed by the boot core's monitor from `source` to `target`: let us have a channel.  `address` is
    its memory, zeroed, or 0 when `target` is to provide it."""

    source: int
    target: int
    address: int
    slots: int


@message(4)
class Introduced(NamedTuple):
    """The answer, routed back to `source`: the channel lies at `address`; 0 when refused."""

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
    """Start `program` on the receiving core; `argument` is its own."""

    request: int
    argument: int
    program: str


@message(8)
class Spawned(NamedTuple):
    """The answer: the dispatcher's number on its core, 0 when refused."""

    request: int
    number: int


@message(9)
class Agreement(NamedTuple):
    """A step of a consistency protocol on object `domain`: `operation` identifies the agreement,
    `phase` is the protocol's own, `value` what is agreed."""

    operation: int
    phase: int
    value: int
    tree: int
    domain: str


@message(10)
class Stop(NamedTuple):
    """From the boot core's monitor: halt the core."""

    reason: int


# Between a dispatcher and its core's monitor


@message(32)
class WatchLine(NamedTuple):
    """Poll the line at `address` for me: wake me when its first word differs from `word`."""

    address: int
    word: int


@message(33)
class Export(NamedTuple):
    """Offer `service` on this core."""

    request: int
    service: str


@message(34)
class Connect(NamedTuple):
    """A channel to `service` on `core`, please."""

    request: int
    core: int
    service: str


@message(35)
class Connected(NamedTuple):
    """The answer to Connect, and what an exporter is told of a new client (`request` 0): a Frame
    capability for the channel's memory (0: refused), the peer's core, its bell and a Notify
    capability, and which side this is."""

    request: int
    frame: int
    peer: int
    bell: int
    notify: int
    side: int


@message(36)
class SpawnOn(NamedTuple):
    """Start `program` on `core`."""

    request: int
    core: int
    argument: int
    program: str


@message(37)
class Done(NamedTuple):
    """The answer to a request that has one value; `failed` is not 0 when it was refused."""

    request: int
    value: int
    failed: int


@message(38)
class Agree(NamedTuple):
    """Run the consistency protocol of object `domain` on `value` over tree number `tree`."""

    request: int
    value: int
    tree: int
    domain: str


@message(39)
class AllocateRam(NamedTuple):
    """A RAM capability of `size` bytes near `core`."""

    request: int
    size: int
    core: int
