"""Placement without an optimiser: greedy with backtracking, local search, then branch and bound for as long
as it pays.

Interface: `search(problem, max_steps) -> Solution | None`; `greedy(problem, max_steps)`, without the last.

Invariants: the same problem gives the same solution; what it calls optimal is the best of
`optimise.py`, tie-break included; a step is one target tried for one item.

May not know: any backend.
"""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.errors import BudgetExceeded
from multikernel.knowledge.optimise import Problem, Solution, cost_of

PROOF = 20_000
"""Steps spent on proving that the solution found is the best: some hundredths of a second."""


def search(problem: Problem, max_steps: int) -> Solution | None:
    """A feasible solution, None if there is none.  Raises BudgetExceeded if neither is known after
    `max_steps`."""
    best = greedy(problem, max_steps)
    if best is None:
        return None
    proof = _State(problem, min(PROOF, max_steps))
    try:
        for better in proof.descend(_key(problem, best)):
            best = better
    except _Spent:
        return Solution(best, False)
    return Solution(best, True)


def greedy(problem: Problem, max_steps: int) -> tuple[int, ...] | None:
    """The targets of a feasible placement that no single move or exchange makes better, or of the last one
    before the steps were used up.  None and raises as `search`."""
    if not all(problem.choices):
        return None
    state = _State(problem, max_steps)
    try:
        found = next(state.descend(None), None)
    except _Spent:
        raise BudgetExceeded(f"no placement found in {max_steps} steps") from None
    return None if found is None else _improve(problem, found, state)


class _Spent(Exception):
    """The steps are used up."""


def _key(problem: Problem, targets: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """What is to be the least."""
    return cost_of(problem, targets), targets


class _State:
    """A depth-first walk over partial placements.  Items whose second choice costs most more than the
    first go first, so that the first leaf is a greedy placement."""

    def __init__(self, problem: Problem, steps: int) -> None:
        self.problem, self.steps = problem, steps
        self.at: list[int] = [-1] * len(problem.choices)
        self.used = [0] * len(problem.capacity)
        self.enemies: list[list[int]] = [[] for _ in problem.choices]
        for a, b in problem.apart:
            self.enemies[a].append(b)
            self.enemies[b].append(a)
        rows = problem.choices
        regret = [row[1][0] - row[0][0] if len(row) > 1 else -1 for row in rows]
        self.order = sorted(range(len(rows)), key=lambda item: (regret[item] >= 0, -regret[item], item))

    def step(self) -> None:
        if self.steps == 0:
            raise _Spent
        self.steps -= 1

    def fits(self, item: int, target: int) -> bool:
        """It may go there as the others are now."""
        return self.used[target] < self.problem.capacity[target] and all(
            self.at[enemy] != target for enemy in self.enemies[item]
        )

    def put(self, item: int, target: int) -> None:
        if self.at[item] >= 0:
            self.used[self.at[item]] -= 1
        self.at[item] = target
        if target >= 0:
            self.used[target] += 1

    def descend(self, best: tuple[int, tuple[int, ...]] | None) -> Iterator[tuple[int, ...]]:
        """Placements, each better than the one before; the first better than `best`.  A branch is left
        when even with the first choice of every item still to be placed it is no better."""
        rows = self.problem.choices
        firsts = [row[0] for row in rows]
        bound = sum(cost for cost, _ in firsts)
        tried = [0] * (len(rows) + 1)
        extra = [0] * (len(rows) + 1)
        depth = 0
        while depth >= 0:
            if depth == len(rows):
                best = _key(self.problem, tuple(self.at))
                yield best[1]
                depth -= 1
                continue
            item = self.order[depth]
            self.put(item, -1)
            if tried[depth] == len(rows[item]):
                tried[depth] = 0
                depth -= 1
                continue
            cost, target = rows[item][tried[depth]]
            tried[depth] += 1
            self.step()
            if not self.fits(item, target):
                continue
            self.put(item, target)
            extra[depth + 1] = extra[depth] + cost - firsts[item][0]
            if best is not None:
                least = tuple(at if at >= 0 else first for at, (_, first) in zip(self.at, firsts, strict=True))
                if (bound + extra[depth + 1], least) >= best:
                    continue
            depth += 1
            tried[depth] = 0


def _improve(problem: Problem, targets: tuple[int, ...], state: _State) -> tuple[int, ...]:
    """Move single items and exchange pairs while that makes the placement better."""
    for item, target in enumerate(targets):
        state.put(item, target)
    costs = [{target: cost for cost, target in row} for row in problem.choices]
    try:
        while any(_move(problem, item, state, costs) for item in range(len(targets))) or any(
            _exchange(a, b, state, costs) for a in range(len(targets)) for b in range(a + 1, len(targets))
        ):
            pass
    except _Spent:
        pass
    return tuple(state.at)


def _move(problem: Problem, item: int, state: _State, costs: list[dict[int, int]]) -> bool:
    """To the best target that is free, if that is better than where it is."""
    here = (costs[item][state.at[item]], state.at[item])
    for cost, target in problem.choices[item]:
        if (cost, target) >= here:
            return False
        state.step()
        if state.fits(item, target):
            state.put(item, target)
            return True
    return False


def _exchange(a: int, b: int, state: _State, costs: list[dict[int, int]]) -> bool:
    """The targets of two items, if that is allowed and better."""
    one, other = state.at[a], state.at[b]
    if one == other or other not in costs[a] or one not in costs[b]:
        return False
    gain = costs[a][one] + costs[b][other] - costs[a][other] - costs[b][one]
    if gain < 0 or (gain == 0 and other > one):
        return False
    state.step()
    state.put(a, -1)
    state.put(b, -1)
    if state.fits(a, other) and state.fits(b, one):
        state.put(a, other)
        state.put(b, one)
        return True
    state.put(a, one)
    state.put(b, other)
    return False
