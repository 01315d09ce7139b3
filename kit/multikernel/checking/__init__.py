"""Consistency protocols explored, not hoped for: every order of delivery at small sizes, with each fault at each step.

    machine.py    what is common: cores as numbered local states, messages as numbers, turns computed once
    plans.py      what may happen and what has: faults, moves, a report
    explore.py    every turn of every core in every order, less the orders that cannot matter
    shapes.py     the four trees at small sizes
    model.py      a core of a tree: a step function called, its effects, what the properties say of them
    trees.py      protocols over a tree explored
    peers.py      a core among equals, the same
    groups.py     protocols among equals explored, and run on in fairness
    diagram.py    a counterexample as a sequence diagram and as a test
    replay.py     a list of steps done again
    linear.py     histories of a run against a sequential model

    check(spec, tree, cores, operations, faults, budget_s) -> Report
    check_group(spec, cores, submitters, faults, timeouts, ...) -> Report
    replay, replay_group -> what is violated, or ""

May not know: monitors, channels, platforms, the command line.
"""

from multikernel.checking.groups import check_group
from multikernel.checking.model import PROPERTIES
from multikernel.checking.peers import GROUP_PROPERTIES
from multikernel.checking.plans import Report
from multikernel.checking.replay import replay, replay_group
from multikernel.checking.trees import check

__all__ = ["GROUP_PROPERTIES", "PROPERTIES", "Report", "check", "check_group", "replay", "replay_group"]
