"""A question and the rules it needs as a program of clingo.

    program = translate(demand, query, terms)
    program.stages      texts, to be grounded one after the other
    program.folds       what is added between them: the aggregates, computed outside of clingo

Predicates:

    f_NAME   facts
    aN       answers of a derived predicate asked in one way (`knowledge/demand.py`)
    dN       the values it is asked for
    rN       rows of an aggregate: its keys, then its variables
    q        answers of the question

What is asked for must be known before any negation or aggregate is decided, or a program that was
stratified would no longer be: so a value is asked for as soon as the conditions before the atom hold that
hang on neither, which may be more than needed and is never less.

Atoms are looked up one after the other, and each way the first two, three, ... of a body hold is told to
@step: that is what is counted against the budget.

May not know: the Python interface of clingo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mk_clingo.values import Terms
from multikernel.knowledge.demand import Call, Demand, atoms
from multikernel.knowledge.ir import (
    Aggregate,
    Arithmetic,
    Atom,
    Compare,
    Expression,
    Literal,
    Not,
    Query,
    Rule,
    Var,
    variables,
)

_FUNCTIONS = {"+": "add", "-": "sub", "*": "mul"}


@dataclass(frozen=True, slots=True)
class Fold:
    """After stage `level` - 1: the rows of `rows`, whose first `keys` columns are keys, by `aggregate` to
    answers of `into`."""

    level: int
    rows: str
    keys: int
    aggregate: Aggregate
    into: str


@dataclass(slots=True)
class Translation:
    """See the module.  `facts` are the predicates whose facts are needed."""

    stages: dict[int, list[str]] = field(default_factory=dict)
    folds: list[Fold] = field(default_factory=list)
    facts: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Body:
    """A body as far as it was read: all of it, and what of it may decide what is asked for."""

    names: dict[Var, str]
    parts: list[str]
    early: list[str]
    bound: dict[Var, None]
    early_bound: dict[Var, None]
    atoms: int = 0


def translate(demand: Demand, query: Query, terms: Terms) -> Translation:
    """The program that answers the query.  Raises TooNarrow."""
    return _Translator(demand, terms).question(query)


def fact_name(predicate: str) -> str:
    """The name of a predicate's facts."""
    return "f_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in predicate)


class _Translator:
    def __init__(self, demand: Demand, terms: Terms) -> None:
        self._demand, self._terms = demand, terms
        self._levels: dict[str, int] = {}
        self._calls: dict[Call, int] = {}
        self._todo: list[Call] = []
        self._made = Translation()

    def question(self, query: Query) -> Translation:
        body = _Body({}, [], [], {}, {})
        level = max((self._level(atom.predicate) for atom in atoms(query.body)), default=0)
        self._read(body, query.body, None)
        self._put(level, "q", [self._expression(variable, body) for variable in query.variables], body.parts)
        while self._todo:
            self._relation(self._todo.pop())
        return self._made

    def _level(self, predicate: str) -> int:
        """How many aggregates must be computed before its answers are known, one after the other."""
        if predicate not in self._levels:
            self._levels[predicate] = 0
            for rule in self._demand.rules.get(predicate, ()):
                below = max((self._level(atom.predicate) for atom in atoms(rule.body)), default=0)
                above = below + (rule.aggregate is not None)
                self._levels[predicate] = max(self._levels[predicate], above)
        return self._levels[predicate]

    def _early(self, predicate: str) -> bool:
        """No negation and no aggregate is below it."""
        rules = [rule for name in self._demand.reach(predicate) for rule in self._demand.rules.get(name, ())]
        return all(rule.aggregate is None and not any(isinstance(lit, Not) for lit in rule.body) for rule in rules)

    def _put(self, level: int, name: str, terms: Sequence[str], body: Sequence[str]) -> None:
        head = f"{name}({','.join(terms)})" if terms else name
        self._made.stages.setdefault(level, []).append(f"{head} :- {', '.join(body)}." if body else f"{head}.")

    def _relation(self, call: Call) -> None:
        number = self._calls[call]
        arity = self._demand.arity[call.predicate]
        terms = tuple(Var(f"V{i}") for i in range(arity))
        body = self._asked(call, terms)
        self._look(body, self._fact(call.predicate), terms, True)
        self._put(0, f"a{number}", [self._expression(term, body) for term in terms], body.parts)
        for rule in self._demand.rules[call.predicate]:
            self._rule(rule, call)

    def _rule(self, rule: Rule, call: Call) -> None:
        number = self._calls[call]
        body = self._asked(call, rule.head.terms)
        rest = list(rule.body)
        itself = next((lit for lit in rest if isinstance(lit, Atom) and lit.predicate == rule.name), None)
        if itself is not None:
            rest.remove(itself)
            self._look(body, f"a{number}", itself.terms, self._early(rule.name))
            body.atoms = 1
        self._read(body, rest, rule)
        level = max((self._level(atom.predicate) for atom in atoms(rule.body)), default=0)
        if rule.aggregate is None:
            self._put(
                level,
                f"a{number}",
                [self._expression(term, body) for term in rule.head.terms],
                body.parts,
            )
            return
        keys = rule.head.terms[:-1]
        rows = f"r{len(self._made.folds)}"
        columns = [self._expression(term, body) for term in (*keys, *rule.aggregate.variables)]
        self._put(level, rows, columns, body.parts)
        self._made.folds.append(Fold(level + 1, rows, len(keys), rule.aggregate, f"a{number}"))

    def _asked(self, call: Call, terms: Sequence[Expression]) -> _Body:
        """A body that begins with what is asked for."""
        body = _Body({}, [], [], {}, {})
        given = tuple(terms[column] for column in call.bound)
        self._look(body, f"d{self._calls[call]}", given, True)
        return body

    def _read(self, body: _Body, literals: Sequence[Literal], rule: Rule | None) -> None:
        for literal in self._demand.ordered(literals, body.bound):
            match literal:
                case Atom(predicate=name, terms=terms):
                    self._look(body, self._table(body, literal), terms, self._early(name))
                    body.atoms += 1
                    if body.atoms > 1 and body.bound:
                        body.parts.append(f"0=@step({','.join(body.names[each] for each in body.bound)})")
                case Not(atom=atom):
                    body.parts.append(f"not {self._atom(self._table(body, atom), atom.terms, body)}")
                case Compare(operator=operator, left=left, right=right):
                    sides = [self._expression(left, body), self._expression(right, body)]
                    text = ("=" if operator == "==" else operator).join(sides)
                    unbound = [each for each in variables(literal) if each not in body.early_bound]
                    body.parts.append(text)
                    if not unbound or (operator == "==" and len(unbound) == 1 and unbound[0] in (left, right)):
                        body.early.append(text)
                        body.early_bound.update(dict.fromkeys(unbound))
                    body.bound.update(dict.fromkeys(variables(literal)))

    def _table(self, body: _Body, atom: Atom) -> str:
        """The predicate of an atom's rows; a derived one is asked for them."""
        if atom.predicate not in self._demand.rules:
            return self._fact(atom.predicate)
        call = self._demand.call(atom, body.early_bound)
        if call not in self._calls:
            self._calls[call] = len(self._calls)
            self._todo.append(call)
        given = [self._expression(atom.terms[column], body) for column in call.bound]
        self._put(0, f"d{self._calls[call]}", given, body.early)
        return f"a{self._calls[call]}"

    def _fact(self, predicate: str) -> str:
        self._made.facts[predicate] = None
        return fact_name(predicate)

    def _look(self, body: _Body, name: str, terms: Sequence[Expression], early: bool) -> None:
        text = self._atom(name, terms, body)
        named = dict.fromkeys(term for term in terms if isinstance(term, Var))
        body.parts.append(text)
        body.bound.update(named)
        if early:
            body.early.append(text)
            body.early_bound.update(named)

    def _atom(self, name: str, terms: Sequence[Expression], body: _Body) -> str:
        listed = [self._expression(term, body) for term in terms]
        return f"{name}({','.join(listed)})" if listed else name

    def _expression(self, item: Expression, body: _Body) -> str:
        match item:
            case Var():
                return body.names.setdefault(item, f"V{len(body.names)}")
            case Arithmetic(operator=operator, left=left, right=right):
                sides = f"{self._expression(left, body)},{self._expression(right, body)}"
                return f"@{_FUNCTIONS[operator]}({sides})"
            case _:
                return self._terms.text(item)


def fold(aggregate: Aggregate, rows: Sequence[Mapping[Var, int | str]]) -> int | str:
    """The result of an aggregate over the distinct rows of one key."""
    values = [row[aggregate.value] for row in rows]
    if aggregate.function == "len":
        return len(values)
    if aggregate.function == "sum":
        return sum(value for value in values if isinstance(value, int))
    ordered = list(rows)
    for key in reversed(aggregate.order):
        ordered.sort(key=lambda row: row[key.variable], reverse=key.descending)
    return ordered[0 if aggregate.function == "min" else -1][aggregate.value]
