"""Fault campaigns: a whole simulated kernel run over and over, each time with other faults.

    schedules.py  what one run is: seed, jitter, faults, and how many calls; drawn by number
    trial.py      one run: booted, clients let loose on one object, judged
    judge.py      what was told in a run against what the object's protocol promises
    runner.py     many runs, on several processes
    shrink.py     a run that violates something, with the fewest faults, clients and calls
    report.py     that run as a test for pytest

    replay(board, object, seed, faults, ...) -> what is violated, or ""

May not know: platforms and protocols but through the registry, the command line.
"""

from multikernel.campaign.trial import replay

__all__ = ["replay"]
