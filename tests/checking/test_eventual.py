"""Gossip explored: nobody waits whatever happens, and in the end all that live hold the same."""

from __future__ import annotations

import pytest

from multikernel.checking import check_group
from multikernel.registry import Registry

EVENTUAL = Registry.load().consistency_protocols.get("eventual")
FAULTS = (*((fault,) for fault in EVENTUAL.withstands), ("stop", "drop"), ("restart", "restart"), ("restart", "drop"))


@pytest.mark.parametrize("faults", [(), *FAULTS], ids="+".join)
@pytest.mark.parametrize("submitters", [(0, 1), (1, 1)], ids=str)
def test_two_cores(submitters: tuple[int, ...], faults: tuple[str, ...]) -> None:
    report = check_group(EVENTUAL, 2, submitters, faults, timeouts=1)
    assert report.violation is None, report.violation
    assert report.whole
    assert not any(waits for _, waits in report.ends)


@pytest.mark.parametrize("fault", EVENTUAL.withstands)
def test_three_cores(fault: str) -> None:
    report = check_group(EVENTUAL, 3, (0,), (fault,), timeouts=1)
    assert report.violation is None, report.violation
    assert report.whole
    assert not any(waits for _, waits in report.ends)


def test_every_step_is_reached() -> None:
    found = {step for submitters in ((0, 1), (0, 0)) for step in check_group(EVENTUAL, 3, submitters).reached}
    found.update(check_group(EVENTUAL, 2, (0,), ("restart",), timeouts=1).reached)
    assert found == set(range(1, len(EVENTUAL.steps) + 1))
