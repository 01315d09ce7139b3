"""`Skb`: the system knowledge base.  Owns facts and rules, asks its backend, explains.

    declare(*predicates)   assert_fact(name, values, source)   retract(name, values)
    add_rules(text, file)  snapshot()
    supposing(removed, added)                   other facts for a while
    query(goal, budget)    solve(body)          the same for text and for ir
    optimise(model)        joint placement, see `optimise`
    explain(name, values)  explain_each(name, rows)  why_not(name, values)

Invariants: nothing is added when a check fails; the backend sees changes only as deltas, at the next
query; equal facts and rules give equal answers in equal order, whatever the order they came in.
Thread-safe.

May not know: any backend.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from multikernel.errors import Diagnostic, KnowledgeError
from multikernel.knowledge.backend import SkbBackend
from multikernel.knowledge.check import check_condition, check_program
from multikernel.knowledge.explain import Derivation, Failure, explain, explain_each, why_not
from multikernel.knowledge.facts import Fact, FactStore, Key, Predicate, Row, Snapshot, Source, Value
from multikernel.knowledge.ir import Literal, Program, Query, Rule
from multikernel.knowledge.optimise import Model, Optimiser, Placement, T, placement_of, problem_of
from multikernel.knowledge.rules import parse_condition, parse_rules
from multikernel.knowledge.search import search

BUDGET = 2_000_000
"""Default step budget of a query: some seconds of the default backend's work."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a query found: one row a solution, sorted; a column for each variable."""

    variables: tuple[str, ...]
    rows: tuple[Row, ...]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def integers(self) -> tuple[tuple[int, ...], ...]:
        """The rows, of which every column is declared int."""
        return tuple(tuple(value for value in row if isinstance(value, int)) for row in self.rows)


class Skb:
    """See the module."""

    def __init__(self, backend: SkbBackend) -> None:
        self._backend = backend
        self._lock = threading.RLock()
        self._facts = FactStore()
        self._rules: tuple[Rule, ...] = ()
        self._program: Program | None = None
        self._added: dict[Fact, None] = {}
        self._removed: dict[Fact, None] = {}
        self._answers: dict[str, Answers] = {}

    def declare(self, *predicates: Predicate) -> None:
        """Make predicates known.  Raises KnowledgeError if one is known with other columns."""
        with self._lock:
            for predicate in predicates:
                self._facts.declare(predicate)
            self._program = None

    def assert_fact(self, name: str, values: Row, source: Source) -> bool:
        """True if it is new.  Raises KnowledgeError for an undeclared predicate, arity or type."""
        with self._lock:
            fact = self._facts.add(name, values, source)
            if fact is not None:
                self._added[fact] = None
                self._answers.clear()
            return fact is not None

    def retract(self, name: str, values: Row) -> bool:
        """True if it was there."""
        with self._lock:
            fact = self._facts.remove(name, values)
            if fact is None:
                return False
            if fact in self._added:
                del self._added[fact]
            else:
                self._removed[fact] = None
            self._answers.clear()
            return True

    @contextmanager
    def supposing(self, removed: Sequence[Key], added: Sequence[tuple[str, Row, Source]]) -> Iterator[None]:
        """Within, the facts `removed` are gone and those `added` are there; after, all is as before, versions too.
        Raises as `assert_fact`."""
        if not removed and not added:
            yield
            return
        with self._lock:
            before, answers = self._facts.save(), dict(self._answers)
            gone = [fact for name, values in removed if (fact := self._facts.get(name, values)) is not None]
            new: list[Key] = []
            try:
                for fact in gone:
                    self.retract(fact.predicate, fact.values)
                for name, values, source in added:
                    if self.assert_fact(name, values, source):
                        new.append((name, values))
                yield
            finally:
                for name, values in new:
                    self.retract(name, values)
                for fact in gone:
                    if fact in self._removed:
                        del self._removed[fact]
                    else:
                        self._added[fact] = None
                self._facts.restore(before)
                self._answers = answers

    def add_rules(self, text: str, file: str, line: int = 1) -> None:
        """Add rules and facts written as text.  Raises KnowledgeError with every mistake, and then
        nothing was added.  A head may not be a declared predicate: facts are not derived."""
        with _showing(text, line):
            self.add_parsed(parse_rules(text, file, line))

    def add_parsed(self, parsed: Sequence[Rule]) -> None:
        """As `add_rules`, for rules already parsed."""
        with self._lock:
            rules = tuple(rule for rule in parsed if rule.body)
            mistakes = [
                Diagnostic(*rule.head.where, "derived-fact", f"{rule.name} is for facts; a rule cannot derive it")
                for rule in rules
                if rule.name in self._facts.schema and not self._facts.schema[rule.name].derived
            ]
            if mistakes:
                raise KnowledgeError("the rules do not hold together", mistakes)
            program = check_program((*self._rules, *rules), self._facts.schema)
            facts = [(rule, _ground(rule)) for rule in parsed if not rule.body]
            for rule, values in facts:
                self._check_fact(rule, values)
            self._rules = (*self._rules, *rules)
            self._install(program)
            for rule, values in facts:
                self.assert_fact(rule.name, values, Source("asserted", str(rule.where)))

    def _check_fact(self, rule: Rule, values: Row) -> None:
        declared = self._facts.schema.get(rule.name)
        where = rule.head.where
        if declared is None or declared.derived:
            message = f"no predicate {rule.name!r} is declared for facts"
            raise KnowledgeError("", (Diagnostic(*where, "unknown-predicate", message),))
        types = tuple("int" if isinstance(value, int) else "str" for value in values)
        if types != declared.types:
            raise KnowledgeError("", (Diagnostic(*where, "fact-type", f"{rule.head} does not fit {declared}"),))

    def snapshot(self) -> Snapshot:
        """All facts now, immutable."""
        with self._lock:
            return self._facts.snapshot()

    @property
    def schema(self) -> Mapping[str, Predicate]:
        """The declared predicates."""
        return self._facts.schema

    @property
    def version(self) -> int:
        return self._facts.version

    @property
    def program(self) -> Program:
        """The checked rules."""
        with self._lock:
            if self._program is None:
                self._install(check_program(self._rules, self._facts.schema))
            assert self._program is not None
            return self._program

    def _install(self, program: Program) -> None:
        self._program = program
        self._backend.set_rules(program)
        self._answers.clear()

    def fact(self, name: str, values: Row) -> Fact | None:
        """The fact with its source, or None."""
        return self._facts.get(name, values)

    def query(self, goal: str, budget: int = BUDGET) -> Answers:
        """Every answer to a goal in the rule language.  Raises KnowledgeError for a goal that cannot be
        asked, BudgetExceeded when `budget` steps do not suffice."""
        with self._lock:
            known = self._answers.get(goal)
            if known is None:
                with _showing(goal, 1):
                    known = self.solve(parse_condition(goal, "<goal>"), goal, budget)
                self._answers[goal] = known
            return known

    def solve(self, body: Sequence[Literal], text: str = "", budget: int = BUDGET) -> Answers:
        """As `query`, for a parsed goal."""
        with self._lock:
            query = check_condition(body, self.program, text)
            return Answers(tuple(v.name for v in query.variables), self._ask(query, budget))

    def _ask(self, query: Query, budget: int) -> tuple[Row, ...]:
        if self._added or self._removed:
            self._backend.sync(tuple(self._added), tuple(self._removed))
            self._added.clear()
            self._removed.clear()
        return tuple(self._backend.query(query, budget))

    def optimise(self, model: Model[T], budget: int = BUDGET) -> Placement[T] | None:
        """The best placement of the model, or one that is not proven the best (`optimal` says which);
        None if there is none.  By the backend if it can optimise, else by `search`.  Raises ValueError for
        a model that contradicts itself, BudgetExceeded if nothing is known after `budget` steps,
        KnowledgeError for costs that do not fit the backend."""
        problem = problem_of(model)
        if not isinstance(self._backend, Optimiser):
            solution = search(problem, budget)
        else:
            with self._lock:
                solution = self._backend.optimise(problem, budget)
        return None if solution is None else placement_of(model, problem, solution)

    def explain(self, name: str, *values: Value) -> Derivation | None:
        """One proof of the atom, with the sources of its facts; None if it does not hold."""
        with self._lock:
            return explain(self, name, values)

    def explain_each(self, name: str, rows: Sequence[Row]) -> tuple[Derivation, ...]:
        """As `explain`, for rows that hold."""
        with self._lock:
            return explain_each(self, name, rows)

    def why_not(self, name: str, *values: Value) -> tuple[Failure, ...]:
        """For each rule that could give the atom, the first condition that fails; empty if it holds."""
        with self._lock:
            return why_not(self, name, values)

    def close(self) -> None:
        """Give the backend back.  Nothing may be called after."""
        self._backend.close()


@contextmanager
def _showing(text: str, line: int) -> Iterator[None]:
    """Diagnostics raised within get their line of `text`, whose first is `line`."""
    try:
        yield
    except KnowledgeError as error:
        lines = dict(enumerate(text.splitlines(), line))
        told = [replace(each, source=lines.get(each.line, "")) for each in error.diagnostics]
        raise KnowledgeError(error.message, told) from None


def _ground(rule: Rule) -> Row:
    values: list[int | str] = []
    for term in rule.head.terms:
        if not isinstance(term, int | str):
            where = rule.head.where
            message = f"{rule.head} is not a fact: {term} is not a constant"
            raise KnowledgeError("", (Diagnostic(*where, "fact", message),))
        values.append(term)
    return tuple(values)
