"""Joint placement: the model, what the kit finds without a backend that can optimise, what one proves."""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest
from hypothesis import given, settings

from multikernel.errors import BudgetExceeded
from multikernel.knowledge.optimise import Model, Placement, Problem, cost_of, feasible, problem_of
from multikernel.knowledge.search import greedy, search
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry
from multikernel.testing.backends import exhaustive, problems
from multikernel.testing.naive import Naive

BACKENDS = Registry.load().skb_backends
NAMES = [spec.name for spec in BACKENDS]


def made(seed: int, items: int, targets: int, most: int) -> Model[int]:
    """A model by chance: four of five pairs allowed, most targets for one or two items, many items apart."""
    chance = random.Random(seed)
    names = tuple(f"item{number}" for number in range(items))
    costs = tuple(
        (name, at, chance.randrange(most)) for name in names for at in range(targets) if chance.random() < 0.8
    )
    capacity = tuple((at, chance.randrange(1, 3)) for at in range(targets) if chance.random() < 0.7)
    apart = tuple(pair for pair in combinations(names, 2) if chance.random() < 0.3)
    return Model(names, tuple(range(targets)), costs, capacity, apart)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_the_module(name: str) -> None:
    model = Model(
        items=("nic", "disk"),
        targets=(0, 1, 2),
        costs=(("nic", 0, 40), ("nic", 1, 10), ("disk", 1, 5)),
        capacity=((1, 1),),
        apart=(("nic", "disk"),),
    )
    assert Skb(BACKENDS.get(name).factory()).optimise(model) == Placement((("nic", 0), ("disk", 1)), 45, True)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(problem=problems())
def test_the_search_is_feasible_and_right_where_it_says_so(problem: Problem) -> None:
    best, found = exhaustive(problem), search(problem, 1_000_000)
    assert (found is None) == (best is None)
    if found is not None and best is not None:
        assert feasible(problem, found.targets)
        assert found.optimal, "so small a problem is searched through"
        assert found.targets == best
        nearly = greedy(problem, 1_000_000)
        assert nearly is not None
        assert feasible(problem, nearly)
        assert cost_of(problem, nearly) >= cost_of(problem, best)


@pytest.mark.parametrize("seed", range(40))
def test_leaving_out_far_targets_does_not_change_the_best(seed: int) -> None:
    """Against all placements of the model as it was given."""
    model = made(seed, 3, 6, 4)
    allowed = {(item, at): cost for item, at, cost in model.costs}
    rooms = dict(model.capacity)
    possible = [
        (sum(allowed[pair] for pair in zip(model.items, targets, strict=True)), targets)
        for targets in product(model.targets, repeat=3)
        if all(pair in allowed for pair in zip(model.items, targets, strict=True))
        and all(targets.count(at) <= rooms.get(at, 3) for at in targets)
        and all(targets[int(a[-1])] != targets[int(b[-1])] for a, b in model.apart)
    ]
    cost, targets = min(possible)
    for name in NAMES:
        assert Skb(BACKENDS.get(name).factory()).optimise(model) == Placement(
            tuple(zip(model.items, targets, strict=True)), cost, True
        )


def test_a_large_problem_is_proven_by_clingo_alone() -> None:
    """And what the kit finds costs at most a tenth more (it is 6 % here; a bound, not a promise)."""
    model = made(1, 100, 200, 1000)
    without, proven = (Skb(backend).optimise(model) for backend in (Naive(), BACKENDS.get("clingo").factory()))
    assert without is not None
    assert proven is not None
    assert (without.optimal, proven.optimal) == (False, True)
    assert proven.cost <= without.cost <= proven.cost * 1.1


@pytest.mark.parametrize("name", NAMES)
def test_costs_beyond_64_bits_are_summed_exactly(name: str) -> None:
    model = Model(("a", "b"), (0, 1), (("a", 0, 2**70), ("a", 1, 2**70 + 2**40), ("b", 0, 1)), ((0, 1),))
    placed = Skb(BACKENDS.get(name).factory()).optimise(model)
    assert placed == Placement((("a", 1), ("b", 0)), 2**70 + 2**40 + 1, True)


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_placed_is_none(name: str) -> None:
    skb = Skb(BACKENDS.get(name).factory())
    assert skb.optimise(Model(("a", "b"), ("x",), (("a", "x", 1), ("b", "x", 1)), (("x", 1),))) is None
    assert skb.optimise(Model(("a",), ("x",), ())) is None
    assert skb.optimise(Model((), ("x",), ())) == Placement((), 0, True)


@pytest.mark.parametrize("name", NAMES)
def test_no_placement_within_the_budget_is_no_answer(name: str) -> None:
    """Twelve items that are all apart on eleven targets: whoever looks for one does not find it soon."""
    items = tuple(f"item{number}" for number in range(12))
    model = Model(items, tuple(range(11)), tuple((item, at, 1) for item in items for at in range(11)),
                  apart=tuple(combinations(items, 2)))  # fmt: skip
    with pytest.raises(BudgetExceeded, match="1000 steps"):
        Skb(BACKENDS.get(name).factory()).optimise(model, 1000)


@pytest.mark.parametrize(
    "model",
    [
        Model(("a", "a"), (0,), ()),
        Model(("a",), (0,), (("b", 0, 1),)),
        Model(("a",), (0,), (("a", 0, 1), ("a", 0, 2))),
        Model(("a",), (0,), (), ((0, -1),)),
        Model(("a",), (0,), (), ((1, 1),)),
        Model(("a",), (0,), (), (), (("a", "a"),)),
    ],
)
def test_a_model_that_contradicts_itself_is_a_mistake(model: Model[int]) -> None:
    with pytest.raises(ValueError, match=r"twice|capacity|apart"):
        problem_of(model)
