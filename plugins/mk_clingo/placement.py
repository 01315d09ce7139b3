"""Joint placement by clingo: a choice for each item, constraints, and what to minimise, in that order.

What a greedy placement costs bounds what the best one may: choices beyond it are left out.  The tie-break
is a minimisation too, with a priority for each item: a proven solution is the one that
`knowledge/optimise.py` calls the best.

May not know: facts, rules.
"""

from __future__ import annotations

from math import gcd

import clingo

from mk_clingo.values import LIMIT
from multikernel.knowledge.optimise import Problem, Solution, cost_of
from multikernel.knowledge.search import greedy, search

PROGRAM = """
1 { at(I,T) : choice(I,T,_) } 1 :- item(I).
:- room(T,N), #count { I : at(I,T) } > N.
:- apart(I,J), at(I,T), at(J,T).
#minimize { C@items+1,I : at(I,T), choice(I,T,C) }.
#minimize { T@items-I,I : at(I,T) }.
"""


def optimise(problem: Problem, max_steps: int) -> Solution | None:
    """See `Optimiser`.  A step is a conflict of the solver."""
    known = greedy(problem, max_steps)
    if known is None:
        return None
    items = len(problem.choices)
    facts = [f"#const items={items}."]
    facts += [f"item({item})." for item in range(items)]
    facts += [f"apart({a},{b})." for a, b in problem.apart]
    # Only differences between the costs of one item matter, in the largest unit that all of them share.
    extra = [[cost - row[0][0] for cost, _ in row] for row in problem.choices if row]
    slack = cost_of(problem, known) - sum(row[0][0] for row in problem.choices)
    kept = [[cost for cost in row if cost <= slack] for row in extra]
    unit = gcd(*(cost for row in kept for cost in row)) or 1
    highest = max((cost // unit for row in kept for cost in row), default=0)
    if highest >= LIMIT:
        return search(problem, max_steps)  # clingo's weights have 32 bits
    named: dict[int, None] = {}
    for item, (row, costs) in enumerate(zip(problem.choices, kept, strict=True)):
        for (_, target), cost in zip(row, costs, strict=False):
            facts.append(f"choice({item},{target},{cost // unit}).")
            named[target] = None
    facts += [f"room({target},{problem.capacity[target]})." for target in named if problem.capacity[target] < items]
    control = clingo.Control(["--warn=none", f"--solve-limit={max_steps}", "--opt-strategy=usc", "--models=0"])
    control.add("base", [], "\n".join(facts) + PROGRAM)
    control.ground([("base", [])])
    best = known
    with control.solve(yield_=True) as handle:
        for model in handle:
            pairs = [symbol.arguments for symbol in model.symbols(atoms=True) if symbol.name == "at"]
            found = tuple(target.number for _, target in sorted(pairs, key=lambda pair: pair[0].number))
            best = min(best, found, key=lambda targets: (cost_of(problem, targets), targets))
        proven = bool(handle.get().exhausted)
    return Solution(best, proven)
