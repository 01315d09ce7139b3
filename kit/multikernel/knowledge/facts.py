"""Facts of the SKB: declared predicates, immutable facts with their source, versioned snapshots.

Interface: `predicate()`, `Predicate`, `Source`, `Fact`, `Snapshot`, `FactStore`.

Invariants: a fact's values are `int` and `str`, of the types its predicate declares (bool and float
are refused: engines merge `True`, `1` and `1.0`); a fact never changes; time is the store's own
counter of changes, never a clock; a snapshot does not see later changes.

May not know: rules, backends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from multikernel.errors import Diagnostic, KnowledgeError
from multikernel.knowledge.near import near

Value: TypeAlias = int | str
Row: TypeAlias = tuple[Value, ...]
ColumnType: TypeAlias = Literal["int", "str"]
Key: TypeAlias = tuple[str, Row]
"""A fact without its source: predicate and values."""

_SIGNATURE = re.compile(r"([a-z][a-z0-9_]*)\((.*)\)")
_COLUMN = re.compile(r"([a-z][a-z0-9_]*): (int|str)")


@dataclass(frozen=True, slots=True)
class Predicate:
    """A relation: its name, and name and type of each column.  A `derived` one is for heads of rules,
    another for facts."""

    name: str
    columns: tuple[tuple[str, ColumnType], ...]
    doc: str = ""
    derived: bool = False

    @property
    def arity(self) -> int:
        return len(self.columns)

    @property
    def types(self) -> tuple[ColumnType, ...]:
        return tuple(kind for _, kind in self.columns)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}: {kind}' for name, kind in self.columns)})"


def predicate(signature: str, doc: str = "", derived: bool = False) -> Predicate:
    """`predicate("node(core: int, node: int)")`.  Raises ValueError for another shape."""
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise ValueError(f"a predicate is written name(column: int, other: str), not {signature!r}")
    columns: list[tuple[str, ColumnType]] = []
    for part in match[2].split(", ") if match[2] else ():
        column = _COLUMN.fullmatch(part)
        if column is None:
            raise ValueError(f"a column is written name: int or name: str, not {part!r} in {signature!r}")
        columns.append((column[1], "int" if column[2] == "int" else "str"))
    return Predicate(match[1], tuple(columns), doc, derived)


class Source(NamedTuple):
    """How a fact is known, and where from: `file:line`, a device, a program."""

    kind: Literal["asserted", "discovered", "measured"]
    where: str

    def __str__(self) -> str:
        return f"{self.kind} {self.where}"


class Fact(NamedTuple):
    """One row of a predicate.  `time` is the change that brought it (1, 2, ...)."""

    predicate: str
    values: Row
    source: Source
    time: int

    def __str__(self) -> str:
        return show_atom(self.predicate, self.values)


def show_atom(name: str, values: Row) -> str:
    """The text of a ground atom, in the rule language."""
    return f"{name}({', '.join(map(show_value, values))})"


def show_value(value: Value) -> str:
    """The text of a constant, in the rule language."""
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All facts at one version, in the order they came."""

    version: int
    facts: tuple[Fact, ...]

    def delta(self, older: Snapshot) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
        """What came and what went since `older`."""
        then, now = set(older.facts), set(self.facts)
        return tuple(f for f in self.facts if f not in then), tuple(f for f in older.facts if f not in now)


class FactStore:
    """The facts as they are now.  Not thread-safe: `Skb` locks."""

    def __init__(self) -> None:
        self._schema: dict[str, Predicate] = {}
        self._takes: dict[str, tuple[type[Value], ...]] = {}
        self._facts: dict[Key, Fact] = {}
        self._version = 0
        self._snapshot = Snapshot(0, ())

    @property
    def version(self) -> int:
        """How many changes there have been."""
        return self._version

    @property
    def schema(self) -> Mapping[str, Predicate]:
        return self._schema

    def declare(self, predicate: Predicate) -> None:
        """Make a predicate known.  Declaring it again alike is nothing; otherwise KnowledgeError."""
        known = self._schema.setdefault(predicate.name, predicate)
        if known.types != predicate.types:
            raise _refused("redeclared", f"{predicate} is already declared as {known}")
        if not known.derived:
            self._takes[known.name] = tuple(int if kind == "int" else str for kind in known.types)

    def add(self, name: str, values: Row, source: Source) -> Fact | None:
        """The new fact, or None when it was known already (the first source stands)."""
        if self._takes.get(name) != tuple(map(type, values)):
            self._refuse(name, values)
        key = (name, values)
        if key in self._facts:
            return None
        self._version += 1
        fact = self._facts[key] = Fact(name, values, source, self._version)
        return fact

    def _refuse(self, name: str, values: Row) -> None:
        """Raises KnowledgeError saying why there can be no such fact."""
        declared = self._schema.get(name)
        if declared is None:
            raise _refused("unknown-predicate", f"no predicate {name!r} is declared", near(name, self._schema))
        if declared.derived:
            raise _refused("derived", f"{declared} is derived by rules; it takes no facts")
        if len(values) != len(declared.columns):
            raise _refused(
                "arity", f"{show_atom(name, values)} has {len(values)} columns, {declared} has {declared.arity}"
            )
        for value, (column, kind) in zip(values, declared.columns, strict=True):
            if type(value) is not (int if kind == "int" else str):
                raise _refused(
                    "fact-type", f"column {column} of {declared} is {kind}, not {type(value).__name__} {value!r}"
                )

    def remove(self, name: str, values: Row) -> Fact | None:
        """The fact that went, or None when there was none."""
        fact = self._facts.pop((name, values), None)
        if fact is not None:
            self._version += 1
        return fact

    def get(self, name: str, values: Row) -> Fact | None:
        return self._facts.get((name, values))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts.values())

    def save(self) -> tuple[Mapping[Key, Fact], Snapshot, int]:
        """What `restore` takes back to."""
        return dict(self._facts), self._snapshot, self._version

    def restore(self, saved: tuple[Mapping[Key, Fact], Snapshot, int]) -> None:
        """Be as when `saved` was saved."""
        facts, self._snapshot, self._version = saved
        self._facts = dict(facts)

    def snapshot(self) -> Snapshot:
        if self._snapshot.version != self._version:
            self._snapshot = Snapshot(self._version, tuple(self._facts.values()))
        return self._snapshot


def _refused(code: str, message: str, alternatives: tuple[str, ...] = ()) -> KnowledgeError:
    return KnowledgeError(message, (Diagnostic("<fact>", 0, 0, code, message, alternatives),))
