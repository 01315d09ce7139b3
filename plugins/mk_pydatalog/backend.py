"""The backend: the SKB's deltas and programs handed to one Engine.

May not know: the engine's insides (`engine.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mk_pydatalog.engine import Engine
from multikernel.knowledge.facts import Fact, Row
from multikernel.knowledge.ir import Program, Query


class PyDatalog:
    """See `multikernel.knowledge.backend.SkbBackend`.  A step is a task of the engine."""

    def __init__(self) -> None:
        self._engine = Engine()

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        self._engine.retract_facts([(fact.predicate, fact.values) for fact in removed])
        self._engine.assert_facts([(fact.predicate, fact.values) for fact in added])

    def set_rules(self, program: Program) -> None:
        for name, arity in program.predicates:
            self._engine.declare(name, arity)
        self._engine.replace_rules(program.rules)

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        return sorted(self._engine.ask(query.variables, query.body, max_steps))

    def close(self) -> None:
        self._engine = Engine()
