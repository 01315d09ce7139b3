"""Clocks that are wrong: what a core reads, and when its timers go off."""

from __future__ import annotations

from itertools import pairwise

import pytest

from multikernel.events import CoreUp
from tests.faults.programs import PROGRAMS, beats
from tests.promises.kernels import boot

US = 1000


@pytest.mark.parametrize(("by", "local"), [("+30us", 30 * US), ("-30us", -30 * US), ("+2ms", 2000 * US)])
def test_a_clock_that_is_set_shows_another_time_and_runs_on(by: str, local: int) -> None:
    plain, skewed = (boot("x86-qemu", PROGRAMS, faults=faults) for faults in ((), (f"skew:1@run+300us={by}",)))
    for kernel in (plain, skewed):
        kernel.run("beat")
    told = list(zip(beats(plain, 1), beats(skewed, 1), strict=True))
    apart = {right.ns - left.ns for left, right in told}
    assert apart == {0, local}
    assert {right.cycles - left.cycles for left, right in told} == {0, local}, "1000 MHz"


@pytest.mark.parametrize("ppm", [100_000, -100_000])
def test_timers_go_by_the_clock_that_is_fast_or_slow(ppm: int) -> None:
    """A core sleeps 100 us of its own clock each time; core 0 sees how long that is."""
    kernel = boot("x86-qemu", PROGRAMS, faults=[f"skew:1@0={ppm:+}ppm"])
    kernel.run("exchange", a=1, b=2, count=8, gap_us=100)
    kernel.stop()
    heard = [
        int(event.text.split()[2])
        for event in kernel.events
        if getattr(event, "core", -1) == 2 and hasattr(event, "text")
    ]
    own = [
        int(event.text.split()[1])
        for event in kernel.events
        if getattr(event, "core", -1) == 2 and hasattr(event, "text")
    ]
    true_gap, own_gap = (heard[-1] - heard[0]) / 7, (own[-1] - own[0]) / 7
    assert abs(own_gap / true_gap - (1 + ppm / 1_000_000)) < 0.03
    assert 100 * US <= own_gap < 125 * US, "by its own clock it slept 100 us and woke"


@pytest.mark.parametrize("ppm", [200_000, -200_000])
def test_who_sleeps_alone_wakes_by_its_own_clock(ppm: int) -> None:
    """Nothing but its timer wakes core 1."""
    kernel = boot("x86-qemu", PROGRAMS, faults=[f"skew:1@0={ppm:+}ppm"])
    kernel.run("beat", beats=10, every_us=100, sleeps=1)
    told = [beat.ns for beat in beats(kernel, 1)]
    gaps = [after - before for before, after in pairwise(told)]
    assert len(gaps) == 9
    assert all(100 * US <= gap < 115 * US for gap in gaps)


def test_computing_takes_as_long_as_ever() -> None:
    plain, skewed = (boot("x86-qemu", PROGRAMS, faults=faults) for faults in ((), ("skew:1@0=+200000ppm",)))
    ends = []
    for kernel in (plain, skewed):
        kernel.run("beat", sleeps=0)
        told = beats(kernel, 1)
        ends.append((told[-1].at - told[0].at, told[-1].ns - told[0].ns))
    assert abs(ends[1][1] / ends[0][0] - 1.2) < 0.01, "its clock is a fifth fast"


def test_a_clock_shows_no_less_than_nothing() -> None:
    kernel = boot("x86-qemu", PROGRAMS, faults=["skew:2@0=-700us"])
    (up,) = (event for event in kernel.events if isinstance(event, CoreUp) and event.core == 2)
    assert 0 < up.at_ns < 400 * US
    kernel.run("ping", rounds=2, messages=16)


def test_two_changes_of_a_clock_add_up() -> None:
    kernel = boot("x86-qemu", PROGRAMS, faults=["skew:1@run=+40us", "skew:1@run=-10us", "skew:1@run+1us=-30us"])
    other = boot("x86-qemu", PROGRAMS)
    for one in (kernel, other):
        one.run("beat")
    assert [beat.ns for beat in beats(kernel, 1)] == [beat.ns for beat in beats(other, 1)]
