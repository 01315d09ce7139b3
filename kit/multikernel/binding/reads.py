"""What a decision about a pair of cores can depend on: the facts its rules read about each of the two.

    reads(program, facts, goals) -> Reads      goals: predicates, with the columns in which the pair stands

The rules are followed from the goals down, with the two cores in their columns, to predicates of facts: a decision is
the same for two pairs whose cores have the same rows there, since nothing else of a core gets into a body.  Where
a core itself is compared, with a constant or with other cores, or comes out of an aggregate, only its number says
what is decided: then `a_itself` or `b_itself` is set.  That the two differ tells nothing: they always do.

May not know: boards, what a rule decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from multikernel.knowledge.facts import Predicate
from multikernel.knowledge.ir import Atom, Compare, Expression, Literal, Not, Program, Rule, Var, variables

Column: TypeAlias = tuple[str, int]
"""A predicate of facts and the column in which the core stands."""
Roles: TypeAlias = tuple[str, ...]
"""For each column of an atom whether one of the pair stands there: `a`, `b` or neither."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Sorted."""

    a: tuple[Column, ...]
    b: tuple[Column, ...]
    a_itself: bool
    b_itself: bool


def reads(program: Program, facts: Mapping[str, Predicate], goals: Iterable[tuple[str, Roles]]) -> Reads:
    """See the module."""
    reader = _Reader(program, facts)
    for goal, roles in goals:
        reader.visit(goal, roles)
    return Reads(
        tuple(sorted(reader.columns["a"])),
        tuple(sorted(reader.columns["b"])),
        "a" in reader.itself,
        "b" in reader.itself,
    )


class _Reader:
    def __init__(self, program: Program, facts: Mapping[str, Predicate]) -> None:
        self._facts = facts
        self._rules: dict[str, list[Rule]] = {}
        for rule in program.rules:
            self._rules.setdefault(rule.name, []).append(rule)
        self._seen: set[tuple[str, Roles]] = set()
        self.columns: dict[str, set[Column]] = {"a": set(), "b": set()}
        self.itself: set[str] = set()

    def visit(self, predicate: str, roles: Roles) -> None:
        if not any(roles) or (predicate, roles) in self._seen:
            return
        self._seen.add((predicate, roles))
        declared = self._facts.get(predicate)
        if declared is not None and not declared.derived:
            for column, role in enumerate(roles):
                if role:
                    self.columns[role].add((predicate, column))
            return
        for rule in self._rules.get(predicate, ()):
            bound = self._enter(rule, roles)
            for literal in rule.body if bound is not None else ():
                self._literal(literal, bound or {})

    def _enter(self, rule: Rule, roles: Roles) -> dict[Var, str] | None:
        """Which variables of the rule stand for which core; None where it would need them to be the same."""
        bound: dict[Var, str] = {}
        for term, role in zip(rule.head.terms, roles, strict=True):
            if role and isinstance(term, Var) and term.name != "=" and bound.setdefault(term, role) != role:
                return None
        for term, role in zip(rule.head.terms, roles, strict=True):
            if role and (not isinstance(term, Var) or term.name == "="):
                self.itself.add(role)  # compared with a constant, or with what an aggregate gives
            if not role and isinstance(term, Var) and term in bound:
                self.itself.add(bound[term])  # handed on
        if rule.aggregate is not None and rule.aggregate.value in bound:
            self.itself.add(bound[rule.aggregate.value])
        return bound

    def _literal(self, literal: Literal, bound: Mapping[Var, str]) -> None:
        atom = literal.atom if isinstance(literal, Not) else literal
        if isinstance(atom, Atom):
            self.visit(atom.predicate, tuple(bound.get(t, "") if isinstance(t, Var) else "" for t in atom.terms))
        elif {_role(atom.left, bound), _role(atom.right, bound)} != {"a", "b"} or atom.operator not in ("==", "!="):
            self._compared(atom, bound)

    def _compared(self, comparison: Compare, bound: Mapping[Var, str]) -> None:
        self.itself |= {bound[variable] for variable in variables(comparison) if variable in bound}


def _role(side: Expression, bound: Mapping[Var, str]) -> str:
    return bound.get(side, "") if isinstance(side, Var) else ""
