"""The backend: a question and what it needs of the rules, translated and grounded; joint placement, solved.

Checked rules are stratified, so grounding decides every atom and no search is left: an answer is a fact of
the ground program.  Nothing is kept between questions but the text of facts.

Invariants: an integer never reaches clingo's arithmetic (`values.py`); grounding stops when the budget is
used up, by the functions and the observer it calls.

May not know: how rules are translated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import clingo

from mk_clingo.placement import optimise
from mk_clingo.program import Fold, fold, translate
from mk_clingo.values import symbol_of, text_of, value_of
from multikernel.errors import BudgetExceeded, KnowledgeError, MultikernelError
from multikernel.knowledge.demand import Demand
from multikernel.knowledge.facts import Fact, Row, Value
from multikernel.knowledge.ir import Program, Query, Var
from multikernel.knowledge.optimise import Problem, Solution


class Clingo:
    """See `multikernel.knowledge.backend.SkbBackend` and `multikernel.knowledge.optimise.Optimiser`.  A step
    of a query is a rule instance, or a partial one; of a placement, a conflict."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[Row, str]] = {}
        self._demand = Demand(Program((), ()))

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        texts = [",".join(map(text_of, fact.values)) for fact in added]
        for fact in removed:
            self._facts.get(fact.predicate, {}).pop(fact.values, None)
        for fact, text in zip(added, texts, strict=True):
            self._facts.setdefault(fact.predicate, {})[fact.values] = f"({text})." if text else "."

    def set_rules(self, program: Program) -> None:
        self._demand = Demand(program)

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        program = translate(self._demand, query)
        control = clingo.Control(["--warn=none"])
        for predicate, name in program.facts.items():
            text = "".join(name + rest for rest in self._facts.get(predicate, {}).values())
            control.add("facts", [], text)
        control.ground([("facts", [])])
        steps = _Steps(max_steps)
        control.register_observer(steps)
        for level in range(max(program.stages, default=0) + 1):
            for each in program.folds:
                if each.level == level:
                    _fold(control, each)
            if level in program.stages:
                control.add(f"stage{level}", [], "\n".join(program.stages[level]))
                with steps.telling():
                    control.ground([(f"stage{level}", [])], context=steps)
        return sorted(_rows(control, "q", len(query.variables)))

    def optimise(self, problem: Problem, max_steps: int) -> Solution | None:
        return optimise(problem, max_steps)

    def close(self) -> None:
        self._facts.clear()


class _Steps(clingo.Observer):
    """What grounding calls: the functions of the program, and one for each rule instance."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._error: MultikernelError | None = None

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Within, clingo calls.  What a function raised is raised, not what clingo makes of it."""
        try:
            yield
        except MultikernelError:
            if self._error is None:
                raise
            raise self._error from None

    def step(self, *_: clingo.Symbol) -> clingo.Symbol:
        """Counts."""
        self._left -= 1
        if self._left < 0:
            self._error = BudgetExceeded(f"no answer after {self._most} steps of clingo")
            raise self._error
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
        try:
            return symbol_of(value)
        except KnowledgeError as error:
            self._error = error
            raise


_ZERO = clingo.Number(0)


def _number(symbol: clingo.Symbol) -> int:
    value = value_of(symbol)
    return value if isinstance(value, int) else 0


def _rows(control: clingo.Control, name: str, arity: int) -> list[Row]:
    return [tuple(map(value_of, atom.symbol.arguments)) for atom in control.symbolic_atoms.by_signature(name, arity)]


def _fold(control: clingo.Control, what: Fold) -> None:
    """Add the results of an aggregate as facts."""
    names = what.aggregate.variables
    groups: dict[Row, list[dict[Var, Value]]] = {}
    for row in _rows(control, what.rows, what.keys + len(names)):
        groups.setdefault(row[: what.keys], []).append(dict(zip(names, row[what.keys :], strict=True)))
    with control.backend() as backend:
        for key, rows in groups.items():
            terms = [symbol_of(value) for value in (*key, fold(what.aggregate, rows))]
            backend.add_rule([backend.add_atom(clingo.Function(what.into, terms))])
