"""A few runs of every protocol that comes with the kit; `run.py` beside this file makes as many as one likes."""

from __future__ import annotations

import pytest

from multikernel.campaign import replay
from multikernel.campaign.runner import Report, campaign
from multikernel.registry import Registry
from tests.campaign.run import SUBJECTS, Case, prepared, unreached


@pytest.mark.parametrize("case", SUBJECTS, ids=lambda case: "-".join(filter(None, case)))
def test_nothing_is_violated(case: Case) -> None:
    subject, drawn = prepared(case, seed=11)
    report = campaign(subject, drawn, 60, 1, 120.0, lambda _: None)
    assert report.violating is None
    assert report.runs == report.distinct == 60
    assert report.answered > 0


def test_who_holds_nothing_goes_on_when_the_boot_core_has_died() -> None:
    """Core 1 is a client; the boot core, which leads and through which channels are made, stops amid its calls."""
    found = replay("paper-8x4-amd", "store", seed=5000034, faults=("stop:0@run+254us",), cores=3, outstanding=1, keys=1)
    assert found == ""


def test_who_starts_anew_with_its_clock_set_back_is_up_before_it_carries_anything_out() -> None:
    """For a while that clock shows nothing later than 0."""
    faults = ("restart:3@run+step:80+289418ns", "skew:3@run+message:44=-2894171ns")
    assert replay("mesh:6x1", "store", seed=82, faults=faults, jitter_ns=1235, changes=2) == ""


def test_every_protocol_of_the_kit_has_a_subject() -> None:
    tried = {prepared(case, seed=1)[0].spec.name for case in SUBJECTS}
    assert tried == {spec.name for spec in Registry.load().consistency_protocols}


def test_a_step_counts_as_reached_when_any_subject_of_its_protocol_does() -> None:
    spec = prepared(SUBJECTS[0], seed=1)[0].spec
    first, second = Report(), Report()
    first.reached.update(range(1, len(spec.steps)))
    second.reached.update(range(3, len(spec.steps)))
    assert unreached([(spec, second)]) == {spec.name: [1, 2, len(spec.steps)]}
    assert unreached([(spec, first), (spec, second)]) == {spec.name: [len(spec.steps)]}
    second.reached[len(spec.steps)] += 1
    assert unreached([(spec, first), (spec, second)]) == {}
