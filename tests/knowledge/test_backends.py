"""Every installed backend gives the answers of the naive evaluator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings

from multikernel.errors import KnowledgeError
from multikernel.knowledge.backend import SkbBackend
from multikernel.knowledge.facts import Source, predicate
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry
from tests.knowledge.naive import Naive
from tests.knowledge.programs import FACTS, Made, programs

BACKENDS = [pytest.param(spec.factory, id=spec.name) for spec in Registry.load().skb_backends]
SOURCE = Source("asserted", "test")


def made(backend: SkbBackend, program: Made) -> Skb:
    skb = Skb(backend)
    for name, arity in FACTS.items():
        skb.declare(predicate(f"{name}({', '.join(f'c{i}: int' for i in range(arity))})"))
    skb.add_rules("\n".join(program.rules), "made.dl")
    for name, values in program.facts:
        skb.assert_fact(name, values, SOURCE)
    return skb


@pytest.mark.parametrize("factory", BACKENDS)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(program=programs())
def test_answers_are_the_naive_evaluators(factory: Callable[[], SkbBackend], program: Made) -> None:
    try:
        skb = made(factory(), program)
    except KnowledgeError:
        assume(False)
    naive = made(Naive(), program)
    for goal in program.goals:
        assert skb.query(goal) == naive.query(goal), goal
    name, values = program.facts[0] if program.facts else ("u", (0,))
    for each in (skb, naive):
        each.retract(name, values)
        each.assert_fact("e", (4, 0), SOURCE)
    for goal in program.goals:
        assert skb.query(goal) == naive.query(goal), f"{goal} after a change"
