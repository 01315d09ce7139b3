"""Protocols among equals in whole kernels on the simulator: what a restart, a stop and many cores do to them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest

from multikernel import Multikernel
from multikernel.campaign.trial import Subject
from multikernel.errors import BootTimeout
from multikernel.events import CallEnded, Carried, Event
from multikernel.faults import parse
from multikernel.interfaces import BootOptions
from multikernel.registry import Registry

MS = 1_000_000


def ran(board: str, name: str, fault: str = "", **parameters: int) -> Sequence[Event]:
    """What is told of a run of `clients`."""
    registry = Registry.load()
    options = BootOptions(faults=(parse(fault),) if fault else (), observe=True, timeout_ns=1000 * MS)
    kernel = Multikernel(Subject.of(board, name, registry).blueprint, registry).boot("sim", options)
    with suppress(BootTimeout):
        kernel.run("clients", object=name, **parameters)
    kernel.stop()
    return kernel.events


def of(events: Sequence[Event], core: int, since_ns: int = 0) -> list[Carried]:
    """What a core's replica carried out."""
    return [each for each in events if isinstance(each, Carried) and each.core == core and each.at_ns >= since_ns]


def newest(carried: Sequence[Carried]) -> dict[int, tuple[int, int]]:
    """The last version and value of each core."""
    return {each.origin: (each.request, each.value) for each in sorted(carried, key=lambda each: each.request)}


def test_load_who_was_restarted_hears_all_there_is_again() -> None:
    """Core 3 stops when the calls are over, and starts anew: nobody submits anything more."""
    events = ran("mesh:5x1", "load", "restart:3@run+5ms+1ms", calls=4, settle_us=150_000)
    calls = [each for each in events if isinstance(each, CallEnded)]
    assert len(calls) == 20
    assert max(each.at_ns for each in calls) < 5 * MS
    assert max(each.at_ns for each in of(events, 0)) < 5 * MS
    again = of(events, 3, since_ns=6 * MS)
    assert newest(again) == newest(of(events, 0))
    assert [each.place for each in again] == list(range(1, len(again) + 1))


@pytest.mark.parametrize("core", [1, 4])
def test_log_a_member_that_stops_blocks_no_other(core: int) -> None:
    events = ran("mesh:5x1", "log", f"stop:{core}@run+step:9", calls=4, patience_us=20_000)
    answered = [each.core for each in events if isinstance(each, CallEnded)]
    for other in {0, 1, 2, 3, 4} - {core}:
        assert answered.count(other) == 4
    first = [(each.place, each.origin, each.request) for each in of(events, 0)]
    for other in range(1, 5):
        told = [(each.place, each.origin, each.request) for each in of(events, other)]
        assert told == first[: len(told)]
        assert len(told) == len(first) or other == core
