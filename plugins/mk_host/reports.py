"""What passes between a core's process and the caller's, as bytes: JSON arrays, each on one line.

    encode(event) -> bytes          the event's class, then its fields in order
    decode(data) -> Event
    encode_call(call) -> bytes      the program, then its parameters, each a pair
    decode_call(data) -> Call

Counters are an event of this platform alone: what a core has to say when it is powered off.

May not know: how the bytes travel.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import get_args

from multikernel.errors import PeerError
from multikernel.events import Event, FactAsserted, ProgramDone, Row
from multikernel.system.requests import Call


@dataclass(frozen=True, slots=True)
class Counters:
    """Over the core's life: `sides` of channels opened, `messages` taken from them."""

    sides: int
    messages: int


_KINDS: dict[str, type[Event | Counters]] = {kind.__name__: kind for kind in (*get_args(Event), Counters)}


def encode(event: Event | Counters) -> bytes:
    """The bytes of an event."""
    values = [getattr(event, field.name) for field in fields(event)]
    if isinstance(event, ProgramDone):
        values[-1] = [[row.columns, row.values] for row in event.rows]
    return json.dumps([type(event).__name__, *values]).encode()


def decode(data: bytes) -> Event | Counters:
    """The event in `data`.  PeerError for bytes `encode` does not make."""
    try:
        name, *values = json.loads(data)
        kind = _KINDS[name]
        if kind is ProgramDone:
            at_ns, core, program, rows = values
            return ProgramDone(at_ns, core, program, tuple(Row(tuple(columns), tuple(row)) for columns, row in rows))
        if kind is FactAsserted:
            at_ns, core, program, predicate, columns = values
            return FactAsserted(at_ns, core, program, predicate, tuple(columns))
        return kind(*values)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise PeerError(f"not an event: {data[:80]!r}") from error


def encode_call(call: Call) -> bytes:
    """The bytes of a program to run."""
    return json.dumps([call.program, *call.parameters]).encode()


def decode_call(data: bytes) -> Call:
    """The program in `data`, which `encode_call` made."""
    program, *parameters = json.loads(data)
    return Call(program, tuple((name, value) for name, value in parameters))
