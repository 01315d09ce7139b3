"""From pydantic's errors to diagnostics: code, place in the file, near alternatives.

    shape_faults(error, spot) -> list[Fault]

A key too many points at the key, one that is missing at its parent, a value at the value.
May not know: YAML, references.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from multikernel.board.codes import CODES
from multikernel.board.marks import Mark, Spot
from multikernel.board.model import Board

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A diagnostic before its source line is known."""

    mark: Mark
    code: str
    message: str
    alternatives: tuple[str, ...] = ()
    fix: str = ""


_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_RANGES = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_SIGNS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def shape_faults(error: ValidationError, spot: Spot) -> list[Fault]:
    """Every mistake pydantic found, in the order of the file."""
    faults = [_fault(details, spot) for details in error.errors(include_url=False) if not _hollow(details)]
    return sorted(faults, key=lambda fault: fault.mark)


def _hollow(details: ErrorDetails) -> bool:
    """pydantic counts only the good rows: a list of bad ones is not an empty list besides."""
    return details["type"] == "too_short" and bool(details["input"])


def near(value: str, valid: Iterable[str]) -> tuple[str, ...]:
    """The nearest valid values, nearest first."""
    return tuple(difflib.get_close_matches(value, list(valid), n=3, cutoff=0.5))


def path_text(path: Iterable[str | int]) -> str:
    """`cores[0].ids`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the board"


def _fault(details: ErrorDetails, spot: Spot) -> Fault:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    path = _written(details["loc"], spot, missing=kind == "missing")
    where = path_text(path)
    at_key = kind == "extra_forbidden" or details["loc"][-1:] == ("[key]",)
    mark = spot.find_key(path) if at_key else spot.find(path)
    if kind == "extra_forbidden":
        valid = _fields(path[:-1])
        return Fault(
            mark, "unknown-key", f"{path_text(path[:-1])} has no key {str(path[-1])!r}", near(str(path[-1]), valid)
        )
    if kind == "missing":
        return Fault(mark, "missing-key", f"{path_text(path[:-1])} lacks the key {str(path[-1])!r}")
    if kind in _TYPES:
        quote = f"quote it: '{value}'" if kind == "string_type" and isinstance(value, int | float) else ""
        return Fault(mark, "wrong-type", f"{where} takes {_TYPES[kind]}, not {_shown(value)}", fix=quote)
    if kind == "literal_error":
        valid = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]
        message = f"{where} is {_shown(value)}; valid: {', '.join(valid)}"
        return Fault(mark, "wrong-value", message, near(value, valid) if isinstance(value, str) else ())
    if kind in _RANGES:
        sign = _RANGES[kind]
        return Fault(mark, "out-of-range", f"{where} is {_shown(value)}; it must be {_SIGNS[sign]} {context[sign]}")
    if kind == "string_pattern_mismatch":
        return Fault(mark, "bad-name", f"{where}: {_shown(value)} is not a name", fix="use letters, digits, _ . + -")
    if kind in ("too_short", "string_too_short"):
        return Fault(mark, "too-short", f"{where} is empty")
    return Fault(mark, kind if kind in CODES else "bad-value", f"{where}: {details['msg']}")


def _written(loc: Path, spot: Spot, missing: bool) -> Path:
    """`loc` less what is no part of the file: union tags and `[key]`.  A missing key is its last part."""
    parts: list[str | int] = []
    for part in loc[:-1] if missing else loc:
        if part in spot.items:
            parts.append(part)
            spot = spot.items[part]
    return (*parts, loc[-1]) if missing else tuple(parts)


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else repr(value)


def _fields(path: Path) -> list[str]:
    """The keys that the section at `path` takes."""
    model: type[BaseModel] | None = Board
    for part in path:
        field = (
            next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
            if model and isinstance(part, str)
            else None
        )
        if field is not None:
            model = _model_in(field.annotation)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The section inside `tuple[X, ...]`, `dict[Name, X]`, `X | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
