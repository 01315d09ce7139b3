"""YAML with positions: the data and, beside it, a mirror of marks.

    read_yaml(text, file) -> Document

Built on PyYAML's C event stream (0.03 s for 5,000 lines, against 0.7 s for a round-trip loader; its
`compose` overflows the stack on deep nesting).  Depth at most 64, size at most 4 MB, no aliases, tags,
second documents or duplicate keys.  Scalars are YAML 1.2's core schema: `no` is text and `010` is ten.

Invariants: the first mistake ends the reading (SyntaxFault); a quoted scalar is text; keys are text.
May not know: what a board is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from multikernel.board.marks import Mark, Spot

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"

MAX_BYTES = 4 << 20
MAX_DEPTH = 64

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class SyntaxFault(Exception):
    """The text is not such a document: where, a code of `codes.CODES`, and why."""

    mark: Mark
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """`data` and the spot of each of its values."""

    data: Data
    spot: Spot


def read_yaml(text: str, file: str) -> Document:
    """The one document of `text`.  Raises SyntaxFault."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise _unreadable(text, file, error.start, "half a surrogate pair") from None
    if size > MAX_BYTES:
        raise too_large(file)
    try:
        return _Builder(file, yaml.parse(text, yaml.CSafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in (error.problem or "") and error.problem_mark is not None:
            # The parser, which reads ahead, has a bound of its own since libyaml 0.2.6: ours lies before that.
            return read_yaml(text[: error.problem_mark.index], file)
        raise _parser_fault(error, text, file) from None
    except yaml.reader.ReaderError as error:
        raise _unreadable(text, file, error.position, str(error.reason)) from None


def lines_of(text: str) -> list[str]:
    """The lines as the parser counts them (YAML 1.1, section 4.2: five breaks)."""
    return _BREAK.split(text)


def too_large(file: str) -> SyntaxFault:
    """What is said of a file of more than MAX_BYTES."""
    return SyntaxFault(Mark(file, 0, 0), "yaml-size", f"the file is larger than {MAX_BYTES >> 20} MB")


def _unreadable(text: str, file: str, position: int, reason: str) -> SyntaxFault:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return SyntaxFault(Mark(file, line, column), "yaml-encoding", reason)


def _parser_fault(error: yaml.MarkedYAMLError, text: str, file: str) -> SyntaxFault:
    """A mistake the parser found; one that stands on a tab is told as that."""
    where = error.problem_mark or error.context_mark
    line, column = (where.line, where.column) if where else (0, 0)
    problem = f"{error.problem or 'not YAML'}{f', {error.context}' if error.context else ''}"
    lines = lines_of(text)
    row = lines[line] if line < len(lines) else ""
    lead = len(row) - len(row.lstrip())
    if "\t" in row[:lead] or row[column : column + 1] == "\t":
        at = row.index("\t") if "\t" in row[:lead] else column
        return SyntaxFault(Mark(file, line + 1, at + 1), "yaml-tab", "a tab indents this line; YAML takes spaces only")
    return SyntaxFault(Mark(file, line + 1, column + 1), "yaml-syntax", problem)


def scalar(text: str) -> Data:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text[2:], 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) and "n" not in text.lower() else text


class _Builder:
    def __init__(self, file: str, events: Iterator[yaml.Event]) -> None:
        self._file = file
        self._events = events

    def _mark(self, event: yaml.Event) -> Mark:
        mark = event.start_mark
        return Mark(self._file, mark.line + 1, mark.column + 1) if mark else Mark(self._file, 0, 0)

    def document(self) -> Document:
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise SyntaxFault(Mark(self._file, 0, 0), "yaml-empty", "the file is empty")
        document = Document(*self._value(next(self._events), 1))
        next(self._events)  # the end of the document
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise SyntaxFault(self._mark(event), "yaml-documents", "a second document begins here")
        return document

    def _value(self, event: yaml.Event, depth: int) -> tuple[Data, Spot]:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            raise SyntaxFault(mark, "yaml-alias", f"alias *{event.anchor}: aliases are refused")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise SyntaxFault(mark, "yaml-alias", f"anchor &{event.anchor}: anchors are refused")
        if depth > MAX_DEPTH:
            raise SyntaxFault(mark, "yaml-depth", f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.ScalarEvent):
            if event.tag is not None and event.tag != "!":
                raise SyntaxFault(mark, "yaml-tag", f"tag {event.tag}: tags are refused")
            plain = event.implicit[0] and event.style in (None, "")
            return scalar(event.value) if plain else event.value, Spot(mark)
        if isinstance(event, yaml.CollectionStartEvent) and event.tag is not None:
            raise SyntaxFault(mark, "yaml-tag", f"tag {event.tag}: tags are refused")
        spot = Spot(mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(spot, depth), spot
        return self._mapping(spot, depth), spot

    def _sequence(self, spot: Spot, depth: int) -> list[Data]:
        items: list[Data] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            data, spot.items[len(items)] = self._value(event, depth + 1)
            items.append(data)
        return items

    def _mapping(self, spot: Spot, depth: int) -> dict[str, Data]:
        mapping: dict[str, Data] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = self._mark(event)
            if isinstance(event, yaml.AliasEvent):
                raise SyntaxFault(mark, "yaml-alias", f"alias *{event.anchor}: aliases are refused")
            if not isinstance(event, yaml.ScalarEvent):
                raise SyntaxFault(mark, "yaml-key", "a key is text, not a list or a mapping")
            if event.value == "<<" and event.style in (None, ""):
                raise SyntaxFault(mark, "yaml-alias", "merge key <<: refused; write the values out or use extends")
            if event.value in mapping:
                first = spot.keys[event.value]
                message = f"key {event.value!r} stands twice, first on line {first.line}"
                raise SyntaxFault(mark, "yaml-duplicate-key", message)
            spot.keys[event.value] = mark
            mapping[event.value], spot.items[event.value] = self._value(next(self._events), depth + 1)
        return mapping
