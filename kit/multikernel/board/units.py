"""Units of a board file, as types: a size is bytes, a clock is MHz, a core set is sorted ids.

A value that does not parse raises a PydanticCustomError whose type is the diagnostic's code.
May not know: sections of the board, YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field, Strict, StringConstraints, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_CORE_ID = 65_535
"""Largest core id: keeps a mistyped range such as `0-99999999` from filling memory."""

MAX_IDS = 1 << 20
"""Most ids in all sets of cores of a board together: a range is short to write and long to hold."""

_SIZE = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)(K|M|G|T)?(?:i?B)?")
_SHIFT = {None: 0, "K": 10, "M": 20, "G": 30, "T": 40}
_CLOCK = re.compile(r"([0-9]+)(?:\.([0-9]{1,3}))?\s*(MHz|GHz)")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")


def parse_size(value: object) -> int:
    """Bytes of `4096`, `0x1000`, `512K`, `8G` (powers of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError(
            "bad-size", "{value} is not a size; write bytes or e.g. 512K, 64M, 8G", {"value": repr(value)}
        )
    return int(match[1], 0 if match[1][:2] in ("0x", "0X") else 10) << _SHIFT[match[2]]


def parse_clock(value: object) -> int:
    """MHz of `2000`, `2.0 GHz`, `500 MHz`."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        whole, part, unit = match.groups()
        if unit == "GHz":
            return int(whole) * 1000 + int((part or "").ljust(3, "0"))
        if part is None or not int(part):
            return int(whole)
    raise PydanticCustomError("bad-clock", "{value} is not a clock; write MHz or e.g. 2.0 GHz", {"value": repr(value)})


def parse_ids(value: object) -> tuple[int, ...]:
    """Sorted core ids of `4`, `0-3,8` or a list of these; an id named twice is an error."""
    parts: list[object] = list(value) if isinstance(value, list | tuple) else [value]
    ids: set[int] = set()
    for part in parts:
        if isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= MAX_CORE_ID:
            _add(ids, range(part, part + 1))
            continue
        for piece in part.split(",") if isinstance(part, str) else [""]:
            match = _RANGE.fullmatch(piece.strip())
            first = int(match[1]) if match else 0
            last = int(match[2] or match[1]) if match else -1
            if not first <= last <= MAX_CORE_ID:
                raise PydanticCustomError(
                    "bad-ids",
                    "{value} is not a set of cores; write e.g. 0-3,8 (ids up to {most})",
                    {"value": repr(part), "most": MAX_CORE_ID},
                )
            _add(ids, range(first, last + 1))
    return tuple(sorted(ids))


@dataclass
class Ids:
    """How many ids the sets of one board hold so far; the context in which it is validated."""

    count: int = 0


class TooManyIds(Exception):
    """The sets of cores of a board hold more than MAX_IDS ids."""


def counted_ids(value: object, info: ValidationInfo) -> tuple[int, ...]:
    """`parse_ids`, counted over the board.  Raises TooManyIds, which ends the validation."""
    ids = parse_ids(value)
    if isinstance(info.context, Ids):
        info.context.count += len(ids)
        if info.context.count > MAX_IDS:
            raise TooManyIds
    return ids


def _add(ids: set[int], more: range) -> None:
    """At once, so that no set grows past the ids there are."""
    if twice := ids.intersection(more):
        raise PydanticCustomError("bad-ids", "core {core} stands twice in one set", {"core": min(twice)})
    ids.update(more)


def id_ranges(ids: Iterable[int]) -> str:
    """`0-3,8` of sorted ids."""
    parts: list[list[int]] = []
    for core in ids:
        if parts and parts[-1][1] == core - 1:
            parts[-1][1] = core
        else:
            parts.append([core, core])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
Name = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$", strict=True)]
"""A name others refer to: letters, digits, `_`, `.`, `+`, `-`."""
Text = Annotated[str, StringConstraints(min_length=1, strict=True)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0)]
Positive = Annotated[int, Strict(), Field(gt=0)]
Integer = Annotated[int, Strict()]
Bytes = Annotated[
    int, BeforeValidator(parse_size), WithJsonSchema({"type": ["integer", "string"], "pattern": f"^{_SIZE.pattern}$"})
]
MHz = Annotated[
    int, BeforeValidator(parse_clock), WithJsonSchema({"type": ["integer", "string"], "pattern": f"^{_CLOCK.pattern}$"})
]
CoreSet = Annotated[
    tuple[int, ...],
    BeforeValidator(counted_ids),
    WithJsonSchema({"type": ["integer", "string", "array"], "items": {"type": ["integer", "string"]}}),
]
