"""A few runs of every protocol that comes with the kit; `run.py` beside this file makes as many as one likes."""

from __future__ import annotations

import pytest

from multikernel.campaign import replay
from multikernel.campaign.runner import campaign
from tests.campaign.run import SUBJECTS, prepared


@pytest.mark.parametrize(("board", "name"), SUBJECTS)
def test_nothing_is_violated(board: str, name: str) -> None:
    subject, drawn = prepared(board, name, seed=11)
    report = campaign(subject, drawn, 60, 1, 120.0, lambda _: None)
    assert report.violating is None
    assert report.runs == report.distinct == 60
    assert report.answered > 0


def test_who_holds_nothing_goes_on_when_the_boot_core_has_died() -> None:
    """Core 1 is a client; the boot core, which leads and through which channels are made, stops amid its calls."""
    found = replay("paper-8x4-amd", "store", seed=5000034, faults=("stop:0@run+254us",), cores=3, outstanding=1, keys=1)
    assert found == ""
