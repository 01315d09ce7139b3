"""Classes of pairs of cores that are decided alike, without looking at each pair.

A board's classes (`multikernel.pairs`) are of distance.  A requirement or a policy may tell apart two pairs of one
class: by which cores can be woken, by what their spaces see.  Then the class is split: the pairs decided as the least
of them keep its name, each other decision gets one of its own, `hops:1~1`, `hops:1~2`, ...

    partition(board, skb, named) -> Partition

Two layers: features of a core (what the rules read about it: `reads.py`, and what its class depends on), then one
decision for each pair of features.  So no pair is decided otherwise than its own facts say, and the work is in cores
and in pairs of features.  Where a rule compares a core's number each core has features of its own; with too many of
them for that the board cannot be bound (`LIMIT`).

May not know: plugins, what a transport is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from multikernel.binding.measured import place
from multikernel.binding.reads import Reads, Roles, reads
from multikernel.blueprint import Variant
from multikernel.board.classes import ClassCount, count_marked
from multikernel.board.model import Board
from multikernel.errors import BindingError
from multikernel.knowledge.skb import Skb

LIMIT = 20_000
"""Decisions that may be asked for one board: some ten seconds of the default backend."""
TRANSPORT: tuple[tuple[str, Roles], ...] = (
    ("transport_candidate", ("a", "b", "", "")),
    ("transport_of", ("a", "b", "")),
    ("carrier_of", ("", "a", "b", "")),
)
HOME: tuple[tuple[str, Roles], ...] = (("home", ("a", "b", "", "")),)
OF_THE_PAIR = "in_class"
"""The one predicate of facts about both cores: constant within a class."""

Cell: TypeAlias = tuple[str, int, int]
"""Class, and the features of sender and receiver."""


class Choice(NamedTuple):
    """What is decided for a pair: its transport, the device that carries it if one does, and else whose memory;
    empty where nothing can be."""

    transport: str
    device: str
    home: str


@dataclass(frozen=True, slots=True)
class Partition:
    """`classes` by name, split ones with all their parts; `base` the class of distance of each; `marks` of the cores
    that are told apart, `variants` and `parts` which marks make which part (`Blueprint.bound_class`)."""

    classes: tuple[ClassCount, ...]
    base: Mapping[str, str]
    marks: Mapping[int, int]
    variants: tuple[Variant, ...]
    parts: Mapping[Cell, str]

    def name(self, base: str, a: int, b: int) -> str:
        """The class of a directed pair whose class of distance is `base`."""
        return self.parts.get((base, self.marks.get(a, 0), self.marks.get(b, 0)), base)


def partition(board: Board, skb: Skb, named: Callable[[str], str]) -> Partition:
    """See the module.  `named(class)` is the transport the board names for a class, or `auto`.  Raises
    BindingError where rules tell apart more pairs than can be looked at."""
    features = _Features(board, skb)
    choose = _Choices(board, skb, named, features)
    cells: dict[Cell, ClassCount] = {}
    for a, b, count in count_marked(board.topology(), features.of):
        cell = (count.name, a, b)
        known = cells.get(cell, ClassCount(count.name, 0, count.src, count.dst))
        src, dst = min((known.src, known.dst), (count.src, count.dst))
        cells[cell] = ClassCount(count.name, known.pairs + count.pairs, src, dst)
    parts: dict[str, dict[Choice, list[Cell]]] = {}
    for cell in sorted(cells, key=lambda cell: (cell[0], cells[cell].src, cells[cell].dst)):
        choice = choose(cell[0], cells[cell].src, cells[cell].dst)
        parts.setdefault(cell[0], {}).setdefault(choice, []).append(cell)
    classes: list[ClassCount] = []
    base: dict[str, str] = {}
    names: dict[Cell, str] = {}
    for name, choices in parts.items():
        for number, alike in enumerate(choices.values()):
            own = f"{name}~{number}" if number else name
            least = cells[alike[0]]
            classes.append(ClassCount(own, sum(cells[cell].pairs for cell in alike), least.src, least.dst))
            base[own] = name
            names |= {cell: own for cell in alike if number}
    marks = _marks(features.of, names)
    variants = sorted(
        {Variant(name, marks.get(a, 0), marks.get(b, 0), own) for (name, a, b), own in names.items()},
        key=lambda variant: (variant.pair_class, variant.mark_a, variant.mark_b),
    )
    of_cores = {core: marks[feature] for core, feature in features.of.items() if marks.get(feature, 0)}
    told = {(variant.pair_class, variant.mark_a, variant.mark_b): variant.name for variant in variants}
    return Partition(tuple(sorted(classes, key=lambda count: count.name)), base, of_cores, tuple(variants), told)


def _marks(of: Mapping[int, int], names: Mapping[Cell, str]) -> dict[int, int]:
    """A number for each feature, the same for those that every split class takes alike; 0: for those it takes
    not at all."""
    told: dict[int, list[tuple[str, int, int, str]]] = {}
    for (name, a, b), own in sorted(names.items()):
        told.setdefault(a, []).append((name, 0, b, own))
        told.setdefault(b, []).append((name, 1, a, own))
    numbers: dict[tuple[tuple[str, int, int, str], ...], int] = {(): 0}
    features = dict.fromkeys(of[core] for core in sorted(of))
    return {feature: numbers.setdefault(tuple(sorted(told.get(feature, []))), len(numbers)) for feature in features}


class _Features:
    """A number for each core by what the rules read of it; cores of one number are decided alike."""

    def __init__(self, board: Board, skb: Skb) -> None:
        rows: dict[tuple[str, int, int], list[object]] = {}
        told = {goals: reads(skb.program, skb.schema, goals) for goals in (TRANSPORT, HOME)}
        wanted = {column for read in told.values() for column in (*read.a, *read.b) if column[0] != OF_THE_PAIR}
        by_name: dict[str, list[int]] = {}
        for predicate, column in sorted(wanted):
            by_name.setdefault(predicate, []).append(column)
        for fact in skb.snapshot().facts:
            for column in by_name.get(fact.predicate, ()):
                core = fact.values[column]
                if isinstance(core, int):
                    rest = fact.values[:column] + fact.values[column + 1 :]
                    rows.setdefault((fact.predicate, column, core), []).append(rest)
        self._cores = [core.id for core in board.topology().cores]
        self.transport = self._sides(told[TRANSPORT], rows)
        self.home = self._sides(told[HOME], rows)
        numbers: dict[tuple[int, ...], int] = {}
        self.of = {
            core: numbers.setdefault(
                (*(side[core] for side in self.transport), *(side[core] for side in self.home)), len(numbers)
            )
            for core in self._cores
        }

    def _sides(
        self, read: Reads, rows: Mapping[tuple[str, int, int], list[object]]
    ) -> tuple[dict[int, int], dict[int, int]]:
        found: list[dict[int, int]] = []
        for columns, itself in ((read.a, read.a_itself), (read.b, read.b_itself)):
            numbers: dict[tuple[object, ...], int] = {}
            side = {}
            for core in self._cores:
                told = tuple(tuple(sorted(map(str, rows.get((*column, core), ())))) for column in columns)
                side[core] = numbers.setdefault((core if itself else -1, told), len(numbers))
            found.append(side)
        return found[0], found[1]


class _Choices:
    """Decisions, each asked once for the features it depends on."""

    def __init__(self, board: Board, skb: Skb, named: Callable[[str], str], features: _Features) -> None:
        self._board, self._skb, self._named, self._features = board, skb, named, features
        self._measured = any(fact.predicate == "measured" for fact in skb.snapshot().facts)
        self._scopes = {str(name): str(scope) for name, scope in skb.query("scope(T, S)").rows}
        self._transports: dict[tuple[str, int, int], tuple[str, str]] = {}
        self._homes: dict[tuple[int, int], str] = {}

    def __call__(self, name: str, a: int, b: int) -> Choice:
        transport, device = self._transport(name, a, b)
        return Choice(transport, device, self._home(a, b) if self._scopes.get(transport) == "channel" else "")

    def _transport(self, name: str, a: int, b: int) -> tuple[str, str]:
        ours, theirs = self._features.transport
        named = self._named(name)
        key = (f"{name if self._measured else ''} {named}", ours[a], theirs[b])
        if key not in self._transports:
            self._within(name, a, b)
            if self._measured:
                place(self._skb, self._board, a, b)
            goal = f"transport_of({a}, {b}, T)" if named == "auto" else f"transport_candidate({a}, {b}, _, {named!r})"
            found = self._skb.query(goal)
            chosen = (str(found.rows[0][0]) if named == "auto" else named) if found else ""
            carriers = self._skb.query(f"carrier_of({chosen!r}, {a}, {b}, D)").rows if self._links(chosen) else ()
            self._transports[key] = chosen, str(carriers[0][0]) if carriers else ""
        return self._transports[key]

    def _links(self, transport: str) -> bool:
        return self._scopes.get(transport) == "link"

    def _home(self, a: int, b: int) -> str:
        ours, theirs = self._features.home
        key = (ours[a], theirs[b])
        if key not in self._homes:
            self._within("", a, b)
            rows = self._skb.query(f"home({a}, {b}, H, R)").rows
            home, region = map(str, rows[0]) if rows else ("", "")
            self._homes[key] = f"region:{region}" if home == "region" else home
        return self._homes[key]

    def _within(self, name: str, a: int, b: int) -> None:
        if len(self._transports) + len(self._homes) >= LIMIT:
            what = f"transport:{name}" if name else f"home:{a}->{b}"
            raise BindingError(
                f"{what}: the rules tell apart more than {LIMIT} kinds of pairs, that of cores {a} and {b} among them; "
                "a requirement that compares core numbers, or reads facts that differ from core to core, cannot be "
                "bound by class on a board of this size",
                slot=what,
            )
