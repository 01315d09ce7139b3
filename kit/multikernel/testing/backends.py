"""What every backend of the SKB must do, as a test class to subclass.

    from multikernel.testing.backends import SkbBackendConformance

    class TestMine(SkbBackendConformance):
        factory = Mine                          # Callable[[], SkbBackend]
        least, most = -(2**63), 2**63 - 1       # the integers it promises to hold, if not all

Random programs, and programs with their answers written down, are asked of it and of a naive evaluator
(`testing/naive.py`); facts and rules come and go in between.  An integer that the backend does not promise
to hold may be refused with KnowledgeError, and is never held as another.  A backend that is an `Optimiser`
has its placements compared with all there are.

Needs pytest and hypothesis.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from multikernel.errors import BudgetExceeded, KnowledgeError
from multikernel.knowledge.backend import SkbBackend
from multikernel.knowledge.facts import Fact, Row, Source, predicate
from multikernel.knowledge.optimise import Optimiser, Problem, cost_of, feasible
from multikernel.knowledge.skb import Skb
from multikernel.testing.naive import Naive
from multikernel.testing.programs import PREDICATES, Made, programs

SOURCE = Source("asserted", "test")
# The same inherited tests run for each subclass; that is the purpose.
_settings = settings(deadline=None, derandomize=True, suppress_health_check=[*HealthCheck], report_multiple_bugs=False)

EDGES = "edge(a: int, b: int)", "name(a: int, name: str)"
FAMILY: tuple[tuple[str, Row], ...] = (
    *(("edge", pair) for pair in ((0, 1), (1, 2), (2, 0), (3, 4))),
    ("name", (0, "zero")),
    ("name", (3, 'a "quoted" \\ name')),
)
"""The facts of MEANT."""
MEANT: dict[str, tuple[str, str, list[Row]]] = {
    "join": ("p(X, Z) <= edge(X, Y) & edge(Y, Z)", "p(X, Z)", [(0, 2), (1, 0), (2, 1)]),
    "recursion": (
        "r(X, Y) <= edge(X, Y)\nr(X, Y) <= r(X, Z) & edge(Z, Y)",
        "r(0, Y)",
        [(0,), (1,), (2,)],
    ),
    "recursion, asked for its end": (
        "r(X, Y) <= edge(X, Y)\nr(X, Y) <= r(X, Z) & edge(Z, Y)",
        "r(X, 4)",
        [(3,)],
    ),
    "recursion with the ends exchanged": (
        "r(X, Y) <= edge(X, Y)\nr(X, Y) <= r(Y, X) & edge(X, _)",
        "r(X, Y)",
        [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (3, 4)],
    ),
    "negation before what binds it": ("p(X) <= ~edge(X, X) & ~edge(2, X) & edge(X, _)", "p(X)", [(1,), (2,), (3,)]),
    "negation of what is derived": (
        "p(X, Y) <= edge(X, _) & edge(Y, _) & ~q(X, Y)\nq(X, Y) <= edge(X, Z) & edge(Z, Y) & ~edge(Y, X)",
        "p(0, Y)",
        [(0,), (1,), (2,), (3,)],
    ),
    "negation that what is asked for hangs on": (
        "w(X, Z) <= t(X, Y) & ~v(Y) & t(Y, Z)\nv(X) <= t(X, 0)\nt(X, Y) <= edge(X, Y) & (X != 3)",
        "w(0, Z)",
        [(2,)],
    ),
    "arithmetic": ("p(S) <= (S == X * 10 + Y - 1) & edge(X, Y)", "p(S)", [(0,), (11,), (19,), (33,)]),
    "comparison of strings": ('p(N) <= name(_, N) & (N < "b")', "p(N)", [('a "quoted" \\ name',)]),
    "repeated variable": ("p(X, X) <= edge(X, _)", "p(1, Y)", [(1,)]),
    "repeated variable in the goal": ("p(X, Y) <= edge(X, _) & edge(_, Y)", "p(X, X)", [(0,), (1,), (2,)]),
    "constants": ("p(X) <= edge(X, 1)\np(7) <= edge(3, 4)", "p(X)", [(0,), (7,)]),
    "minimum by another column": (
        "(p[X] == min_(Z, order_by=(-Y, Z))) <= edge(X, Y) & edge(Y, Z)",
        "(p[X] == Z)",
        [(0, 2), (1, 0), (2, 1)],
    ),
    "an aggregate asked for its result": ("(p[X] == len_(Y)) <= edge(X, Y)", "p(X, 1)", [(0,), (1,), (2,), (3,)]),
    "an aggregate of an aggregate": (
        "(p[X] == max_(Y, order_by=Y)) <= edge(X, Y)\n(q[Z] == sum_(Y, for_each=X)) <= p(X, Y) & (Z == 1)",
        "q(1, S)",
        [(7,)],
    ),
    "length": ("(p[X] == len_(Y)) <= r(X, Y)\nr(1, Y) <= edge(_, Y)", "p(1, N)", [(4,)]),
    "sum": ("(p[X] == sum_(C, for_each=Y)) <= edge(_, Y) & edge(X, _) & (C == 1)", "p(0, S)", [(4,)]),
    "no rows, no aggregate": ("(p[X] == len_(Y)) <= edge(X, Y) & (X > 9)", "p(X, N)", []),
    "ground goal that holds": ("p(X) <= edge(X, _)", "p(0)", [()]),
    "ground goal that does not": ("p(X) <= edge(X, _)", "p(9)", []),
    "goal with a comparison": ("p(X) <= edge(X, _)", "p(X) & (X >= 2)", [(2,), (3,)]),
    "goal with a negation": ("p(X) <= edge(X, _)", "p(X) & ~edge(X, 1)", [(1,), (2,), (3,)]),
    "anonymous variables are not asked for": ("p(X) <= edge(X, _)", "edge(X, _) & p(X)", [(0,), (1,), (2,), (3,)]),
}
"""Rules, a goal and its answers."""

LONG = {
    "a product": ("p(A, B, C, D) <= u(A) & u(B) & u(C) & u(D)", "p(A, B, C, D)"),
    "a product of three that has no answers": ("p(A) <= u(A) & u(B) & u(C) & (A + B + C < 0)", "p(A)"),
    "a product of four that has no answers": ("p(A) <= u(A) & u(B) & u(C) & u(D) & (A + B + C + D < 0)", "p(A)"),
    "a product behind a negation": (
        "p(A) <= u(A) & ~q(A)\nq(A) <= u(A) & u(B) & u(C) & u(D) & (B + C + D < A)",
        "p(A)",
    ),
    "a product that is counted": ("(p[A] == len_(D)) <= u(A) & u(B) & u(C) & u(D) & (B + C > D)", "p(A, N)"),
    "recursion": ("p(A, B) <= u(A) & (B == A + 1)\np(A, B) <= p(A, C) & u(C) & u(B)", "p(A, B)"),
}
"""What takes long over 200 facts u."""

NUMBERS = (
    *(0, 1, -1, 2**30, 2**31 - 1, 2**31, -(2**31), 2**32, 2**32 + 1, 2**36),
    *(2**62, 2**63 - 1, 2**63, -(2**63), 2**64),
)
TEXTS = (
    *("", " ", "a", "B", "b", "'", '"', "\\", "\\n", "\n", "\t", "\r", "%", "a'b--", "{}"),
    *("ä", "\uffff", "\U0001f600", "1", "\x7f"),
)


class SkbBackendConformance:
    """See the module."""

    factory: ClassVar[Callable[[], SkbBackend]]
    least: ClassVar[int | None] = None
    most: ClassVar[int | None] = None

    def skb(self, *signatures: str) -> Skb:
        """An SKB over the backend."""
        skb = Skb(type(self).factory())
        skb.declare(*map(predicate, signatures))
        return skb

    def held(self, number: int) -> bool:
        """The backend promises to hold it."""
        return (self.least is None or self.least <= number) and (self.most is None or number <= self.most)

    @contextmanager
    def refusing(self, *numbers: int) -> Iterator[None]:
        """Within, the backend may refuse if it does not promise to hold all of them."""
        try:
            yield
        except KnowledgeError:
            if all(map(self.held, numbers)):
                raise

    # Answers

    @_settings
    @given(program=programs())
    def test_answers_are_those_of_a_naive_evaluator(self, program: Made) -> None:
        naive, tested = Skb(Naive()), Skb(type(self).factory())
        try:
            for skb in (naive, tested):
                _tell(skb, program)
        except KnowledgeError:
            assume(False)
        self.compare(program, naive, tested)
        name, values = program.facts[0] if program.facts else ("u", (0,))
        for skb in (naive, tested):
            skb.retract(name, values)
            skb.assert_fact("e", (4, 0), SOURCE)
        self.compare(program, naive, tested)
        for skb in (naive, tested):
            skb.assert_fact(name, values, SOURCE)
            skb.add_rules("last(X) <= e(X, _) & ~u(X)", "last.dl")
        self.compare(program, naive, tested)

    def compare(self, program: Made, naive: Skb, tested: Skb) -> None:
        """Every goal.  A backend that does not hold all integers may refuse."""
        for goal in (*program.goals, *(["last(X)"] if "last" in dict(tested.program.predicates) else [])):
            expected = naive.query(goal)
            try:
                assert tested.query(goal) == expected, goal
            except KnowledgeError:
                assert self.least is not None or self.most is not None

    @pytest.mark.parametrize("name", MEANT)
    def test_what_rules_mean(self, name: str) -> None:
        text, goal, rows = MEANT[name]
        skb = self.skb(*EDGES)
        for fact, values in FAMILY:
            skb.assert_fact(fact, values, SOURCE)
        skb.add_rules(text, "meant.dl")
        assert list(skb.query(goal).rows) == rows

    # Facts and rules that come and go

    @_settings
    @given(
        turns=st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3)), max_size=6), max_size=6)
    )
    def test_what_is_removed_is_gone(self, turns: list[list[tuple[bool, int, int]]]) -> None:
        """The backend is given each turn's changes at once, and answers as a new one does."""
        skb = self.skb("e(a: int, b: int)")
        skb.add_rules("r(A, B) <= e(A, B)\nr(A, B) <= r(A, C) & e(C, B)\nalone(A) <= e(A, _) & ~r(A, A)", "r.dl")
        there: set[Row] = set()
        for turn in turns:
            for comes, a, b in turn:
                if comes:
                    skb.assert_fact("e", (a, b), SOURCE)
                    there.add((a, b))
                else:
                    skb.retract("e", (a, b))
                    there.discard((a, b))
            assert set(skb.query("e(A, B)").rows) == there
            naive = Skb(Naive())
            naive.declare(predicate("e(a: int, b: int)"))
            naive.add_parsed(skb.program.rules)
            for row in there:
                naive.assert_fact("e", row, SOURCE)
            for goal in ("r(A, B)", "r(0, B)", "alone(A)"):
                assert skb.query(goal) == naive.query(goal)

    def test_removed_and_added_at_once_is_there(self) -> None:
        backend = type(self).factory()
        skb = Skb(backend)
        skb.declare(predicate("u(a: int)"))
        assert not skb.query("u(1)")
        backend.sync([Fact("u", (1,), SOURCE, 1)], [])
        backend.sync([Fact("u", (1,), SOURCE, 3)], [Fact("u", (1,), SOURCE, 1)])
        assert skb.query("u(X)").rows == ((1,),)

    def test_rules_are_replaced_and_facts_stay(self) -> None:
        skb = self.skb("u(a: int)")
        skb.assert_fact("u", (1,), SOURCE)
        skb.add_rules("p(X) <= u(X)", "one.dl")
        assert skb.query("p(X)").rows == ((1,),)
        skb.add_rules("p(Y) <= u(X) & (Y == X + 1)", "two.dl")
        assert skb.query("p(X)").rows == ((1,), (2,))
        skb.declare(predicate("w(a: int)"))
        skb.assert_fact("w", (5,), SOURCE)
        assert skb.query("w(X) & p(2)").rows == ((5,),)

    def test_two_backends_share_nothing(self) -> None:
        one, other = self.skb("u(a: int)"), self.skb("u(a: int)")
        one.assert_fact("u", (1,), SOURCE)
        other.assert_fact("u", (2,), SOURCE)
        one.add_rules("p(X) <= u(X)", "one.dl")
        other.add_rules("p(X) <= u(Y) & (X == Y * 10)", "other.dl")
        assert (one.query("p(X)").rows, other.query("p(X)").rows) == (((1,),), ((20,),))

    def test_any_thread_may_ask(self) -> None:
        skb = self.skb("u(a: int)")
        skb.assert_fact("u", (1,), SOURCE)
        skb.query("u(X)")
        got: list[tuple[Row, ...]] = []

        def ask() -> None:
            skb.assert_fact("u", (2,), SOURCE)
            got.append(skb.query("u(X)").rows)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        skb.close()
        assert got == [((1,), (2,))]

    # Values

    def test_numbers_are_held_as_they_are_or_refused(self) -> None:
        for number in NUMBERS:
            skb = self.skb("u(a: int)")
            skb.assert_fact("u", (number,), SOURCE)
            skb.assert_fact("u", (5,), SOURCE)
            skb.add_rules("less(X, Y) <= u(X) & u(Y) & (X < Y)", "less.dl")
            with self.refusing(number):
                assert skb.query("u(X)").rows == tuple((each,) for each in sorted({5, number}))
                assert skb.query(f"u({number})").rows == ((),)
                assert skb.query("less(X, Y)").rows == (tuple(sorted({5, number})),)
            with self.refusing(number, number + 1):
                assert not skb.query(f"u({number + 1})")

    @pytest.mark.parametrize("operator", ["+", "-", "*"])
    def test_arithmetic_is_exact_or_refused(self, operator: str) -> None:
        for a, b in product(NUMBERS, NUMBERS):
            exact = {"+": a + b, "-": a - b, "*": a * b}[operator]
            skb = self.skb("pair(a: int, b: int)")
            skb.assert_fact("pair", (a, b), SOURCE)
            skb.add_rules(f"made(C) <= pair(A, B) & (C == A {operator} B)", "made.dl")
            with self.refusing(a, b, exact):
                assert skb.query("made(X)").rows == ((exact,),)
                assert skb.query(f"pair(A, B) & (A {operator} B > 0)").rows == (((a, b),) if exact > 0 else ())

    def test_sums_are_exact_or_refused(self) -> None:
        for a, b in product(NUMBERS, NUMBERS):
            skb = self.skb("amount(of: int, a: int)")
            skb.assert_fact("amount", (0, a), SOURCE)
            skb.assert_fact("amount", (1, b), SOURCE)
            skb.add_rules("(made[K] == sum_(A, for_each=I)) <= amount(I, A) & (K == 0)", "made.dl")
            with self.refusing(a, b, a + b):
                assert skb.query("made(0, X)").rows == ((a + b,),)

    def test_texts_are_held_as_they_are(self) -> None:
        skb = self.skb("t(text: str, place: int)")
        for place, text in enumerate(TEXTS):
            skb.assert_fact("t", (text, place), SOURCE)
        skb.add_rules("less(A, B) <= t(A, _) & t(B, _) & (A < B)", "less.dl")
        skb.add_rules("(first[K] == min_(T, order_by=T)) <= t(T, _) & (K == 0)", "first.dl")
        assert [row[0] for row in skb.query("t(T, _)").rows] == sorted(TEXTS)
        assert skb.query("less(A, B)").rows == tuple(sorted((a, b) for a in TEXTS for b in TEXTS if a < b))
        assert skb.query("first(0, T)").rows == ((min(TEXTS),),)
        for place, text in enumerate(TEXTS):
            skb.retract("t", (text, place))
            assert len(skb.query("t(T, _)").rows) == len(TEXTS) - place - 1

    @pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"], ids=["nul", "nul within", "half a surrogate pair"])
    def test_text_that_is_none_is_held_or_refused(self, text: str) -> None:
        skb = self.skb("t(text: str)")
        skb.assert_fact("t", ("a",), SOURCE)
        skb.assert_fact("t", (text,), SOURCE)
        try:
            assert skb.query("t(T)").rows == tuple(sorted([("a",), (text,)]))
        except KnowledgeError as error:
            if repr(text) not in str(error):
                raise
            skb.retract("t", (text,))
            assert skb.query("t(T)").rows == (("a",),)

    # Budget

    @pytest.mark.parametrize("name", LONG)
    def test_a_query_ends_within_its_budget(self, name: str) -> None:
        """And the backend answers afterwards as if it had not been asked."""
        text, goal = LONG[name]
        skb = self.skb("u(a: int)")
        for number in range(200):
            skb.assert_fact("u", (number,), SOURCE)
        skb.add_rules(f"{text}\nsmall(X) <= u(X) & (X < 3)", "long.dl")
        assert len(skb.query("small(X)").rows) == 3
        before = time.process_time()
        with pytest.raises(BudgetExceeded, match="20000 steps"):
            skb.query(goal, budget=20_000)
        assert time.process_time() - before < 10, "seconds for 20,000 steps"
        with pytest.raises(BudgetExceeded):
            skb.query(goal, budget=20_000)
        assert skb.query("small(X) & u(Y) & (Y == X + 1)", budget=20_000).rows == ((0, 1), (1, 2), (2, 3))
        skb.retract("u", (1,))
        assert skb.query("small(X)").rows == ((0,), (2,))

    def test_a_budget_that_suffices_is_not_exceeded_by_asking_often(self) -> None:
        skb = self.skb("u(a: int)")
        for number in range(20):
            skb.assert_fact("u", (number,), SOURCE)
        skb.add_rules("p(A, B) <= u(A) & u(B) & (A < B)", "p.dl")
        for number in range(30):
            assert (
                len(skb.query(f"p(A, B) & (B < {number})", budget=20_000).rows)
                == min(number, 20) * (min(number, 20) - 1) // 2
            )

    # Placement

    @_settings
    @given(problem=st.deferred(lambda: problems()))
    def test_placements_are_the_best_there_are(self, problem: Problem) -> None:
        backend = type(self).factory()
        if not isinstance(backend, Optimiser):
            return
        best = exhaustive(problem)
        found = backend.optimise(problem, 1_000_000)
        if best is None:
            assert found is None
        else:
            assert found is not None
            assert found.optimal
            assert found.targets == best


def problems() -> st.SearchStrategy[Problem]:
    """Placements of at most five items, some of them impossible."""

    @st.composite
    def make(draw: st.DrawFn) -> Problem:
        items, targets = draw(st.integers(1, 5)), draw(st.integers(1, 5))
        cost = st.one_of(st.integers(-3, 5), st.integers(0, 10**6), st.just(2**40))
        choices = [
            tuple(sorted((draw(cost), target) for target in range(targets) if draw(st.integers(0, 4))))
            for _ in range(items)
        ]
        capacity = tuple(draw(st.integers(1, items)) for _ in range(targets))
        apart = tuple((a, b) for a in range(items) for b in range(a + 1, items) if draw(st.integers(0, 3)) == 0)
        return Problem(tuple(choices), capacity, apart)

    return make()


def exhaustive(problem: Problem) -> tuple[int, ...] | None:
    """The best placement of all, tie-break included."""
    every = product(*([target for _, target in row] for row in problem.choices))
    possible = [targets for targets in every if feasible(problem, targets)]
    return min(possible, key=lambda targets: (cost_of(problem, targets), targets), default=None)


def _tell(skb: Skb, program: Made) -> None:
    skb.declare(*PREDICATES)
    skb.add_rules("\n".join(program.rules), "made.dl")
    for name, values in program.facts:
        skb.assert_fact(name, values, SOURCE)
