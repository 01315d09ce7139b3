"""What rule text means, as plain data: the form in which backends get it.

A program is a set of rules.  A rule derives its head for every way its body holds:

    head      an atom; with an aggregate its last argument is the aggregate's result
    body      atoms, negated atoms, comparisons; in an order in which each can be evaluated
              from left to right once `check` has ordered it

Set semantics throughout: an answer is there once, however often it is derived.

May not know: rule text, backends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal as Choice
from typing import NamedTuple, TypeAlias

from multikernel.knowledge.facts import ColumnType, Value, show_value

Operator: TypeAlias = Choice["+", "-", "*"]
Comparison: TypeAlias = Choice["==", "!=", "<", "<=", ">", ">="]


class Where(NamedTuple):
    """A place in rule text; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Var:
    """A variable.  Names that begin with `_` were anonymous and occur once."""

    name: str

    def __str__(self) -> str:
        return "_" if self.name.startswith("_") else self.name


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Integers only."""

    operator: Operator
    left: Expression
    right: Expression

    def __str__(self) -> str:
        left, right = show_expression(self.left), show_expression(self.right)
        return f"({left} {self.operator} {right})"


Term: TypeAlias = Var | Value
Expression: TypeAlias = Var | Value | Arithmetic


@dataclass(frozen=True, slots=True)
class Atom:
    """A predicate applied to terms.  `f[X] == Y` is the atom f(X, Y)."""

    predicate: str
    terms: tuple[Term, ...]
    where: Where

    def __str__(self) -> str:
        return f"{self.predicate}({', '.join(map(show_expression, self.terms))})"


@dataclass(frozen=True, slots=True)
class Not:
    """Holds when no fact matches; its variables are bound before it."""

    atom: Atom

    @property
    def where(self) -> Where:
        return self.atom.where

    def __str__(self) -> str:
        return f"~{self.atom}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison.  `==` with one side an unbound variable binds it."""

    operator: Comparison
    left: Expression
    right: Expression
    where: Where

    def __str__(self) -> str:
        return f"({show_expression(self.left)} {self.operator} {show_expression(self.right)})"


Literal: TypeAlias = Atom | Not | Compare


class Order(NamedTuple):
    """A sort key of an aggregate; `descending` only for integers."""

    variable: Var
    descending: bool


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One result for each combination of the head's other arguments.

    min    `value` of the first row by `order`
    max    `value` of the last row by `order`
    sum    the sum of `value` over the distinct combinations of value and `for_each`
    len    how many distinct `value` there are
    """

    function: Choice["min", "max", "sum", "len"]
    value: Var
    order: tuple[Order, ...] = ()
    for_each: tuple[Var, ...] = ()

    @property
    def variables(self) -> tuple[Var, ...]:
        """All it reads, value first, each once."""
        return tuple(dict.fromkeys((self.value, *(o.variable for o in self.order), *self.for_each)))


@dataclass(frozen=True, slots=True)
class Rule:
    """`head` holds for every way `body` does.  `text` is the rule as written."""

    head: Atom
    body: tuple[Literal, ...]
    aggregate: Aggregate | None
    where: Where
    text: str

    @property
    def name(self) -> str:
        return self.head.predicate


@dataclass(frozen=True, slots=True)
class Query:
    """A conjunction and the variables whose values are asked for, in the order of the columns."""

    variables: tuple[Var, ...]
    body: tuple[Literal, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """Checked rules with ordered bodies, and name and arity of every predicate there is."""

    rules: tuple[Rule, ...]
    predicates: tuple[tuple[str, int], ...]
    types: tuple[tuple[str, tuple[ColumnType | None, ...]], ...] = ()


def variables(item: Literal | Expression) -> Iterator[Var]:
    """The variables of a literal or expression, from left to right, with repeats."""
    match item:
        case Var():
            yield item
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            yield from variables(left)
            yield from variables(right)
        case Not(atom=atom):
            yield from variables(atom)
        case Atom(terms=terms):
            for term in terms:
                yield from variables(term)
        case _:
            return


def show_expression(item: Expression) -> str:
    """Its text in the rule language."""
    return str(item) if isinstance(item, Var | Arithmetic) else show_value(item)
