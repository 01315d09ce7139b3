"""Why an atom holds, and why one does not: from the parsed rules and `query` alone.

    explain(skb, atom)   -> Derivation | None     one proof, down to facts and their sources
    why_not(skb, atom)   -> tuple[Failure, ...]   for each rule of the atom: what held, what failed

Both are deterministic: of several proofs the one whose variables sort first; of several partial ones
the one that gets furthest.

May not know: backends, boards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from multikernel.knowledge.facts import Fact, Key, Row, Value, show_atom, show_value
from multikernel.knowledge.ir import (
    Arithmetic,
    Atom,
    Compare,
    Expression,
    Literal,
    Not,
    Rule,
    Term,
    Var,
    Where,
    variables,
)

if TYPE_CHECKING:
    from multikernel.knowledge.skb import Answers, Skb

Bindings: TypeAlias = Mapping[Var, Value]
Pattern: TypeAlias = tuple[Value | None, ...]
"""Values of an atom; None where any would do."""

_NOWHERE = Where("<explain>", 0, 0)


@dataclass(frozen=True, slots=True)
class Derivation:
    """Why `atom` holds: a fact, or a rule whose premises hold.  `conditions` are the comparisons and
    negations that held besides; `rows` how many rows an aggregate chose from (0: none)."""

    atom: str
    fact: Fact | None
    rule: Rule | None
    premises: tuple[Derivation, ...] = ()
    conditions: tuple[str, ...] = ()
    rows: int = 0

    def facts(self) -> Iterator[Fact]:
        """Every fact it rests on, in order, each once."""
        yield from dict.fromkeys(self._facts())

    def rules(self) -> Iterator[Rule]:
        """Every rule it uses, outermost first, each once."""
        yield from dict.fromkeys(self._rules())

    def _facts(self) -> Iterator[Fact]:
        if self.fact is not None:
            yield self.fact
        for premise in self.premises:
            yield from premise._facts()

    def _rules(self) -> Iterator[Rule]:
        if self.rule is not None:
            yield self.rule
        for premise in self.premises:
            yield from premise._rules()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one rule does not give the atom: `failed` is the first condition that cannot be met after
    `held` (facts) were.  `instead` are facts about the same thing that say otherwise; `inner` why the
    rules of `failed` do not give it either; `because` the proof of what it denies; `missing` the predicate
    and values of a fact that would meet it, if one would.  `rule` is None when no rule is about such an atom."""

    atom: str
    rule: Rule | None
    failed: str
    held: tuple[Fact, ...] = ()
    instead: tuple[Fact, ...] = ()
    inner: tuple[Failure, ...] = ()
    because: Derivation | None = None
    missing: tuple[str, Pattern] | None = None

    def leaves(self) -> Iterator[Failure]:
        """The innermost failures, of all rules."""
        if not self.inner:
            yield self
        for failure in self.inner:
            yield from failure.leaves()

    def leaf(self) -> Failure:
        """The innermost failure, along the first rule of each."""
        return self.inner[0].leaf() if self.inner else self

    def __str__(self) -> str:
        """What is missing, down to the condition that no rule explains further."""
        leaf = self.leaf()
        if leaf is self:
            return self.failed
        if leaf.failed.startswith("which"):
            return f"{self.failed}, {leaf.failed}"
        return f"{self.failed}, where {leaf.failed} does not hold"

    def facts(self) -> Iterator[Fact]:
        """Every fact it names, each once."""
        yield from dict.fromkeys(self._facts())

    def _facts(self) -> Iterator[Fact]:
        yield from self.held
        yield from self.instead
        for failure in self.inner:
            yield from failure._facts()
        if self.because is not None:
            yield from self.because.facts()


def explain(skb: Skb, name: str, values: Row) -> Derivation | None:
    """One proof of the atom, or None."""
    return _Prover(skb).prove((name, values), frozenset())


def explain_each(skb: Skb, name: str, rows: Sequence[Row]) -> tuple[Derivation, ...]:
    """A proof of each row of the predicate, all of which hold; what several rest on is proved once."""
    prover = _Prover(skb)
    found = (prover.prove((name, values), frozenset(), holds=True) for values in rows)
    return tuple(proof for proof in found if proof is not None)


def why_not(skb: Skb, name: str, values: Pattern, depth: int = 4) -> tuple[Failure, ...]:
    """Why no atom of the predicate and these values holds, followed `depth` rules down; empty if one does."""
    if _holds(skb, name, values):
        return ()
    atom = _show_pattern(name, values)
    failures = []
    for rule in skb.program.rules:
        if rule.name == name and _unify(rule, values) is not None:
            failures.append(_failure(skb, rule, values, depth))
    others = [rule for rule in skb.program.rules if rule.name == name]
    if not failures and len(others) == 1:
        return (Failure(atom, others[0], f"which is not of the form {others[0].head}"),)
    if not failures:
        missing = (name, values) if _is_for_facts(skb, name) else None
        return (Failure(atom, None, atom, instead=_about(skb, name, values), missing=missing),)
    return tuple(failures)


class _Prover:
    def __init__(self, skb: Skb) -> None:
        self._skb = skb
        self._proved: dict[Key, Derivation] = {}
        self._solved: dict[tuple[Literal, ...], Answers] = {}

    def prove(self, key: Key, above: frozenset[Key], holds: bool = False) -> Derivation | None:
        """A proof that does not rest on any of `above`; of what is known to hold, nobody is asked whether it does."""
        name, values = key
        fact = self._skb.fact(name, values)
        if fact is not None:
            return Derivation(str(fact), fact, None)
        if key in self._proved:
            return self._proved[key]
        if key in above or not (holds or _holds(self._skb, name, values)):
            return None
        for rule in self._skb.program.rules:
            if rule.name == name and (proof := self._by_rule(rule, key, above | {key})) is not None:
                self._proved[key] = proof
                return proof
        return None

    def _by_rule(self, rule: Rule, key: Key, above: frozenset[Key]) -> Derivation | None:
        name, values = key
        start = _unify(rule, values)
        if start is None:
            return None
        solutions = self._solutions(rule.body, start)
        rows = 0
        if rule.aggregate is not None:
            rows = len(solutions)
            order = rule.aggregate.order
            solutions = [s for s in solutions if not order or s[rule.aggregate.value] == values[-1]]
        for solution in solutions:
            premises: list[Derivation] = []
            for literal in rule.body:
                if not isinstance(literal, Atom):
                    continue
                proof = self.prove((literal.predicate, _ground(literal, solution)), above, holds=True)
                if proof is None:
                    break
                premises.append(proof)
            else:
                others = tuple(_show(lit, solution) for lit in rule.body if not isinstance(lit, Atom))
                return Derivation(show_atom(name, values), None, rule, tuple(premises), others, rows)
        return None

    def _solutions(self, body: Sequence[Literal], start: Bindings) -> list[dict[Var, Value]]:
        """As `_solutions` of the module.  What shares no variable with the rest is asked once for all proofs."""
        named = _aliases(body)
        renamed = [_rename(literal, start, named) for literal in body]
        found: list[dict[str, Value]] = [{}]
        parts = _apart(renamed)
        if any(part in self._solved and not self._solved[part] for part in parts):
            return []
        for part in parts:
            if part not in self._solved:
                self._solved[part] = self._skb.solve(part)
            answers = self._solved[part]
            rows = [dict(zip(answers.variables, row, strict=True)) for row in answers.rows]
            found = [{**one, **other} for one in found for other in rows]
        free = {alias.name: variable for variable, alias in named.items() if variable not in start}
        if len(found) > 1:
            found.sort(key=lambda row: tuple(row[name] for name in free))
        return [{**start, **{free[name]: row[name] for name in free}} for row in found]


def _apart(body: Sequence[Literal]) -> list[tuple[Literal, ...]]:
    """The literals in groups that share no variable, each with an atom; those without variables are in the first."""
    groups: list[tuple[set[Var], list[int]]] = []
    for index, literal in enumerate(body):
        mine = set(variables(literal))
        indices = [index]
        for group in [group for group in groups if group[0] & mine or not (group[0] or mine)]:
            groups.remove(group)
            mine |= group[0]
            indices += group[1]
        groups.append((mine, indices))
    parts = [sorted(indices) for _, indices in sorted(groups, key=lambda group: min(group[1]))]
    lone = [part for part in parts if not any(isinstance(body[index], Atom) for index in part)]
    whole = [part for part in parts if part not in lone]
    if lone and whole:
        whole[0] = sorted([*whole[0], *(index for part in lone for index in part)])
    return [tuple(body[index] for index in part) for part in whole or [list(range(len(body)))]]


def _failure(skb: Skb, rule: Rule, values: Pattern, depth: int) -> Failure:
    """The longest prefix of the body that can be met, and what comes after it."""
    atom = _show_pattern(rule.name, values)
    start = _unify(rule, values) or {}
    if rule.aggregate is not None and rule.aggregate.order and values[-1] is not None:
        start.setdefault(rule.aggregate.value, values[-1])
    best: list[dict[Var, Value]] = [dict(start)]
    met = 0
    while met < len(rule.body):
        found = _solutions(skb, rule.body[: met + 1], start)
        if not found:
            break
        best = found
        met += 1
    bindings = best[0]
    held = tuple(
        fact for lit in rule.body[:met] if isinstance(lit, Atom)
        if (fact := skb.fact(lit.predicate, _ground(lit, bindings))) is not None
    )  # fmt: skip
    if met == len(rule.body):
        assert rule.aggregate is not None
        answer = _matching(skb, rule.name, (*values[:-1], None))[0][-1]
        rows = len(_solutions(skb, rule.body, _unify(rule, values) or {}))
        first = "is what it gives for" if rule.aggregate.function in ("sum", "len") else "comes first of"
        return Failure(atom, rule, f"{show_value(answer)} {first} {rows}", held)
    literal = rule.body[met]
    instead: tuple[Fact, ...] = ()
    inner: tuple[Failure, ...] = ()
    because: Derivation | None = None
    missing: tuple[str, Pattern] | None = None
    if isinstance(literal, Not):
        denied = literal.atom.predicate
        because = explain(skb, denied, _matching(skb, denied, _pattern(literal.atom, bindings))[0])
    if isinstance(literal, Atom):
        terms = _pattern(literal, bindings)
        instead = _about(skb, literal.predicate, terms)
        if _is_for_facts(skb, literal.predicate):
            missing = literal.predicate, terms
        elif depth > 1:
            inner = why_not(skb, literal.predicate, terms, depth - 1)
    return Failure(atom, rule, _show(literal, bindings), held, instead, inner, because, missing)


def _is_for_facts(skb: Skb, name: str) -> bool:
    declared = skb.schema.get(name)
    return declared is not None and not declared.derived


def _about(skb: Skb, name: str, terms: Pattern) -> tuple[Fact, ...]:
    """Facts of the predicate that agree with the first term, at most three."""
    if not terms or terms[0] is None or name not in skb.schema:
        return ()
    rows = _matching(skb, name, (terms[0], *(None for _ in terms[1:])))
    facts = [skb.fact(name, row) for row in rows[:3]]
    return tuple(fact for fact in facts if fact is not None)


def _holds(skb: Skb, name: str, values: Pattern) -> bool:
    return bool(skb.solve((_atom(name, values),)))


def _atom(name: str, values: Pattern) -> Atom:
    return Atom(name, tuple(Var(f"V{i}") if value is None else value for i, value in enumerate(values)), _NOWHERE)


def _matching(skb: Skb, name: str, values: Pattern) -> list[Row]:
    """The rows of the predicate that agree with the pattern, sorted."""
    atom = _atom(name, values)
    answers = skb.solve((atom,))
    found = [dict(zip(answers.variables, row, strict=True)) for row in answers.rows]
    return [tuple(row[term.name] if isinstance(term, Var) else term for term in atom.terms) for row in found]


def _show_pattern(name: str, values: Pattern) -> str:
    return f"{name}({', '.join('_' if value is None else show_value(value) for value in values)})"


def _solutions(skb: Skb, body: Sequence[Literal], start: Bindings) -> list[dict[Var, Value]]:
    """Every way the body holds, sorted; anonymous variables get values too."""
    named = _aliases(body)
    answers = skb.solve([_rename(literal, start, named) for literal in body])
    back = {alias.name: variable for variable, alias in named.items()}
    return [
        {**start, **{back[name]: value for name, value in zip(answers.variables, row, strict=True)}}
        for row in answers.rows
    ]


def _aliases(body: Sequence[Literal]) -> dict[Var, Var]:
    """A name for each variable of a body, that is not anonymous."""
    return {v: Var(f"V{i}") for i, v in enumerate(dict.fromkeys(v for lit in body for v in variables(lit)))}


def _rename(literal: Literal, start: Bindings, named: Mapping[Var, Var]) -> Literal:
    def term(item: Term) -> Term:
        return start.get(item, named[item]) if isinstance(item, Var) else item

    def expression(item: Expression) -> Expression:
        if isinstance(item, Arithmetic):
            return Arithmetic(item.operator, expression(item.left), expression(item.right))
        return term(item)

    match literal:
        case Atom():
            return Atom(literal.predicate, tuple(map(term, literal.terms)), literal.where)
        case Not(atom=atom):
            return Not(Atom(atom.predicate, tuple(map(term, atom.terms)), atom.where))
        case Compare():
            return Compare(literal.operator, expression(literal.left), expression(literal.right), literal.where)


def _unify(rule: Rule, values: Pattern) -> dict[Var, Value] | None:
    """The bindings of the head's variables; the result of an aggregate stays out."""
    terms = rule.head.terms[:-1] if rule.aggregate is not None else rule.head.terms
    bindings: dict[Var, Value] = {}
    if len(rule.head.terms) != len(values):
        return None
    for term, value in zip(terms, values, strict=False):
        if value is None:
            continue
        known = bindings.setdefault(term, value) if isinstance(term, Var) else term
        if known != value:
            return None
    return bindings


def _pattern(atom: Atom, bindings: Bindings) -> Pattern:
    return tuple(bindings.get(term) if isinstance(term, Var) else term for term in atom.terms)


def _ground(atom: Atom, bindings: Bindings) -> Row:
    return tuple(bindings[term] if isinstance(term, Var) else term for term in atom.terms)


def _show(literal: Literal, bindings: Bindings) -> str:
    return str(_rename(literal, bindings, {v: v for v in variables(literal)}))
