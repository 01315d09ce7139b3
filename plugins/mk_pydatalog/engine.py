"""pyDatalog's engine (0.22), without its parser: one isolated logic, facts and clauses, step budget.

    Engine.assert_fact / retract_fact / assert_rule / retract_rules / ask

Why at this level (measured, `docs/skb.md`): pyDatalog's own `load` and `ask` execute text; `Logic(k)`
shares predicates between logics; a thread that did not make a logic has none; a query that does not
end cannot be interrupted.  So each Engine makes its own logic, sets it as the thread's current one
around each call, puts the former one back, and drives the engine's trampoline itself, counting steps.

Predicates are prefixed (`k_`): the engine gives meaning to some names and to `.`, `]` and `~` in them.

May not know: the SKB; rule text.
"""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter

from multikernel.errors import BudgetExceeded
from multikernel.knowledge.facts import Row, Value
from multikernel.knowledge.ir import Aggregate, Arithmetic, Atom, Compare, Expression, Literal, Not, Rule, Var

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in its sources, reported by Python 3.12 and later
    from pyDatalog import Logic, pyEngine

_store, _withdraw = pyEngine.assert_, pyEngine.retract

_QUERY = "k?query"


class _Fold:
    """An aggregate as the engine calls it: `complete` turns the finished rows of the base goal into
    the answers of its parent.  Rows are the head's keys, then the aggregate's variables."""

    slice_to_variabilize: tuple[int, ...] = ()

    def __init__(self, aggregate: Aggregate, keys: int) -> None:
        self._aggregate, self._keys = aggregate, keys
        names = aggregate.variables
        self._order = tuple((keys + names.index(o.variable), o.descending) for o in aggregate.order)
        self.width = keys + len(names)

    def complete(self, base: pyEngine.Subgoal, parent: pyEngine.Subgoal) -> None:
        groups: dict[Row, list[Row]] = {}
        for fact in base.facts.values() if isinstance(base.facts, dict) else ():
            row = tuple(term.id for term in fact.terms)
            groups.setdefault(row[: self._keys], []).append(row)
        for rows in groups.values():
            answer = (*rows[0], self._fold(rows))
            if _fits(parent.literal, answer):
                parent.fact(pyEngine.Literal(parent.literal.pred.name, [pyEngine.Const(value) for value in answer]))

    def _fold(self, rows: list[Row]) -> Value:
        """The aggregate over the rows of one group; they are distinct."""
        value = self._keys
        match self._aggregate.function:
            case "len":
                return len(rows)
            case "sum":
                return sum(number for row in rows if isinstance(number := row[value], int))
            case function:
                for index, descending in reversed(self._order):
                    rows.sort(key=itemgetter(index), reverse=descending)
                return rows[0 if function == "min" else -1][value]


class Engine:
    """One logic.  Calls may come from any thread; a lock lets one in at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logic = object.__new__(Logic)
        self._clauses: list[pyEngine.Clause] = []
        self._folds = 0
        with self._current():
            pyEngine.clear()

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Our logic is the thread's, and its own is back afterwards."""
        thread, fresh = Logic.tl, pyEngine.Fresh_var.tl
        with self._lock:
            logic, counter = getattr(thread, "logic", None), getattr(fresh, "counter", 0)
            thread.logic, fresh.counter = self._logic, 0
            try:
                yield
            finally:
                fresh.counter = counter
                if logic is None:
                    del thread.logic
                else:
                    thread.logic = logic

    def declare(self, name: str, arity: int) -> None:
        with self._current():
            pyEngine.insert(pyEngine.Pred(f"k_{name}", arity))

    def assert_facts(self, facts: Sequence[tuple[str, Row]]) -> None:
        with self._current():
            for name, values in facts:
                _store(_fact(name, values))

    def retract_facts(self, facts: Sequence[tuple[str, Row]]) -> None:
        with self._current():
            for name, values in facts:
                _withdraw(_fact(name, values))

    def replace_rules(self, rules: Sequence[Rule]) -> None:
        with self._current():
            for clause in self._clauses:
                _withdraw(clause)
                clause.head.pred.recursive = False
            self._clauses = [clause for rule in rules for clause in self._rule(rule)]
            for clause in self._clauses:
                _store(clause)

    def _rule(self, rule: Rule) -> Iterator[pyEngine.Clause]:
        body = [_literal(literal) for literal in _comparing_first(rule.body)]
        if rule.aggregate is None:
            yield pyEngine.Clause(_literal(rule.head), body)
            return
        keys = [_term(term) for term in rule.head.terms[:-1]]
        fold = _Fold(rule.aggregate, len(keys))
        self._folds += 1
        name = f"k?fold{self._folds}"
        columns = [*keys, *map(_term, rule.aggregate.variables)]
        result = pyEngine.Var("=")
        yield pyEngine.Clause(pyEngine.Literal(name, columns), body)
        folded = pyEngine.Literal(name, [*columns, result], aggregate=fold)
        yield pyEngine.Clause(pyEngine.Literal(f"k_{rule.name}", [*keys, result]), [folded])

    def ask(self, variables: Sequence[Var], body: Sequence[Literal], max_steps: int) -> list[Row]:
        """Each answer once, unordered.  Raises BudgetExceeded."""
        with self._current():
            columns = [pyEngine.Const(0), *map(_term, variables)]
            goal = pyEngine.Literal(_QUERY, columns)
            clause = _store(pyEngine.Clause(goal, [_literal(literal) for literal in body]))
            try:
                return self._drive(pyEngine.Literal(_QUERY, columns), max_steps)
            finally:
                _withdraw(clause)

    def _drive(self, goal: pyEngine.Literal, max_steps: int) -> list[Row]:
        """`Literal.ask` of the engine, with a bound on its trampoline."""
        logic = self._logic
        root = pyEngine.Subgoal(goal)
        logic.Tasks, logic.Recursive_Tasks, logic.Subgoals = pyEngine.TaskList(), pyEngine.TaskDeque(), {}
        logic.Goal, logic.Recursive, logic.gc_uncollected = root, False, False
        collecting = gc.isenabled()
        gc.disable()  # what a query makes is short-lived; to look through all facts for it took 40 % of the time
        try:
            task, arguments = pyEngine.SEARCH, (root,)
            for _ in range(max_steps):
                task, arguments = task(*arguments)
                if task is None:
                    break
            else:
                raise BudgetExceeded(f"no answer after {max_steps} steps of pyDatalog")
            facts = root.facts
            if facts is True:
                return [()]
            return [tuple(term.id for term in literal.terms[1:]) for literal in facts.values()]
        finally:
            for subgoal in (root, *logic.Subgoals.values()):  # they wait for each other: a cycle
                subgoal.waiters, subgoal.tasks, subgoal.clauses, subgoal.on_completion_ = [], [], [], []
            logic.Tasks = logic.Recursive_Tasks = logic.Goal = None
            logic.Subgoals = {}
            if collecting:
                gc.enable()


def _comparing_first(body: Sequence[Literal]) -> list[Literal]:
    """The body with each comparison before the negations it follows, which bind nothing and cost more."""
    ordered: list[Literal] = []
    for literal in body:
        at = len(ordered)
        while isinstance(literal, Compare) and at and isinstance(ordered[at - 1], Not):
            at -= 1
        ordered.insert(at, literal)
    return ordered


def _fits(literal: pyEngine.Literal, row: Row) -> bool:
    """The row is an answer to the literal.  (The engine's `match` refuses a variable that occurs twice.)"""
    seen: dict[object, Value] = {}
    return all(seen.setdefault(term.id, value) == value if not term.is_const() else term.id == value
               for term, value in zip(literal.terms, row, strict=True))  # fmt: skip


def _fact(name: str, values: Row) -> pyEngine.Clause:
    return pyEngine.Clause(pyEngine.Literal(f"k_{name}", [pyEngine.Const(value) for value in values]), [])


def _literal(literal: Literal) -> pyEngine.Literal:
    match literal:
        case Atom(predicate=name, terms=terms):
            return pyEngine.Literal(f"k_{name}", [_term(term) for term in terms])
        case Not(atom=atom):
            return pyEngine.Literal(f"~k_{atom.predicate}", [_term(term) for term in atom.terms])
        case Compare(operator=operator, left=left, right=right):
            return pyEngine.Literal(operator, [_term(left), _term(right)])


def _term(item: Expression) -> pyEngine.Term:
    match item:
        case Var(name=name):
            return pyEngine.Var(name)
        case Arithmetic(operator=operator, left=left, right=right):
            return pyEngine.Operation(_term(left), operator, _term(right))
        case _:
            return pyEngine.Const(item)
