"""Events of a running kernel as bytes, for the way from a core's process to the caller's.

    encode(event) -> bytes      one JSON array: the event's class, then its fields in order
    decode(data) -> Event

May not know: how the bytes travel.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import get_args

from multikernel.errors import PeerError
from multikernel.events import Event, ProgramDone, Row

_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def encode(event: Event) -> bytes:
    """The bytes of an event."""
    values = [getattr(event, field.name) for field in fields(event)]
    if isinstance(event, ProgramDone):
        values[-1] = [[row.columns, row.values] for row in event.rows]
    return json.dumps([type(event).__name__, *values]).encode()


def decode(data: bytes) -> Event:
    """The event in `data`.  PeerError for bytes `encode` does not make."""
    try:
        name, *values = json.loads(data)
        kind = _KINDS[name]
        if kind is ProgramDone:
            at_ns, core, program, rows = values
            return ProgramDone(at_ns, core, program, tuple(Row(tuple(columns), tuple(row)) for columns, row in rows))
        return kind(*values)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise PeerError(f"not an event: {data[:80]!r}") from error
