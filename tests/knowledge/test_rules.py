"""Rule text: what is refused and how, and what text means."""

from __future__ import annotations

import pytest

import mk_pydatalog
from multikernel.errors import KnowledgeError
from multikernel.knowledge.facts import Source, predicate
from multikernel.knowledge.rules import parse_condition, parse_rules
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry
from multikernel.testing.backends import FAMILY
from tests.knowledge.bad_rules import BAD

SOURCE = Source("asserted", "test")


def family() -> Skb:
    skb = Skb(Registry.of(mk_pydatalog).skb_backends.get("pydatalog").factory())
    skb.declare(predicate("edge(a: int, b: int)"), predicate("name(a: int, name: str)"))
    for name, values in FAMILY:
        skb.assert_fact(name, values, SOURCE)
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
