"""Facts: what is refused, sources, logical time, snapshots."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from multikernel.errors import KnowledgeError
from multikernel.knowledge.facts import Fact, Source, predicate
from multikernel.knowledge.skb import Skb
from multikernel.testing.naive import Naive

ASSERTED = Source("asserted", "board.yaml:3:1")
MEASURED = Source("measured", "bench 1")


def two_predicates() -> Skb:
    skb = Skb(Naive())
    skb.declare(predicate("edge(a: int, b: int)"), predicate("name(a: int, name: str)"))
    skb.declare(predicate("reach(a: int, b: int)", derived=True))
    return skb


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("egde", (1, 2), "no predicate 'egde' is declared (did you mean edge?)"),
        ("edge", (1,), "edge(1) has 1 columns, edge(a: int, b: int) has 2"),
        ("edge", (1, "2"), "column b of edge(a: int, b: int) is int, not str '2'"),
        ("edge", (1, True), "column b of edge(a: int, b: int) is int, not bool True"),
        ("edge", (1, 2.0), "column b of edge(a: int, b: int) is int, not float 2.0"),
        ("name", (1, 2), "column name of name(a: int, name: str) is str, not int 2"),
        ("reach", (1, 2), "reach(a: int, b: int) is derived by rules; it takes no facts"),
    ],
)
def test_a_fact_must_fit_its_predicate(name: str, values: tuple[int | str, ...], message: str) -> None:
    skb = two_predicates()
    with pytest.raises(KnowledgeError) as refused:
        skb.assert_fact(name, values, ASSERTED)
    assert message in str(refused.value)
    assert skb.snapshot().facts == ()


@pytest.mark.parametrize("signature", ["edge", "Edge(a: int)", "edge(a)", "edge(a: float)", "edge(a: int,b: int)"])
def test_a_signature_has_one_form(signature: str) -> None:
    with pytest.raises(ValueError, match="is written"):
        predicate(signature)


def test_a_predicate_is_declared_once() -> None:
    skb = two_predicates()
    skb.declare(predicate("edge(x: int, y: int)"))
    with pytest.raises(KnowledgeError, match="already declared"):
        skb.declare(predicate("edge(a: int, b: str)"))


def test_time_counts_changes_and_the_first_source_stands() -> None:
    skb = two_predicates()
    assert skb.assert_fact("edge", (1, 2), ASSERTED)
    assert not skb.assert_fact("edge", (1, 2), MEASURED)
    assert skb.assert_fact("edge", (2, 3), MEASURED)
    assert [(fact.values, fact.source, fact.time) for fact in skb.snapshot().facts] == [
        ((1, 2), ASSERTED, 1),
        ((2, 3), MEASURED, 2),
    ]
    assert skb.retract("edge", (1, 2))
    assert not skb.retract("edge", (1, 2))
    assert skb.assert_fact("edge", (1, 2), MEASURED)
    fact = skb.fact("edge", (1, 2))
    assert fact is not None
    assert (fact.source, fact.time) == (MEASURED, 4)


def test_a_snapshot_does_not_change_and_tells_what_did() -> None:
    skb = two_predicates()
    skb.assert_fact("edge", (1, 2), ASSERTED)
    skb.assert_fact("edge", (2, 3), ASSERTED)
    before = skb.snapshot()
    assert skb.snapshot() is before
    skb.retract("edge", (1, 2))
    skb.assert_fact("edge", (3, 4), ASSERTED)
    after = skb.snapshot()
    assert [fact.values for fact in before.facts] == [(1, 2), (2, 3)]
    came, went = after.delta(before)
    assert [fact.values for fact in came] == [(3, 4)]
    assert [fact.values for fact in went] == [(1, 2)]
    assert (before.version, after.version) == (2, 4)


def test_a_backend_sees_changes_as_deltas_at_the_next_query() -> None:
    seen: list[tuple[int, int]] = []

    class Watching(Naive):
        def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
            seen.append((len(added), len(removed)))
            super().sync(added, removed)

    skb = Skb(Watching())
    skb.declare(predicate("edge(a: int, b: int)"))
    for a in range(3):
        skb.assert_fact("edge", (a, a), ASSERTED)
    skb.retract("edge", (0, 0))
    assert not seen
    skb.query("edge(X, _)")
    skb.query("edge(_, X)")
    skb.retract("edge", (1, 1))
    assert skb.query("edge(X, _)").rows == ((2,),)
    assert seen == [(2, 0), (0, 1)]
