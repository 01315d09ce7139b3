"""Edits of a board file: values replaced, and the board that makes.

    content(board)                 what the board says, as a person would write it
    apply(board, edits) -> Board   checked like a file; raises BoardError
    overlay(board, base, edits)    the text of a board that extends `base` and makes the edits

A value that is None is not there: an edit to None takes a key or a row out, one past the last row adds one.

May not know: what an edit is for, the SKB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from multikernel.board.loader import edited
from multikernel.board.model import Board
from multikernel.board.ranges import ranges_for_cores
from multikernel.board.units import id_ranges, parse_ids
from multikernel.board.yamlread import Data
from multikernel.errors import BoardError

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """The value at `path` of a board becomes `new`; it was `old`."""

    path: Path
    old: Data
    new: Data

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {show_value(self.old)} -> {show_value(self.new)}"


def show_path(path: Path) -> str:
    """`coherence[0].cores`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def show_value(value: Data) -> str:
    """A value as YAML has it on one line."""
    match value:
        case None:
            return "not stated"
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(show_value, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {show_value(inner)}' for key, inner in value.items())}}}"
    return str(value)


def content(board: Board) -> dict[str, Data]:
    """The sections of a board as they were written, sets of cores as ranges; what was left out stays out."""
    data: dict[str, Data] = board.model_dump(mode="json", by_alias=True, exclude_unset=True)
    ranges_for_cores(data)
    return data


def cores_of(value: Data) -> tuple[int, ...]:
    """The cores of such a value."""
    return parse_ids(value)


def as_cores(cores: Iterable[int]) -> Data:
    """Cores as a board writes them."""
    return id_ranges(sorted(cores)) or []


def value_at(data: Data, path: Path) -> Data:
    """What stands at `path`; None where nothing does."""
    for part in path:
        match data, part:
            case dict(), str():
                data = data.get(part)
            case list(), int() if part < len(data):
                data = data[part]
            case _:
                return None
    return data


def apply(board: Board, edits: Sequence[Edit]) -> Board:
    """The board after the edits.  Raises BoardError for one that does not hold together."""
    return edited(board, _changed(board, edits))


def with_followers(board: Board, edits: Sequence[Edit]) -> tuple[tuple[Edit, ...], Board]:
    """The edits, with those that follow from them where they make classes of pairs go: what the board says of such a
    class goes too.  And the board they make.  Raises BoardError where that does not mend it."""
    try:
        return tuple(edits), apply(board, edits)
    except BoardError as error:
        if any(diagnostic.code != "unknown-class" for diagnostic in error.diagnostics):
            raise
    data = _changed(board, edits)
    bare = edited(board, {key: value for key, value in data.items() if key not in ("latency", "bind", "channels")})
    classes = {count.name for count in bare.topology().classes()}
    more: list[Edit] = []
    rows = value_at(data, ("latency", "classes"))
    for index, row in reversed(list(enumerate(rows if isinstance(rows, list) else ()))):
        if isinstance(row, dict) and row["cls"] not in classes:
            more.append(Edit(("latency", "classes", index), row, None))
    named = value_at(data, ("bind", "transport"))
    if isinstance(named, dict):
        left = {name: plugin for name, plugin in named.items() if name in classes}
        if left != named:
            more.append(Edit(("bind",), data["bind"], _with(data["bind"], "transport", left or "auto")))
    every = (*edits, *more)
    return every, apply(board, every)


def _with(section: Data, key: str, value: Data) -> Data:
    return {**section, key: value} if isinstance(section, dict) else {key: value}


def overlay(board: Board, base: str, edits: Sequence[Edit]) -> str:
    """YAML of a board that extends `base`, which is `board`, and makes the edits.  Lists are written whole, as an
    overlay replaces them; an empty `base` gives the whole board."""
    import yaml

    data = _changed(board, edits)
    written: dict[str, Data] = dict(data)
    if base:
        written = {"extends": base}
        for edit in edits:
            _put(written, data, _written_whole(edit.path))
    heading = "".join(f"# {edit}\n" for edit in edits)
    return heading + yaml.safe_dump(written, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)


def _written_whole(path: Path) -> Path:
    """The outermost list on the path, or all of it."""
    first = next((index for index, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:first]


def _put(target: dict[str, Data], data: Data, path: Path) -> None:
    """What `data` has at `path`, put at the same place of `target`."""
    inner = target
    for part in path[:-1]:
        below = inner.setdefault(str(part), {})
        assert isinstance(below, dict)
        inner = below
    inner[str(path[-1])] = value_at(data, path)


def _changed(board: Board, edits: Iterable[Edit]) -> dict[str, Data]:
    data = content(board)
    for edit in edits:
        _set(data, edit.path, edit.new)
    return data


def _set(data: Data, path: Path, value: Data) -> None:
    for part in path[:-1]:
        match data, part:
            case dict(), str():
                if data.get(part) in (None, "auto"):  # for all of them: gives way to one for each
                    data[part] = {}
                data = data[part]
            case list(), int():
                data = data[part]
            case _:
                raise TypeError(f"{show_path(path)} leads nowhere")
    match data, path[-1]:
        case dict(), str(key) if value is None:
            data.pop(key, None)
        case dict(), str(key):
            data[key] = value
        case list(), int(index) if value is None:
            del data[index]
        case list(), int(index) if index < len(data):
            data[index] = value
        case list(), int():
            data.append(value)
        case _:
            raise TypeError(f"{show_path(path)} leads nowhere")
