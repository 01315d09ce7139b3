"""Which derived predicates a question needs, and with which of their columns given: for backends that work
bottom-up and must not derive what nobody asked.

    demand = Demand(program)
    demand.rules[name]                  the rules of a derived predicate
    demand.call(atom, bound)            how an atom asks its predicate, given the variables bound so far
    demand.ordered(body, bound)         the body in an order that gives as much as possible
    demand.reach(name)                  every predicate below one, itself included

A column whose value is given restricts what is derived.  Not so the result of an aggregate, which is known
only at the end, nor a column that changes as the predicate recurs: both are compared afterwards.  As a
checked predicate recurs through itself alone and in one place, what is given stays the same all the way,
and derivation ends.  (Beeri, Ramakrishnan: On the power of magic, 1987, for the idea.)

May not know: any backend.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from multikernel.knowledge.ir import Atom, Compare, Literal, Not, Program, Rule, Var, variables


class Call(NamedTuple):
    """A derived predicate, asked with these columns given."""

    predicate: str
    bound: tuple[int, ...]


class Demand:
    """See the module."""

    def __init__(self, program: Program) -> None:
        self.arity = dict(program.predicates)
        self.rules: dict[str, list[Rule]] = {}
        for rule in program.rules:
            self.rules.setdefault(rule.name, []).append(rule)
        self._fixed = {name: _fixed(self.arity[name], rules) for name, rules in self.rules.items()}
        self._reach: dict[str, frozenset[str]] = {}

    def call(self, atom: Atom, bound: Collection[Var]) -> Call:
        """The columns of the atom that are given and restrict its predicate, which is derived."""
        given = (i for i, term in enumerate(atom.terms) if not isinstance(term, Var) or term in bound)
        return Call(atom.predicate, tuple(i for i in given if i in self._fixed[atom.predicate]))

    def ordered(self, body: Sequence[Literal], bound: Collection[Var]) -> list[Literal]:
        """Comparisons and negations when they can be decided; of atoms first what only needs a look, then
        what is connected to what is bound, facts before derived ones, otherwise as written."""
        rest, known, ordered = list(body), set(bound), []
        while rest:
            literal = min(rest, key=lambda each: self._weight(each, known))
            rest.remove(literal)
            ordered.append(literal)
            if not isinstance(literal, Not):
                known.update(variables(literal))
        return ordered

    def _weight(self, literal: Literal, known: Collection[Var]) -> int:
        unbound = {variable for variable in variables(literal) if variable not in known}
        if isinstance(literal, Not):
            return 9 if unbound else 1
        if isinstance(literal, Compare):
            sides = ((literal.left, literal.right), (literal.right, literal.left))
            binds = literal.operator == "==" and any(
                isinstance(side, Var) and unbound == {side} and side not in variables(other) for side, other in sides
            )
            return 0 if binds or not unbound else 9
        derived = literal.predicate in self.rules
        if not unbound:
            return 2 + derived
        connected = any(not isinstance(term, Var) or term in known for term in literal.terms)
        return (4 if connected else 6) + derived

    def reach(self, name: str) -> frozenset[str]:
        """Every predicate that an answer of `name` may hang on, itself included."""
        if name not in self._reach:
            found = {name: None}
            todo = [name]
            while todo:
                for rule in self.rules.get(todo.pop(), ()):
                    for atom in atoms(rule.body):
                        if atom.predicate not in found:
                            found[atom.predicate] = None
                            todo.append(atom.predicate)
            self._reach[name] = frozenset(found)
        return self._reach[name]


def atoms(body: Sequence[Literal]) -> list[Atom]:
    """The atoms of a body, negated ones too."""
    return [lit.atom if isinstance(lit, Not) else lit for lit in body if not isinstance(lit, Compare)]


def _fixed(arity: int, rules: Sequence[Rule]) -> frozenset[int]:
    """The columns that a value given restricts: see the module."""
    columns = set(range(arity))
    for rule in rules:
        if rule.aggregate is not None:
            columns.discard(arity - 1)
        for atom in atoms(rule.body):
            if atom.predicate == rule.name:
                columns &= {i for i, term in enumerate(atom.terms)
                            if isinstance(term, Var) and term == rule.head.terms[i]}  # fmt: skip
    return frozenset(columns)
