"""Joint placement by clingo: a choice for each item, constraints, and what to minimise, in that order.

The tie-break is a minimisation too, with a priority for each item: a proven solution is the one that
`knowledge/optimise.py` calls the best.

May not know: facts, rules.
"""

from __future__ import annotations

from math import gcd

import clingo

from mk_clingo.values import LIMIT
from multikernel.errors import BudgetExceeded, KnowledgeError
from multikernel.knowledge.optimise import Problem, Solution

PROGRAM = """
1 { at(I,T) : choice(I,T,_) } 1 :- item(I).
:- room(T,N), #count { I : at(I,T) } > N.
:- apart(I,J), at(I,T), at(J,T).
#minimize { C@items+1,I : at(I,T), choice(I,T,C) }.
#minimize { T@items-I,I : at(I,T) }.
"""


def optimise(problem: Problem, max_steps: int) -> Solution | None:
    """See `Optimiser`.  A step is a conflict of the solver."""
    items = len(problem.choices)
    facts = [f"#const items={items}."]
    facts += [f"item({item})." for item in range(items)]
    facts += [f"apart({a},{b})." for a, b in problem.apart]
    # Only differences between the costs of one item matter, in the largest unit that all of them share.
    extra = [[cost - row[0][0] for cost, _ in row] for row in problem.choices if row]
    unit = gcd(*(cost for row in extra for cost in row)) or 1
    highest = max((cost // unit for row in extra for cost in row), default=0)
    if highest >= LIMIT:
        raise KnowledgeError(f"clingo's weights have 32 bits: costs of one item that differ by {highest} do not fit")
    named: dict[int, None] = {}
    for item, row in enumerate(problem.choices):
        for cost, target in row:
            facts.append(f"choice({item},{target},{(cost - row[0][0]) // unit}).")
            named[target] = None
    facts += [f"room({target},{problem.capacity[target]})." for target in named if problem.capacity[target] < items]
    control = clingo.Control(["--warn=none", f"--solve-limit={max_steps}"])
    control.add("base", [], "\n".join(facts) + PROGRAM)
    control.ground([("base", [])])
    best: tuple[int, ...] | None = None
    with control.solve(yield_=True) as handle:
        for model in handle:
            pairs = [symbol.arguments for symbol in model.symbols(atoms=True) if symbol.name == "at"]
            best = tuple(target.number for _, target in sorted(pairs, key=lambda pair: pair[0].number))
        result = handle.get()
    if best is None:
        if result.exhausted or result.unsatisfiable:
            return None
        raise BudgetExceeded(f"no placement found in {max_steps} steps of clingo")
    return Solution(best, bool(result.exhausted))
