"""The SKB as a whole: determinism, why and why not."""

from __future__ import annotations

import random

import pytest

import mk_pydatalog
from multikernel.errors import KnowledgeError
from multikernel.knowledge.facts import Source, predicate
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry

RULES = """
same(A, A) <= core(A)
together(A, B) <= island(A, I) & island(B, I)
apart(A, B) <= core(A) & core(B) & ~together(A, B)
reach(A, B) <= link(A, B)
reach(A, B) <= reach(A, C) & link(C, B)
can(T, A, B) <= rank(T, R) & (R < 20) & together(A, B)
can("wire", A, B) <= rank("wire", _) & apart(A, B)
(best[A, B] == min_(T, order_by=(R, T))) <= can(T, A, B) & rank(T, R)
"""
FACTS = [
    *(("core", (core,)) for core in range(5)),
    *(("island", (core, core // 2)) for core in range(4)),
    *(("link", (core, (core + 1) % 3)) for core in range(3)),
    ("rank", ("ring", 10)),
    ("rank", ("mail", 10)),
    ("rank", ("slow", 30)),
    ("rank", ("wire", 50)),
]


def known(order: int = 0) -> Skb:
    skb = Skb(Registry.of(mk_pydatalog).skb_backends.get("pydatalog").factory())
    skb.declare(predicate("core(core: int)"), predicate("island(core: int, island: int)"))
    skb.declare(predicate("link(a: int, b: int)"), predicate("rank(name: str, rank: int)"))
    facts = list(FACTS)
    rules = RULES.strip().splitlines()
    if order:
        random.Random(order).shuffle(facts)
        random.Random(order).shuffle(rules)
    for line, (name, values) in enumerate(facts, 1):
        skb.assert_fact(name, values, Source("asserted", f"facts:{line}"))
    skb.add_rules("\n".join(rules), "rules.dl")
    return skb


def test_answers_do_not_depend_on_the_order_of_facts_or_rules() -> None:
    goals = ["together(A, B)", "apart(A, B)", "reach(A, B)", "can(T, A, B)", "best(A, B, T)"]
    expected = [known().query(goal) for goal in goals]
    assert all(expected)
    for order in range(1, 5):
        assert [known(order).query(goal) for goal in goals] == expected


def test_ties_go_to_the_name_that_sorts_first() -> None:
    assert known().query("(best[0, 1] == T)").rows == (("mail",),)


def test_an_answer_changes_with_its_facts() -> None:
    skb = known()
    assert skb.query("best(0, 2, T)").rows == (("wire",),)
    skb.assert_fact("island", (2, 0), Source("discovered", "probe"))
    assert skb.query("best(0, 2, T)").rows == (("mail",),)
    skb.retract("rank", ("mail", 10))
    assert skb.query("best(0, 2, T)").rows == (("ring",),)


def test_rules_can_be_added_later() -> None:
    skb = known()
    skb.query("core(X)")
    skb.add_rules("odd(A) <= core(A) & (A != 0) & (A != 2) & (A != 4)", "more.dl")
    assert skb.query("odd(A)").rows == ((1,), (3,))


def test_a_proof_leads_to_facts_with_their_sources() -> None:
    proof = known().explain("best", 0, 1, "mail")
    assert proof is not None
    assert [str(rule.where) for rule in proof.rules()] == ["rules.dl:8", "rules.dl:6", "rules.dl:2"]
    assert proof.rows == 2, "chosen from two"
    assert [str(fact) for fact in proof.facts()] == ['rank("mail", 10)', "island(0, 0)", "island(1, 0)"]
    assert {fact.source.where for fact in proof.facts()} == {"facts:14", "facts:6", "facts:7"}
    (can, _) = sorted(proof.premises, key=lambda premise: premise.atom)
    assert can.conditions == ("(10 < 20)",)


def test_a_proof_on_a_cycle_is_not_circular() -> None:
    proof = known().explain("reach", 0, 0)
    assert proof is not None
    assert [str(fact) for fact in proof.facts()] == ["link(0, 1)", "link(1, 2)", "link(2, 0)"]


def test_what_does_not_hold_has_no_proof_and_what_holds_no_excuse() -> None:
    skb = known()
    assert skb.explain("best", 0, 1, "ring") is None
    assert skb.explain("core", 9) is None
    assert skb.why_not("best", 0, 1, "mail") == ()
    assert skb.why_not("core", 0) == ()


@pytest.mark.parametrize(
    ("atom", "told", "facts"),
    [
        (("together", 0, 2), "island(2, 0)", ["island(0, 0)", "island(2, 1)"]),
        (("together", 0, 4), "island(4, 0)", ["island(0, 0)"]),
        (("apart", 0, 1), "~together(0, 1)", ["core(0)", "core(1)", "island(0, 0)", "island(1, 0)"]),
        (("same", 0, 1), "which is not of the form same(A, A)", []),
        (("can", "slow", 0, 1), "(30 < 20)", ['rank("slow", 30)']),
        (("can", "none", 0, 1), 'rank("none", R)', []),
        (("core", 7), "core(7)", []),
    ],
)
def test_why_not_names_the_first_condition_that_fails(atom: tuple[str, ...], told: str, facts: list[str]) -> None:
    failure = known().why_not(*atom)[0]
    assert failure.leaf().failed == told
    assert [str(fact) for fact in failure.facts()] == facts


def test_why_not_follows_rules_down() -> None:
    failure = known().why_not("best", 0, 4, "ring")[0]
    assert str(failure) == 'can("ring", 0, 4), where island(4, 0) does not hold'


def test_a_loser_is_told_that_another_won() -> None:
    (failure,) = known().why_not("best", 0, 1, "ring")
    assert failure.failed == '"mail" comes first of 2'


def test_a_refused_text_changes_nothing() -> None:
    skb = known()
    before = skb.query("best(A, B, T)"), skb.snapshot()
    with pytest.raises(KnowledgeError):
        skb.add_rules("+ core(9)\nother(A) <= core(A)\nbroken(A) <= cor(A)", "more.dl")
    assert (skb.query("best(A, B, T)"), skb.snapshot()) == before
    with pytest.raises(KnowledgeError, match="did you mean core"):
        skb.query("cor(X)")
