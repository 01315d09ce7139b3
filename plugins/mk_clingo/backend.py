"""The backend: a question and what it needs of the rules, translated and grounded; joint placement, solved.

Checked rules are stratified, so grounding decides every atom and no search is left: an answer is a fact of
the ground program.  Nothing is kept between questions but the text of facts.

Invariants: an integer never reaches clingo's arithmetic (`values.py`); grounding stops when the budget is
used up, by the functions and the observer it calls.

May not know: how rules are translated.
"""

from __future__ import annotations

from collections.abc import Sequence

import clingo

from mk_clingo.placement import optimise
from mk_clingo.program import Fold, fact_name, fold, translate
from mk_clingo.values import NARROW, WIDE, Terms, TooNarrow, value_of
from multikernel.errors import BudgetExceeded
from multikernel.knowledge.demand import Demand
from multikernel.knowledge.facts import Fact, Row, Value
from multikernel.knowledge.ir import Program, Query, Var
from multikernel.knowledge.optimise import Problem, Solution


class Clingo:
    """See `multikernel.knowledge.backend.SkbBackend` and `multikernel.knowledge.optimise.Optimiser`.  A step
    of a query is a rule instance, a partial one or an operation; of a placement, a conflict."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[Row, None]] = {}
        self._texts: dict[tuple[str, Terms], str] = {}
        self._demand = Demand(Program((), ()))

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        for fact in removed:
            self._facts.get(fact.predicate, {}).pop(fact.values, None)
        for fact in added:
            self._facts.setdefault(fact.predicate, {})[fact.values] = None
        for fact in (*added, *removed):
            for terms in (NARROW, WIDE):
                self._texts.pop((fact.predicate, terms), None)

    def set_rules(self, program: Program) -> None:
        self._demand = Demand(program)

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        try:
            return self._ask(query, NARROW, max_steps)
        except TooNarrow:
            return self._ask(query, WIDE, max_steps)

    def _ask(self, query: Query, terms: Terms, max_steps: int) -> list[Row]:
        program = translate(self._demand, query, terms)
        ground = _Ground(terms)
        ground.add("facts", [self._text(predicate, terms) for predicate in program.facts])
        ground.steps.allow(max_steps)
        for level in range(max(program.stages, default=0) + 1):
            for each in program.folds:
                if each.level == level:
                    ground.fold(each)
            ground.add(f"stage{level}", program.stages.get(level, ()))
        return sorted(ground.rows("q", len(query.variables)))

    def _text(self, predicate: str, terms: Terms) -> str:
        """The facts of a predicate."""
        if (predicate, terms) not in self._texts:
            name, rows = fact_name(predicate), self._facts.get(predicate, {})
            facts = (f"{name}({','.join(map(terms.text, row))})." if row else f"{name}." for row in rows)
            self._texts[predicate, terms] = "\n".join(facts)
        return self._texts[predicate, terms]

    def optimise(self, problem: Problem, max_steps: int) -> Solution | None:
        return optimise(problem, max_steps)

    def close(self) -> None:
        self._facts.clear()
        self._texts.clear()


class _Ground:
    """The ground program of one question.  (One for several would be slower: clingo looks through all that
    is there each time.)"""

    def __init__(self, terms: Terms) -> None:
        self._terms, self.steps = terms, _Steps(terms)
        self._control = clingo.Control(["--warn=none"])
        self._control.register_observer(self.steps)

    def add(self, part: str, rules: Sequence[str]) -> None:
        """Ground some more.  Raises TooNarrow, BudgetExceeded."""
        self._control.add(part, [], "\n".join(rules))
        try:
            self._control.ground([(part, [])], context=self.steps)
        except (TooNarrow, BudgetExceeded):  # clingo raises it anew, and spoils it
            raise self.steps.raised from None

    def rows(self, name: str, arity: int) -> list[Row]:
        """The atoms of a predicate."""
        atoms = self._control.symbolic_atoms.by_signature(name, arity)
        return [tuple(map(value_of, atom.symbol.arguments)) for atom in atoms]

    def fold(self, what: Fold) -> None:
        """Add the results of an aggregate as facts."""
        names = what.aggregate.variables
        groups: dict[Row, list[dict[Var, Value]]] = {}
        for row in self.rows(what.rows, what.keys + len(names)):
            groups.setdefault(row[: what.keys], []).append(dict(zip(names, row[what.keys :], strict=True)))
        with self._control.backend() as backend:
            for key, rows in groups.items():
                terms = [self._terms.symbol(value) for value in (*key, fold(what.aggregate, rows))]
                backend.add_rule([backend.add_atom(clingo.Function(what.into, terms))])


class _Steps(clingo.Observer):
    """What grounding calls: the functions of the program, and one for each rule instance."""

    def __init__(self, terms: Terms) -> None:
        self.raised: TooNarrow | BudgetExceeded = TooNarrow()
        self._terms = terms
        self._most: int | None = None
        self._left = 0

    def allow(self, most: int) -> None:
        """So many steps from now on; before, any number."""
        self._most, self._left = most, most

    def step(self, *_: clingo.Symbol) -> clingo.Symbol:
        """Counts."""
        self._left -= 1
        if self._left < 0 and self._most is not None:
            self.raised = BudgetExceeded(f"no answer after {self._most} steps of clingo")
            raise self.raised
        return _ZERO

    def rule(self, choice: bool, head: Sequence[int], body: Sequence[int]) -> None:
        self.step()

    def add(self, a: clingo.Symbol, b: clingo.Symbol) -> clingo.Symbol:
        return self._made(_number(a) + _number(b))

    def sub(self, a: clingo.Symbol, b: clingo.Symbol) -> clingo.Symbol:
        return self._made(_number(a) - _number(b))

    def mul(self, a: clingo.Symbol, b: clingo.Symbol) -> clingo.Symbol:
        return self._made(_number(a) * _number(b))

    def _made(self, value: int) -> clingo.Symbol:
        self.step()
        self.raised = TooNarrow()
        return self._terms.symbol(value)


_ZERO = clingo.Number(0)


def _number(symbol: clingo.Symbol) -> int:
    value = value_of(symbol)
    return value if isinstance(value, int) else 0
