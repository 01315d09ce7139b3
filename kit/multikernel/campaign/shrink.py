"""A run that violates a property, made small: the fewest faults, clients, calls and messages that still do.

    small, tried = shrink(subject, run, budget_s)

Greedy, one thing at a time until nothing can go: a fault left out, the jitter, clients, calls, what is under way,
keys; then each fault at a rounder time.  Smaller is kept when the same property is violated, however.

May not know: how a run is made or judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from multikernel.campaign.schedules import Schedule, Work
from multikernel.campaign.trial import Run, Subject, trial


def shrink(subject: Subject, run: Run, budget_s: float) -> tuple[Run, int]:
    """The smallest run found in `budget_s` seconds, and how many were tried.  `run` violates something."""
    assert run.violation is not None
    end = time.monotonic() + budget_s
    tried = 0
    smaller = True
    while smaller:
        smaller = False
        for schedule in _smaller(run.schedule, len(subject.blueprint.cores)):
            if time.monotonic() > end:
                return run, tried
            tried += 1
            found = trial(subject, schedule)
            if found.violation is not None and found.violation.name == run.violation.name:
                run, smaller = found, True
                break
    return run, tried


def _smaller(schedule: Schedule, cores: int) -> Iterator[Schedule]:
    """Schedules with one thing less, those that lose most first."""
    faults, work = schedule.faults, schedule.work
    for index in range(len(faults)):
        yield replace(schedule, faults=(*faults[:index], *faults[index + 1 :]))
    for less in _less(work, cores):
        yield replace(schedule, work=less)
    if schedule.jitter_ns:
        yield replace(schedule, jitter_ns=0)
    for index, fault in enumerate(faults):
        rounder = fault.at // 1000 * 1000
        if fault.trigger == "time" and 0 < rounder < fault.at:
            yield replace(schedule, faults=(*faults[:index], replace(fault, at=rounder), *faults[index + 1 :]))


def _less(work: Work, cores: int) -> Iterator[Work]:
    clients = work.cores or cores
    for fewer in dict.fromkeys((1, clients // 2, clients - 1)):
        if 0 < fewer < clients:
            yield replace(work, cores=fewer)
    for fewer in dict.fromkeys((1, work.calls // 2, work.calls - 1)):
        if 0 < fewer < work.calls:
            yield replace(work, calls=fewer)
    if work.outstanding > 1:
        yield replace(work, outstanding=1)
    if work.changes:
        yield replace(work, changes=0)
    if work.keys > 1:
        yield replace(work, keys=1)
