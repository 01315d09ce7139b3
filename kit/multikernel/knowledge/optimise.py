"""Joint placement as an optimisation query: every item gets one target, at the least total cost.

    model = Model(items=("nic", "disk"), targets=(0, 1, 2), costs=(("nic", 0, 40), ("nic", 1, 10), ("disk", 1, 5)),
                  capacity=((1, 1),), apart=(("nic", "disk"),))
    placement = skb.optimise(model)     # Placement((("nic", 0), ("disk", 1)), 45, True), or None

The best placement is the one of least cost; of those that cost the same, the one whose first item has the
earliest target in the order of `targets`, then its second, and so on.  So there is exactly one, and whoever
proves that it found it found the same.

A backend that is an `Optimiser` is asked; for others `search.py` answers, which is exact on small models
and says where it is not.

May not know: any backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

T = TypeVar("T", bound=int | str)


@dataclass(frozen=True, slots=True)
class Model(Generic[T]):
    """What is to be placed where.

    costs       (item, target, cost), at most once a pair; a pair without a cost is not allowed
    capacity    (target, how many items it takes at most); a target that is not there takes any number
    apart       pairs of items that may not share a target
    """

    items: tuple[str, ...]
    targets: tuple[T, ...]
    costs: tuple[tuple[str, T, int], ...]
    capacity: tuple[tuple[T, int], ...] = ()
    apart: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Placement(Generic[T]):
    """A target for each item, in the order of the model's items, and what that costs.  `optimal` only
    where it is proven that no placement is better."""

    assignment: tuple[tuple[str, T], ...]
    cost: int
    optimal: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """A model as numbers: items and targets by their index.

    choices     of each item its targets, (cost, target), the cheapest first and of equal ones the earliest
    capacity    of each target; the number of items where there is no limit
    apart       (i, j), i < j, sorted
    """

    choices: tuple[tuple[tuple[int, int], ...], ...]
    capacity: tuple[int, ...]
    apart: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Solution:
    """The target of each item of a problem; `optimal` as in Placement."""

    targets: tuple[int, ...]
    optimal: bool


@runtime_checkable
class Optimiser(Protocol):
    """What a backend has besides, if it can optimise."""

    def optimise(self, problem: Problem, max_steps: int) -> Solution | None:
        """The best solution, or a feasible one where `max_steps` do not suffice to prove it the best;
        None if there is none.  Raises BudgetExceeded if neither is known after `max_steps`, KnowledgeError
        for costs that do not fit it."""


def problem_of(model: Model[T]) -> Problem:
    """The model as numbers.  Raises ValueError for a model that contradicts itself.

    An item keeps only its n cheapest targets that take anything, n being the number of items: the other
    items leave one of n targets empty, and moving there from a later one is better.  So a problem does not
    grow with the machine.
    """
    items = {name: index for index, name in enumerate(model.items)}
    targets = {name: index for index, name in enumerate(model.targets)}
    if len(items) < len(model.items) or len(targets) < len(model.targets):
        raise ValueError("an item or target occurs twice")
    capacity = [len(items)] * len(targets)
    for target, room in model.capacity:
        if target not in targets or room < 0:
            raise ValueError(f"capacity {room} of target {target!r}")
        capacity[targets[target]] = min(room, len(items))
    rows: list[dict[int, int]] = [{} for _ in items]
    for item, target, cost in model.costs:
        if item not in items or target not in targets or targets[target] in rows[items[item]]:
            raise ValueError(f"the cost of {item!r} at {target!r} is told twice, or of something unknown")
        rows[items[item]][targets[target]] = cost
    apart: dict[tuple[int, int], None] = {}
    for one, other in model.apart:
        if one not in items or other not in items or one == other:
            raise ValueError(f"{one!r} apart from {other!r}")
        a, b = sorted((items[one], items[other]))
        apart[a, b] = None
    choices = tuple(
        tuple(sorted((cost, target) for target, cost in row.items() if capacity[target])[: len(items)]) for row in rows
    )
    return Problem(choices, tuple(capacity), tuple(sorted(apart)))


def placement_of(model: Model[T], problem: Problem, solution: Solution) -> Placement[T]:
    """The solution in the model's words."""
    assignment = tuple((item, model.targets[at]) for item, at in zip(model.items, solution.targets, strict=True))
    return Placement(assignment, cost_of(problem, solution.targets), solution.optimal)


def cost_of(problem: Problem, targets: Sequence[int]) -> int:
    """The sum of what each item costs where it is."""
    return sum(
        next(cost for cost, target in row if target == at) for row, at in zip(problem.choices, targets, strict=True)
    )


def feasible(problem: Problem, targets: Sequence[int]) -> bool:
    """Allowed targets only, none too full, none shared by items that are kept apart."""
    return (
        len(targets) == len(problem.choices)
        and all(any(at == target for _, target in row) for row, at in zip(problem.choices, targets, strict=True))
        and all(targets.count(at) <= problem.capacity[at] for at in targets)
        and all(targets[a] != targets[b] for a, b in problem.apart)
    )
