"""Campaigns over every protocol that comes with the kit, within one budget.

    python -m tests.campaign.run [--budget SECONDS] [--seed N] [--schedules N] [--jobs N]

Each subject has an equal part of what is left of the budget when its turn comes.  Prints a row a subject, and the steps
of protocols that nothing reached; exits 1 when something is violated.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from multikernel.campaign.report import test_file
from multikernel.campaign.runner import Report, campaign
from multikernel.campaign.schedules import Field, Work
from multikernel.campaign.shrink import shrink
from multikernel.campaign.trial import Subject
from multikernel.cli.campaign import field_of, withstood

HERE = Path(__file__).parent
SUBJECTS = (
    ("mesh:3x1", "log"),
    ("chain.yaml", "log"),
    ("mesh:3x1", "store"),
    ("mesh:6x1", "store"),
    ("mesh:3x1", "load"),
    ("paper-2x2-amd", "reservation"),
)
"""A board, one of this folder's where it ends in .yaml, and an object."""


def prepared(board: str, name: str, seed: int) -> tuple[Subject, Field]:
    """The subject, and what its schedules are drawn from."""
    subject = Subject.of(str(HERE / board) if board.endswith(".yaml") else board, name)
    changes = int(any("reconfigured" in step.on for step in subject.spec.steps))
    return subject, field_of(subject, seed, withstood(subject.spec), 2, 2000, Work(changes=changes))


def row(board: str, name: str, subject: Subject, report: Report) -> str:
    """One line of the table."""
    missing = [str(n) for n, _ in enumerate(subject.spec.steps, 1) if not report.reached[n]]
    return (
        f"{subject.spec.name:18} {name:12} {board:14} {report.runs:7} {report.distinct:8} {report.answered:9} "
        f"{report.messages:10} {report.seconds:7.1f}  {', '.join(missing) or 'none'}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--schedules", type=int, default=10**6, help="of each subject, at most")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    end = time.monotonic() + options.budget
    runs = distinct = 0
    print("protocol           object       board             runs  digests  answered   messages seconds  not reached")
    for index, (board, name) in enumerate(SUBJECTS):
        subject, drawn = prepared(board, name, options.seed)
        budget = (end - time.monotonic()) / (len(SUBJECTS) - index)
        report = campaign(subject, drawn, options.schedules, options.jobs, budget, lambda _: None)
        runs, distinct = runs + report.runs, distinct + report.distinct
        print(row(board, name, subject, report), flush=True)
        if report.violating is not None:
            small, _ = shrink(subject, report.violating, 60.0)
            print(test_file(board, name, small))
            return 1
    print(f"{runs} runs, {distinct} digests, nothing violated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
