"""Objects agreed on among equals in whole kernels: used from every core, on every board, on every platform."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from multikernel import Multikernel
from multikernel.errors import BootTimeout, ProgramFailed
from multikernel.events import CallEnded, Carried, Event
from multikernel.faults import parse
from multikernel.interfaces import BootOptions
from multikernel.system.monitor.gathering import PATIENCE_NS
from multikernel.system.monitor.groups import TICK_NS
from tests.groups.toys import RUNG, registry, subject, ticking

WAY = {"patience_us": 40_000}


def ran(faults: Sequence[str] = (), seed: int = 0, **parameters: int) -> Sequence[Event]:
    """The events of `clients` on the toy's board."""
    options = BootOptions(seed=seed, faults=tuple(map(parse, faults)), observe=True, timeout_ns=10**9)
    kernel = Multikernel(subject().blueprint, registry()).boot("sim", options)
    with suppress(BootTimeout):  # main may be where a fault struck
        kernel.run("clients", object="log", **parameters)
    kernel.stop()
    return kernel.events


def of(events: Sequence[Event], core: int) -> list[tuple[int, int]]:
    """What a core's replica carried out: place and value."""
    return [(event.place, event.value) for event in events if isinstance(event, Carried) and event.core == core]


def test_all_replicas_carry_out_the_same() -> None:
    events = ran(calls=5)
    assert len(of(events, 0)) == 15
    assert of(events, 0) == of(events, 1) == of(events, 2)
    assert sum(isinstance(event, CallEnded) for event in events) == 15


def test_nothing_is_told_where_nobody_observes() -> None:
    with Multikernel(subject().blueprint, registry()).boot("sim") as kernel:
        assert kernel.run("clients", object="log", calls=2).answered == 6
        assert not any(isinstance(event, Carried | CallEnded) for event in kernel.events)


def test_observing_takes_no_time() -> None:
    outcomes = []
    for observe in (False, True):
        kernel = Multikernel(subject().blueprint, registry()).boot("sim", BootOptions(observe=observe))
        kernel.run("clients", object="log", calls=2)
        outcomes.append(kernel.stop())
    assert outcomes[0].digest == outcomes[1].digest
    assert outcomes[0].virtual_ns == outcomes[1].virtual_ns


def bound_among_equals(slot: str) -> bool:
    return slot in ("consistency:log", "consistency:store", "consistency:load")


def test_an_object_nobody_asks_for_costs_nothing() -> None:
    bound = subject().blueprint
    trees = tuple(b for b in bound.bindings if not bound_among_equals(b.slot))
    plain = replace(bound, bindings=trees, placements=())
    digests = []
    for blueprint in (plain, bound):
        kernel = Multikernel(blueprint, registry()).boot("sim")
        kernel.run("ping", rounds=2, messages=4)
        digests.append(kernel.stop().digest)
    assert digests[0] == digests[1]


def test_who_is_dead_when_the_others_meet_is_waited_for_and_no_longer() -> None:
    """Core 2 stops before it can answer the call."""
    events = ran(("stop:2@run+1us",), calls=1, cores=2, **WAY)
    answered = [event for event in events if isinstance(event, CallEnded)]
    assert len(answered) == 2
    begun = next(event.at_ns for event in events if isinstance(event, Carried))
    assert begun > PATIENCE_NS
    assert of(events, 0) == of(events, 1)
    assert of(events, 2) == []


@pytest.mark.parametrize("step", range(1, 8))
def test_the_others_go_on_with_what_the_boot_core_opened_before_it_died(step: int) -> None:
    """The sequencer is the boot core: nothing new is numbered, but what it told is carried out by all that hear."""
    events = ran((f"stop:0@run+step:{step}",), calls=2, **WAY)
    first, second = of(events, 1), of(events, 2)
    shorter = min(len(first), len(second))
    assert first[:shorter] == second[:shorter]


def test_on_the_host() -> None:
    with Multikernel(subject().blueprint, registry()).boot("host") as kernel:
        rows = kernel.run("clients", object="log", calls=10)
        assert (rows.clients, rows.calls, rows.answered) == (3, 30, 30)


def test_a_program_that_asks_for_an_object_nobody_keeps_is_told() -> None:
    told = "there is no object 'logs'; give one of log, store, load"
    with Multikernel(subject().blueprint, registry()).boot("sim") as kernel, pytest.raises(ProgramFailed, match=told):
        kernel.run("clients", object="logs")


def test_a_timer_that_is_armed_again_and_again_runs_out_after_the_last() -> None:
    """Ten calls, each of which arms a timer of 20 ticks anew: it runs out once, 20 ticks after the last."""
    options = BootOptions(observe=True, timeout_ns=10**9)
    timed = ticking()
    kernel = Multikernel(timed.blueprint, timed.registry).boot("sim", options)
    kernel.run("clients", object="log", calls=10, cores=1, outstanding=1, settle_us=10_000)
    outcome = kernel.stop()
    ran = sum(reached.times for reached in outcome.reached if reached.cause == "Elapsed 1")
    last = max(event.at_ns for event in kernel.events if isinstance(event, CallEnded))
    rung = [event.at_ns for event in kernel.events if isinstance(event, Carried) and event.value == RUNG]
    assert ran == 1
    assert len(rung) == 1
    assert abs(rung[0] - last - 20 * TICK_NS) < TICK_NS
