"""Consistency protocols explored, not hoped for: every order of delivery at small sizes, with each fault at each step.

    shapes.py     the four trees at small sizes
    model.py      one core's turn: a step function called, its effects, what the properties say of them
    explore.py    every turn of every core in every order, less the orders that cannot matter
    diagram.py    a counterexample as a sequence diagram and as a test
    replay.py     a list of steps done again

    check(spec, tree, cores, operations, faults, budget_s) -> Report
    replay(protocol, tree, cores, operations, steps) -> what is violated, or ""

May not know: monitors, channels, platforms, the command line.
"""

from multikernel.checking.explore import Report, check
from multikernel.checking.model import PROPERTIES
from multikernel.checking.replay import replay

__all__ = ["PROPERTIES", "Report", "check", "replay"]
