"""The backend: facts in tables, answers derived when asked for and kept until a fact below them changes.

Evaluation is by query-subquery: before a join reaches a derived atom, the distinct values it would look up
are handed to that predicate, which derives answers for those it has not met yet.  So an answer about two
cores looks at two cores, and one about all pairs is a few statements.  Recursion goes in rounds over the
rows of the round before.

Invariants: a call that raises leaves everything as before it (one transaction a call); integers are of 64
bits, and what does not fit is an error, in sums too.

May not know: SQL beyond what `statements` makes, other than of whole tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mk_sqlite.statements import Body, Derive, Relation, Tables, fitting
from multikernel.errors import BudgetExceeded, KnowledgeError
from multikernel.knowledge.demand import Demand
from multikernel.knowledge.facts import Fact, Row
from multikernel.knowledge.ir import Program, Query

STEP = 100
"""Instructions of SQLite's virtual machine that make a step."""
LOOK = 1000
"""Instructions between two looks at the budget, at most."""


class SQLite:
    """See `multikernel.knowledge.backend.SkbBackend`.  A step is a statement, or STEP instructions."""

    def __init__(self) -> None:
        self._base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=1024)
        self._left = 0
        self._wrong = ""
        for name, function in (("add", int.__add__), ("sub", int.__sub__), ("mul", int.__mul__)):
            self._base.create_function(f"mk_{name}", 2, self._checked(function), deterministic=True)
        self._facts: dict[str, str] = {}
        self._demand = Demand(Program((), ()))
        self._tables = Tables(self._demand, self._base.execute, self._facts)

    def _checked(self, function: Callable[[int, int], int]) -> Callable[[int, int], int]:
        def call(a: int, b: int) -> int:
            try:
                return fitting(function(a, b))
            except KnowledgeError as error:
                self._wrong = str(error)
                raise

        return call

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        changed = frozenset(fact.predicate for fact in (*added, *removed))
        for fact in added:
            for value in fact.values:
                _holdable(value)
        with self._transaction():
            for relation in self._tables.relations.values():
                if changed & self._demand.reach(relation.predicate):
                    self._base.execute(f"DELETE FROM a{relation.number}")
                    self._base.execute(f"DELETE FROM i{relation.number}")
            for facts, change in ((removed, _delete), (added, _insert)):
                rows: dict[str, list[Row]] = {}
                for fact in facts:
                    rows.setdefault(fact.predicate, []).append(fact.values or (0,))
                for name, values in rows.items():
                    self._base.executemany(change(self._tables.facts(name), len(values[0])), values)

    def set_rules(self, program: Program) -> None:
        self._tables.drop()
        self._demand = Demand(program)
        self._tables = Tables(self._demand, self._base.execute, self._facts)

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        self._left = max_steps
        body = Body({}, [])
        self._tables.read(body, query.body)
        columns = [body.env[variable] for variable in query.variables]
        for predicate in self._demand.arity:
            self._tables.facts(predicate)
        with self._transaction(), self._counting(max_steps):
            for need in body.needs:
                if self._run(need.statement):
                    self._derive(need.into)
            if not columns:
                return [()] if self._base.execute(body.select(["0"], " LIMIT 1")).fetchone() else []
            return sorted(self._base.execute(body.select(columns)))

    def _derive(self, relation: Relation) -> None:
        """Answers for the values in nN, which have none yet."""
        number = relation.number
        self._run(f"INSERT INTO i{number} SELECT * FROM n{number}")
        for rule in relation.once:
            self._apply(rule)
        while relation.again:
            self._run(f"INSERT OR IGNORE INTO a{number} SELECT * FROM d{number}")
            found = [self._apply(rule) for rule in relation.again]
            self._run(f"DELETE FROM d{number}")
            if not any(found):
                break
            self._run(f"INSERT INTO d{number} SELECT * FROM x{number}")
            self._run(f"DELETE FROM x{number}")
        self._run(f"DELETE FROM n{number}")

    def _apply(self, rule: Derive) -> bool:
        """Something new was found."""
        for need in rule.needs:
            if self._run(need.statement):
                self._derive(need.into)
        return self._run(rule.statement)

    def _run(self, statement: str) -> bool:
        """Something was changed."""
        self._left -= 1
        if self._left < 0:
            raise sqlite3.OperationalError("interrupted")
        return self._base.execute(statement).rowcount > 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._base.execute("BEGIN")
        try:
            yield
        except BaseException:
            if self._base.in_transaction:  # a statement that is interrupted has rolled back already
                self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    @contextmanager
    def _counting(self, max_steps: int) -> Iterator[None]:
        """Raises BudgetExceeded when the steps are used up, KnowledgeError for a number that does not fit."""
        steps = max(1, min(LOOK // STEP, max_steps))
        self._wrong = ""

        def look() -> bool:
            self._left -= steps
            return self._left < 0

        self._base.set_progress_handler(look, steps * STEP)
        try:
            yield
        except sqlite3.OperationalError as error:
            if self._wrong or "overflow" in str(error):
                raise KnowledgeError(self._wrong or "a sum does not fit SQLite's integers of 64 bits") from None
            if self._left < 0:
                raise BudgetExceeded(f"no answer after {max_steps} steps of SQLite") from None
            raise
        finally:
            self._base.set_progress_handler(None, 0)

    def close(self) -> None:
        self._base.close()


def _holdable(value: int | str) -> None:
    if isinstance(value, int):
        fitting(value)
        return
    try:
        value.encode()
    except UnicodeEncodeError:
        raise KnowledgeError(f"SQLite cannot hold {value!r}: half a surrogate pair is no text") from None


def _insert(table: str, width: int) -> str:
    return f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * width)})"


def _delete(table: str, width: int) -> str:
    return f"DELETE FROM {table} WHERE {' AND '.join(f'c{i} = ?' for i in range(width))}"
