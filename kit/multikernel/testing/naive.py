"""A naive evaluator of checked programs: the reference that backends are held to.

Stratum by stratum, every rule until nothing is new, every body by trying every fact.  Slow and
obvious on purpose; shares nothing with a backend but the ir.

May not know: any backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multikernel.knowledge.facts import Fact, Row, Value
from multikernel.knowledge.ir import (
    Arithmetic,
    Atom,
    Compare,
    Expression,
    Literal,
    Not,
    Program,
    Query,
    Rule,
    Var,
)

Env = dict[Var, Value]
Relations = dict[str, set[Row]]


class Naive:
    """An `SkbBackend`; steps are not counted."""

    def __init__(self) -> None:
        self._facts: set[tuple[str, Row]] = set()
        self._program = Program((), ())

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        self._facts -= {(fact.predicate, fact.values) for fact in removed}
        self._facts |= {(fact.predicate, fact.values) for fact in added}

    def set_rules(self, program: Program) -> None:
        self._program = program

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        relations = self._fixpoint()
        return sorted({tuple(env[v] for v in query.variables) for env in solve(query.body, relations)})

    def close(self) -> None:
        self._facts = set()

    def _fixpoint(self) -> Relations:
        relations: Relations = {name: set() for name, _ in self._program.predicates}
        for name, values in self._facts:
            relations[name].add(values)
        for stratum in strata(self._program.rules):
            before = -1
            while before != (before := sum(map(len, relations.values()))):
                for rule in stratum:
                    relations[rule.name] |= set(derive(rule, relations))
        return relations


def strata(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Rules in an order in which what they negate or aggregate is finished before them."""
    level = {rule.name: 0 for rule in rules}
    for _ in range(len(level) + 1):
        for rule in rules:
            for literal in rule.body:
                if isinstance(literal, Compare):
                    continue
                atom = literal.atom if isinstance(literal, Not) else literal
                strict = isinstance(literal, Not) or rule.aggregate is not None
                if atom.predicate in level:
                    level[rule.name] = max(level[rule.name], level[atom.predicate] + strict)
    return [[rule for rule in rules if level[rule.name] == height] for height in range(len(level) + 2)]


def derive(rule: Rule, relations: Relations) -> Iterator[Row]:
    solutions = list(solve(rule.body, relations))
    if rule.aggregate is None:
        for env in solutions:
            yield tuple(_value(term, env) for term in rule.head.terms)
        return
    aggregate = rule.aggregate
    keys = rule.head.terms[:-1]
    for key in {tuple(_value(term, env) for term in keys) for env in solutions}:
        rows = [env for env in solutions if tuple(_value(term, env) for term in keys) == key]
        match aggregate.function:
            case "len":
                result: Value = len({env[aggregate.value] for env in rows})
            case "sum":
                each = {(env[aggregate.value], *(env[v] for v in aggregate.for_each)) for env in rows}
                result = sum(number for number, *_ in each if isinstance(number, int))
            case function:
                pick = min if function == "min" else max
                result = pick(rows, key=lambda env: [
                    -v if o.descending and isinstance(v := env[o.variable], int) else env[o.variable]
                    for o in aggregate.order])[aggregate.value]  # fmt: skip
        yield (*key, result)


def solve(body: Sequence[Literal], relations: Relations, env: Env | None = None) -> Iterator[Env]:
    """Every way the body holds, from left to right."""
    env = env or {}
    if not body:
        yield env
        return
    literal, rest = body[0], body[1:]
    match literal:
        case Atom(predicate=name, terms=terms):
            for row in relations[name]:
                bound = dict(env)
                if all(_match(term, value, bound) for term, value in zip(terms, row, strict=True)):
                    yield from solve(rest, relations, bound)
        case Not(atom=atom):
            if tuple(_value(term, env) for term in atom.terms) not in relations[atom.predicate]:
                yield from solve(rest, relations, env)
        case Compare(operator="==", left=Var() as left, right=right) if left not in env:
            yield from solve(rest, relations, {**env, left: _value(right, env)})
        case Compare(operator="==", left=left, right=Var() as right) if right not in env:
            yield from solve(rest, relations, {**env, right: _value(left, env)})
        case Compare():
            if _compare(literal, env):
                yield from solve(rest, relations, env)


def _match(term: Expression, value: Value, env: Env) -> bool:
    if isinstance(term, Var):
        return env.setdefault(term, value) == value
    return term == value


def _value(item: Expression, env: Env) -> Value:
    match item:
        case Var():
            return env[item]
        case Arithmetic(operator=operator, left=left, right=right):
            a, b = _value(left, env), _value(right, env)
            assert isinstance(a, int)
            assert isinstance(b, int)
            return {"+": a + b, "-": a - b, "*": a * b}[operator]
        case _:
            return item


def _compare(literal: Compare, env: Env) -> bool:
    left, right = _value(literal.left, env), _value(literal.right, env)
    if literal.operator in ("==", "!="):
        return (left == right) == (literal.operator == "==")
    if isinstance(left, int) and isinstance(right, int):
        order = (left > right) - (left < right)
    else:
        order = (str(left) > str(right)) - (str(left) < str(right))
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[literal.operator]
