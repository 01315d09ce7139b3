"""Campaigns over every protocol that comes with the kit, within one budget.

    python -m tests.campaign.run [--budget SECONDS] [--seed N] [--schedules N] [--jobs N] [--require-reached]

Each subject has schedules of its own, and an equal part of what is left of the budget when its turn comes.  Prints a
row a subject; then how many runs there were, how many of all of them differ, and the steps of each protocol that none
of its subjects reached.  Exits 1 when something is violated, or, with --require-reached, when there is such a step.
What the first runs of a seed reach is the same on every machine: with --require-reached each subject makes LEAST runs,
whatever the budget.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from multikernel.campaign.report import test_file
from multikernel.campaign.runner import Report, campaign
from multikernel.campaign.schedules import Field, Work
from multikernel.campaign.shrink import shrink
from multikernel.campaign.trial import Subject
from multikernel.cli.campaign import field_of, withstood
from multikernel.spec import ConsistencyProtocolSpec

HERE = Path(__file__).parent
LEAST = 400
"""Twice as many runs of each subject as it takes until every step of every protocol is reached."""


class Case(NamedTuple):
    """A board, one of this folder's where it ends in .yaml, and an object; where that is agreed on over a tree, which:
    each call draws one where none is named."""

    board: str
    object: str
    tree: str = ""


SUBJECTS = (
    Case("mesh:3x1", "log"),
    Case("beside.yaml", "log"),
    Case("chain.yaml", "log"),
    Case("mesh:3x1", "store"),
    Case("mesh:4x1", "store"),
    Case("mesh:6x1", "store"),
    Case("mesh:3x1", "load"),
    Case("mesh:4x1", "load"),
    Case("paper-2x2-amd", "shootdown", "broadcast"),
    Case("paper-2x2-amd", "shootdown", "unicast"),
    Case("paper-2x2-amd", "shootdown", "multicast"),
    Case("paper-2x2-amd", "shootdown", "numa"),
    Case("paper-2x2-amd", "reservation", "broadcast"),
    Case("paper-2x2-amd", "reservation", "multicast"),
    Case("paper-2x2-amd", "reservation"),
)
CHANGES = 2
"""At most, of who holds an object whose protocol allows that: one asked for by the boot core, one by the last."""


def prepared(case: Case, seed: int) -> tuple[Subject, Field]:
    """The subject, and what its schedules are drawn from."""
    subject = Subject.of(str(HERE / case.board) if case.board.endswith(".yaml") else case.board, case.object)
    changes = CHANGES if any("reconfigured" in step.on for step in subject.spec.steps) else 0
    work = Work(changes=changes, tree=case.tree)
    return subject, field_of(subject, seed, withstood(subject.spec), 2, 2000, work)


def row(case: Case, spec: ConsistencyProtocolSpec, report: Report) -> str:
    """One line of the table."""
    return (
        f"{spec.name:18} {case.object:12} {case.board:14} {case.tree or '-':10} {report.runs:7} {report.distinct:8} "
        f"{report.answered:9} {report.messages:10} {report.seconds:7.1f}  {_numbers(report.missing(spec)) or 'none'}"
    )


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def unreached(found: Sequence[tuple[ConsistencyProtocolSpec, Report]]) -> dict[str, list[int]]:
    """The steps, by number, of each protocol of which there are some that no subject of it reached."""
    missing: dict[str, list[int]] = {}
    for spec, report in found:
        missing[spec.name] = [n for n in report.missing(spec) if n in missing.get(spec.name, report.missing(spec))]
    return {name: numbers for name, numbers in missing.items() if numbers}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--schedules", type=int, default=10**6, help="of each subject, at most")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--require-reached", action="store_true", help="exit 1 when a step is reached nowhere")
    options = parser.parse_args()
    end = time.monotonic() + options.budget
    least = LEAST if options.require_reached else 0
    found: list[tuple[ConsistencyProtocolSpec, Report]] = []
    digests: dict[str, None] = {}
    print(
        "protocol           object       board          tree          runs  digests  answered   messages seconds"
        "  not reached"
    )
    for index, case in enumerate(SUBJECTS):
        subject, drawn = prepared(case, options.seed * len(SUBJECTS) + index)
        budget = (end - time.monotonic()) / (len(SUBJECTS) - index)
        report = campaign(subject, drawn, options.schedules, options.jobs, budget, lambda _: None, least)
        found.append((subject.spec, report))
        digests.update(report.digests)
        print(row(case, subject.spec, report), flush=True)
        if report.violating is not None:
            small, _ = shrink(subject, report.violating, 60.0)
            print(test_file(case.board, case.object, small))
            return 1
    missing = unreached(found)
    told = "; ".join(f"{name} {_numbers(numbers)}" for name, numbers in missing.items())
    steps = f"not reached: {told}" if missing else "every step of every protocol reached"
    print(f"{sum(report.runs for _, report in found)} runs, {len(digests)} digests, nothing violated; {steps}")
    return int(bool(missing) and options.require_reached)


if __name__ == "__main__":
    sys.exit(main())
