"""What a backend of the SKB implements: a cache of facts and rules that answers conjunctions.

The SKB owns the facts; a backend can be thrown away and rebuilt from `sync` and `set_rules` alone.
It sees only checked programs and queries, whose bodies are in an order that can be evaluated from
left to right.

May not know: any backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from multikernel.knowledge.facts import Fact, Row
from multikernel.knowledge.ir import Program, Query


class SkbBackend(Protocol):
    """One instance serves one SKB and shares nothing with another.  Calls may come from any thread,
    one at a time."""

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        """Facts that came and went since the last call.  `set_rules` has declared their predicates."""

    def set_rules(self, program: Program) -> None:
        """Replace the rules; the facts stay.  Every predicate of `program.predicates` is known from
        now on, whether or not it has facts or rules."""

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        """Every answer once, sorted; a row has one value for each of `query.variables`.  A query
        without variables has one empty row when it holds and none when not.

        A step is a unit of the backend's own work.  Raises BudgetExceeded after `max_steps` of them:
        it always returns, whatever the rules."""

    def close(self) -> None:
        """Give back what it holds.  Nothing is called after."""
