"""What a program must satisfy before a backend sees it; bodies are put in order on the way.

    declared      every predicate of a body is declared or the head of a rule; arities agree
    types         each variable is of one type; arithmetic and sums are of integers
    safety        every variable of a head, negation or comparison is bound by the body
    used once     a variable that occurs once is `_`
    stratified    no predicate depends on its own negation or aggregate
    recursion     of one predicate on itself, first in the body, adding no arithmetic
    choices       the order of a min or max ends in a total tie-break: it contains the value

Why recursion is narrow: right and mutual recursion hang the default engine on cyclic facts
(`docs/skb.md`); on the left-recursive form every backend tried gave the right answer.

Interface: `check_program(rules, schema)`, `check_condition(literals, program)`.

May not know: backends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from multikernel.errors import Diagnostic, KnowledgeError
from multikernel.knowledge.facts import ColumnType, Predicate
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
    Where,
    variables,
)
from multikernel.knowledge.near import near

Columns = tuple[ColumnType | None, ...]


def check_program(rules: Sequence[Rule], schema: Mapping[str, Predicate]) -> Program:
    """The checked program.  Raises KnowledgeError with every mistake."""
    check = _Check(schema)
    check.heads(rules)
    for rule in rules:
        check.predicates(rule.body)
    check.finish()
    check.infer(rules)
    ordered = [check.rule(rule) for rule in rules]
    check.dependencies(ordered)
    check.finish()
    return Program(
        tuple(ordered),
        tuple((name, len(columns)) for name, columns in sorted(check.columns.items())),
        tuple(sorted(check.columns.items())),
    )


def check_condition(body: Sequence[Literal], program: Program, text: str) -> Query:
    """A conjunction to ask.  Raises KnowledgeError with every mistake."""
    check = _Check({})
    check.columns.update(program.types)
    check.predicates(body)
    check.finish()
    check.types(body)
    ordered = check.order(body, ())
    check.finish()
    named = dict.fromkeys(v for literal in body for v in variables(literal) if not v.name.startswith("_"))
    return Query(tuple(named), ordered, text)


class _Check:
    def __init__(self, schema: Mapping[str, Predicate]) -> None:
        self.columns: dict[str, Columns] = {name: p.types for name, p in schema.items()}
        self._diagnostics: dict[Diagnostic, None] = {}

    def finish(self) -> None:
        if self._diagnostics:
            raise KnowledgeError("the rules do not hold together", tuple(self._diagnostics))

    def note(self, where: Where, code: str, message: str, alternatives: tuple[str, ...] = (), fix: str = "") -> None:
        self._diagnostics[Diagnostic(where.file, where.line, where.column, code, message, alternatives, fix)] = None

    # Predicates and arity

    def heads(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            known = self.columns.setdefault(rule.name, (None,) * len(rule.head.terms))
            self._arity(rule.head, len(known))

    def predicates(self, body: Iterable[Literal]) -> None:
        for literal in body:
            atom = literal.atom if isinstance(literal, Not) else literal
            if isinstance(atom, Compare):
                continue
            columns = self.columns.get(atom.predicate)
            if columns is None:
                message = f"no predicate {atom.predicate!r} is declared or derived"
                self.note(atom.where, "unknown-predicate", message, near(atom.predicate, self.columns))
            else:
                self._arity(atom, len(columns))

    def _arity(self, atom: Atom, arity: int) -> None:
        if len(atom.terms) != arity:
            message = f"{atom.predicate} has {arity} columns, here {len(atom.terms)}"
            self.note(atom.where, "arity", message)

    # Types

    def infer(self, rules: Sequence[Rule]) -> None:
        """Types of derived predicates' columns, until nothing changes; conflicts are noted."""
        changed = True
        while changed:
            changed = False
            for rule in rules:
                bound = self.types(rule.body)
                columns = list(self.columns[rule.name])
                for index, term in enumerate(rule.head.terms):
                    kind = self._head_type(rule, term, bound)
                    if kind is None or kind == columns[index]:
                        continue
                    if columns[index] is None:
                        columns[index], changed = kind, True
                    else:
                        message = f"column {index + 1} of {rule.name} is {columns[index]}, here {kind}"
                        self.note(rule.head.where, "type", message)
                self.columns[rule.name] = tuple(columns)

    def _head_type(self, rule: Rule, term: Expression, bound: dict[Var, ColumnType]) -> ColumnType | None:
        aggregate = rule.aggregate
        if aggregate is not None and term == rule.head.terms[-1] and isinstance(term, Var) and term.name == "=":
            if aggregate.function in ("len", "sum"):
                return "int"
            return bound.get(aggregate.value)
        return _type_of(term, bound)

    def types(self, body: Iterable[Literal]) -> dict[Var, ColumnType]:
        """The type of each variable of a body."""
        bound: dict[Var, ColumnType] = {}
        comparisons: list[Compare] = []
        for literal in body:
            atom = literal.atom if isinstance(literal, Not) else literal
            if isinstance(atom, Compare):
                comparisons.append(atom)
                continue
            for term, kind in zip(atom.terms, self.columns[atom.predicate], strict=False):
                if kind is None:
                    continue
                if isinstance(term, Var):
                    self._bind(bound, term, kind, atom.where)
                elif _type_of(term, bound) != kind:
                    self.note(atom.where, "type", f"{atom}: {term!r} is not {kind}")
        for _ in range(len(comparisons) + 1):
            for comparison in comparisons:
                self._compare(comparison, bound)
        return bound

    def _compare(self, comparison: Compare, bound: dict[Var, ColumnType]) -> None:
        for side in (comparison.left, comparison.right):
            if isinstance(side, Arithmetic):
                for variable in variables(side):
                    self._bind(bound, variable, "int", comparison.where)
                if _has_string(side):
                    self.note(comparison.where, "type", f"{comparison}: arithmetic is of integers")
        left, right = _type_of(comparison.left, bound), _type_of(comparison.right, bound)
        if left is None and right is not None and isinstance(comparison.left, Var):
            self._bind(bound, comparison.left, right, comparison.where)
        elif right is None and left is not None and isinstance(comparison.right, Var):
            self._bind(bound, comparison.right, left, comparison.where)
        elif left is not None and right is not None and left != right:
            self.note(comparison.where, "type", f"{comparison} compares {left} with {right}")

    def _bind(self, bound: dict[Var, ColumnType], variable: Var, kind: ColumnType, where: Where) -> None:
        known = bound.setdefault(variable, kind)
        if known != kind:
            self.note(where, "type", f"{variable} is {known} elsewhere, here {kind}")

    # One rule

    def rule(self, rule: Rule) -> Rule:
        """The rule with its body in order."""
        self._used_once(rule)
        recursive = [lit for lit in rule.body if isinstance(lit, Atom) and lit.predicate == rule.name]
        if recursive:
            self._recursion(rule, recursive)
        body = self.order(rule.body, recursive[:1])
        bound = _bound_by(body)
        result = rule.head.terms[-1] if rule.aggregate is not None else None
        for term in rule.head.terms:
            if isinstance(term, Var) and term != result and term not in bound:
                self.note(rule.head.where, "unsafe", f"{term} of the head is not bound by the body",
                          fix=f"bind {term} in an atom of the body")  # fmt: skip
        if rule.aggregate is not None:
            self._aggregate(rule, bound)
        return replace(rule, body=body)

    def _used_once(self, rule: Rule) -> None:
        seen: dict[Var, int] = {}
        places = [*variables(rule.head), *(v for literal in rule.body for v in variables(literal))]
        if rule.aggregate is not None:
            places += [*rule.aggregate.variables, Var("=")]
        for variable in places:
            seen[variable] = seen.get(variable, 0) + 1
        for variable, count in seen.items():
            if count == 1 and not variable.name.startswith("_"):
                others = near(variable.name, (v.name for v in seen if v != variable and v.name[0].isupper()))
                self.note(rule.where, "used-once", f"{variable} occurs once", others, "write _ if that is meant")

    def _recursion(self, rule: Rule, recursive: Sequence[Atom]) -> None:
        first = next((lit for lit in rule.body if isinstance(lit, Atom)), None)
        if len(recursive) > 1 or first is not recursive[0]:
            self.note(recursive[-1].where, "recursion", f"{rule.name} may call itself once, first in the body",
                      fix=f"write {rule.name}(...) <= {rule.name}(...) & ...")  # fmt: skip
        made = {v for lit in rule.body if isinstance(lit, Compare)
                for a, b in ((lit.left, lit.right), (lit.right, lit.left))
                if lit.operator == "==" and isinstance(a, Var) and isinstance(b, Arithmetic) for v in (a,)}  # fmt: skip
        made -= _bound_by([lit for lit in rule.body if isinstance(lit, Atom)])
        if any(isinstance(term, Var) and term in made for term in rule.head.terms):
            self.note(rule.where, "recursion", f"{rule.name} makes new numbers while it recurs and may never end")

    def _aggregate(self, rule: Rule, bound: set[Var]) -> None:
        aggregate = rule.aggregate
        assert aggregate is not None
        where = rule.head.where
        for variable in aggregate.variables:
            if variable not in bound:
                self.note(where, "unsafe", f"{variable} of the aggregate is not bound by the body")
        types = self.types(rule.body)
        if aggregate.function == "sum" and types.get(aggregate.value) == "str":
            self.note(where, "type", f"sum_ of {aggregate.value}, which is str")
        if aggregate.function == "sum" and set(aggregate.for_each) <= {aggregate.value}:
            self.note(where, "sum", "for_each names only the value: equal values would count once",
                      fix="add what is counted to for_each")  # fmt: skip
        if aggregate.function in ("min", "max") and aggregate.value not in {o.variable for o in aggregate.order}:
            order = ", ".join(str(o.variable) for o in aggregate.order)
            self.note(where, "tie", f"rows that are equal in ({order}) leave the choice open",
                      fix=f"write order_by=({order}, {aggregate.value})")  # fmt: skip
        for key in aggregate.order:
            if key.descending and types.get(key.variable) == "str":
                self.note(where, "type", f"-{key.variable} in order_by, which is str")

    def order(self, body: Sequence[Literal], first: Sequence[Atom]) -> tuple[Literal, ...]:
        """The body so that each literal can be evaluated when its turn comes: comparisons and
        negations as early as they can be, atoms connected to what is bound before others, otherwise
        as written."""
        rest = list(body)
        ordered: list[Literal] = []
        bound: set[Var] = set()
        while rest:
            ready = next((lit for lit in rest if not isinstance(lit, Atom) and _ready(lit, bound)), None)
            chosen: Literal | None = ready
            if chosen is None:
                atoms = [lit for lit in rest if isinstance(lit, Atom)]
                leading = [lit for lit in atoms if lit in first]
                connected = [lit for lit in atoms if any(not isinstance(t, Var) or t in bound for t in lit.terms)]
                chosen = next(iter((*leading, *connected, *atoms)), None)
            if chosen is None:
                break
            rest.remove(chosen)
            ordered.append(chosen)
            bound |= _binds(chosen)
        for literal in rest:
            missing = ", ".join(dict.fromkeys(str(v) for v in variables(literal) if v not in bound))
            self.note(literal.where, "unsafe", f"{missing} of {literal} is not bound by an atom",
                      fix="bind it in an atom of the body")  # fmt: skip
        return (*ordered, *rest)

    # The program

    def dependencies(self, rules: Sequence[Rule]) -> None:
        """Stratification, and no mutual recursion."""
        edges: dict[str, dict[str, tuple[bool, Rule]]] = {}
        for rule in rules:
            targets = edges.setdefault(rule.name, {})
            for literal in rule.body:
                if isinstance(literal, Compare):
                    continue
                strict = isinstance(literal, Not) or rule.aggregate is not None
                name = literal.atom.predicate if isinstance(literal, Not) else literal.predicate
                if name not in targets or (strict and not targets[name][0]):
                    targets[name] = (strict, rule)
        for component in _components(edges):
            inside = frozenset(component)
            for name in component:
                for target, (strict, rule) in edges.get(name, {}).items():
                    if target not in inside:
                        continue
                    cycle = ", ".join(component)
                    if strict:
                        message = f"{name} depends on its own negation or aggregate (through {cycle})"
                        self.note(rule.where, "unstratified", message)
                    elif target != name:
                        self.note(rule.where, "recursion", f"mutual recursion of {cycle}",
                                  fix="let one predicate call itself only")  # fmt: skip


def _type_of(item: Expression, bound: Mapping[Var, ColumnType]) -> ColumnType | None:
    if isinstance(item, Var):
        return bound.get(item)
    return "str" if isinstance(item, str) else "int"


def _has_string(item: Expression) -> bool:
    if isinstance(item, Arithmetic):
        return _has_string(item.left) or _has_string(item.right)
    return isinstance(item, str)


def _ready(literal: Literal, bound: set[Var]) -> bool:
    unbound = {v for v in variables(literal) if v not in bound}
    if not unbound:
        return True
    if not isinstance(literal, Compare) or literal.operator != "==":
        return False
    return any(
        isinstance(side, Var) and unbound == {side} and side not in set(variables(other))
        for side, other in ((literal.left, literal.right), (literal.right, literal.left))
    )


def _binds(literal: Literal) -> set[Var]:
    return set() if isinstance(literal, Not) else set(variables(literal))


def _bound_by(body: Iterable[Literal]) -> set[Var]:
    return {v for literal in body for v in _binds(literal)}


def _components(edges: Mapping[str, Mapping[str, object]]) -> list[list[str]]:
    """Strongly connected components that contain an edge, names sorted.  Tarjan 1972, iterative."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: dict[str, None] = {}
    found: list[list[str]] = []
    for root in sorted(edges):
        if root in index:
            continue
        work = [(root, iter(sorted(edges.get(root, {}))))]
        index[root] = low[root] = len(index)
        on_stack[root] = None
        while work:
            name, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[name])
                if low[name] == index[name]:
                    members = list(on_stack)[list(on_stack).index(name) :]
                    for member in members:
                        del on_stack[member]
                    if len(members) > 1 or name in edges.get(name, {}):
                        found.append(sorted(members))
            elif target not in index:
                index[target] = low[target] = len(index)
                on_stack[target] = None
                work.append((target, iter(sorted(edges.get(target, {})))))
            elif target in on_stack:
                low[name] = min(low[name], index[target])
    return sorted(found)
