"""Rule text: what is refused and how, and what text means."""

from __future__ import annotations

import pytest

import mk_pydatalog
from multikernel.errors import KnowledgeError
from multikernel.knowledge.facts import Row, Source, predicate
from multikernel.knowledge.rules import parse_condition, parse_rules
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry
from tests.knowledge.bad_rules import BAD

SOURCE = Source("asserted", "test")


def family() -> Skb:
    skb = Skb(Registry.of(mk_pydatalog).skb_backends.get("pydatalog").factory())
    skb.declare(predicate("edge(a: int, b: int)"), predicate("name(a: int, name: str)"))
    for a, b in ((0, 1), (1, 2), (2, 0), (3, 4)):
        skb.assert_fact("edge", (a, b), SOURCE)
    skb.assert_fact("name", (0, "zero"), SOURCE)
    skb.assert_fact("name", (3, 'a "quoted" \\ name'), SOURCE)
    return skb


@pytest.mark.parametrize("name", BAD)
def test_bad_text_is_refused_with_its_place(name: str) -> None:
    text, expected = BAD[name]
    skb = family()
    with pytest.raises(KnowledgeError) as refused:
        skb.add_rules(text, "bad.dl")
    told = [str(diagnostic) for diagnostic in refused.value.diagnostics]
    if expected is None:
        assert len(told) == 1
        assert told[0].startswith("bad.dl:1:")
    else:
        assert told == expected
    assert not skb.program.rules, "nothing of a refused text is kept"


MEANT: dict[str, tuple[str, str, list[Row]]] = {
    "join": ("p(X, Z) <= edge(X, Y) & edge(Y, Z)", "p(X, Z)", [(0, 2), (1, 0), (2, 1)]),
    "recursion": (
        "r(X, Y) <= edge(X, Y)\nr(X, Y) <= r(X, Z) & edge(Z, Y)",
        "r(0, Y)",
        [(0,), (1,), (2,)],
    ),
    "negation before what binds it": ("p(X) <= ~edge(X, X) & ~edge(2, X) & edge(X, _)", "p(X)", [(1,), (2,), (3,)]),
    "arithmetic": ("p(S) <= (S == X * 10 + Y - 1) & edge(X, Y)", "p(S)", [(0,), (11,), (19,), (33,)]),
    "comparison of strings": ('p(N) <= name(_, N) & (N < "b")', "p(N)", [('a "quoted" \\ name',)]),
    "repeated variable": ("p(X, X) <= edge(X, _)", "p(1, Y)", [(1,)]),
    "constants": ("p(X) <= edge(X, 1)\np(7) <= edge(3, 4)", "p(X)", [(0,), (7,)]),
    "minimum by another column": (
        "(p[X] == min_(Z, order_by=(-Y, Z))) <= edge(X, Y) & edge(Y, Z)",
        "(p[X] == Z)",
        [(0, 2), (1, 0), (2, 1)],
    ),
    "length": ("(p[X] == len_(Y)) <= r(X, Y)\nr(1, Y) <= edge(_, Y)", "p(1, N)", [(4,)]),
    "sum": ("(p[X] == sum_(C, for_each=Y)) <= edge(_, Y) & edge(X, _) & (C == 1)", "p(0, S)", [(4,)]),
    "no rows, no aggregate": ("(p[X] == len_(Y)) <= edge(X, Y) & (X > 9)", "p(X, N)", []),
    "ground goal that holds": ("p(X) <= edge(X, _)", "p(0)", [()]),
    "ground goal that does not": ("p(X) <= edge(X, _)", "p(9)", []),
    "goal with a comparison": ("p(X) <= edge(X, _)", "p(X) & (X >= 2)", [(2,), (3,)]),
    "anonymous variables are not asked for": ("p(X) <= edge(X, _)", "edge(X, _) & p(X)", [(0,), (1,), (2,), (3,)]),
}


@pytest.mark.parametrize("name", MEANT)
def test_what_text_means(name: str) -> None:
    text, goal, rows = MEANT[name]
    skb = family()
    skb.add_rules(text, "good.dl")
    assert list(skb.query(goal).rows) == rows


def test_a_mistake_comes_with_its_line() -> None:
    with pytest.raises(KnowledgeError) as refused:
        family().add_rules("p(X) <= edge(X, _)\nq(X) <= egde(X, _)", "bad.dl", line=5)
    (diagnostic,) = refused.value.diagnostics
    assert (diagnostic.line, diagnostic.column, diagnostic.source) == (6, 9, "q(X) <= egde(X, _)")


def test_a_rule_knows_where_it_stands() -> None:
    (rule,) = parse_rules("# a comment\n\np(X) <= (q(X) &\n         r(X))\n", "some.dl", line=10)
    assert (rule.where.line, rule.where.column) == (12, 1)
    assert [literal.where.line for literal in rule.body] == [12, 13]
    assert rule.text == "p(X) <= (q(X) &\n         r(X))"


def test_a_condition_keeps_its_columns() -> None:
    first, second = parse_condition("p(X) & q(X)", "plugin.py", line=7)
    assert (first.where.line, first.where.column) == (7, 1)
    assert (second.where.line, second.where.column) == (7, 8)
    assert parse_condition("  ", "plugin.py") == ()


@pytest.mark.parametrize("goal", ["edge(0, X)\nedge(1, X)", "edge(0, X))\n(edge(1, X)", "edge(0, X", "import os"])
def test_a_goal_is_one_conjunction(goal: str) -> None:
    with pytest.raises(KnowledgeError, match=r"^<goal>:[12]:"):
        family().query(goal)
