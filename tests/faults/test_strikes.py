"""Faults of a core: each kind, struck at a time, at a message, at a step; what is told, and that it is repeated."""

from __future__ import annotations

import pytest

from multikernel.errors import BootTimeout, ProgramFailed
from multikernel.events import FaultStruck
from multikernel.kernel import Multikernel
from tests.faults.programs import PROGRAMS, beats, seen
from tests.promises.kernels import SECOND, boot

MS, US = 1_000_000, 1000
BOARD = "x86-qemu"
"""Four cores of 1000 MHz."""


def beating(*faults: str, core: int = 1, seed: int = 0, sleeps: int = 0) -> Multikernel:
    """A kernel in which `core` has beaten, every 20 us, with these faults."""
    kernel = boot(BOARD, PROGRAMS, seed=seed, faults=faults)
    kernel.run("beat", core=core, sleeps=sleeps)
    kernel.stop()
    return kernel


def struck(kernel: Multikernel) -> list[FaultStruck]:
    return [event for event in kernel.events if isinstance(event, FaultStruck)]


@pytest.mark.parametrize("when", ["run+300us", "run+message:2"])
@pytest.mark.parametrize("sleeps", [0, 1])
def test_a_stopped_core_does_nothing_more(when: str, sleeps: int) -> None:
    kernel = beating(f"stop:1@{when}", sleeps=sleeps)
    (fault,) = struck(kernel)
    assert (fault.core, fault.kind, fault.text, fault.over) == (1, "stop", f"stop:1@{when}", False)
    told = beats(kernel, 1)
    assert len(told) < 20
    assert all(beat.at <= fault.at_ns + 2 * US for beat in told)
    assert [core.state for core in kernel.cores()] == ["joined", "stopped", "joined", "joined"]


@pytest.mark.parametrize("when", ["run+300us", "run+message:2"])
@pytest.mark.parametrize("sleeps", [0, 1])
def test_a_stalled_core_goes_on_where_it_was(when: str, sleeps: int) -> None:
    kernel = beating(f"stall:1@{when}+500us", sleeps=sleeps)
    begun, over = struck(kernel)
    assert (begun.over, over.over, over.at_ns - begun.at_ns) == (False, True, 500 * US)
    told = beats(kernel, 1)
    assert len(told) == 20
    assert not [beat for beat in told if begun.at_ns + 2 * US < beat.at < over.at_ns]
    assert max(beat.at for beat in told) > over.at_ns
    assert [core.state for core in kernel.cores()] == ["joined"] * 4


def test_an_interrupt_during_a_stall_is_taken_after_it() -> None:
    """Core 1 sleeps, is stalled, and is sent messages: what woke it is not forgotten."""
    kernel = boot(BOARD, PROGRAMS, faults=["stall:1@run+500us+150us"])
    kernel.run("exchange", count=12, gap_us=60)
    _, over = struck(kernel)
    waited = [message for message in seen(kernel, 1) if over.at_ns - 140 * US < message.sent < over.at_ns]
    assert len(waited) >= 2
    assert all(over.at_ns < message.seen < over.at_ns + 60 * US for message in waited)


def test_times_count_from_the_boot_or_from_the_first_program() -> None:
    kernel = boot(BOARD, PROGRAMS, faults=["stall:1@700us+1us", "stall:2@run+700us+1us"])
    booted = kernel.events[-1].at_ns
    kernel.run("nap")
    kernel.run("nap")
    kernel.stop()
    assert [(event.core, event.at_ns) for event in struck(kernel) if not event.over] == [
        (1, 700 * US),
        (2, booted + 700 * US),
    ]


@pytest.mark.parametrize("kind", ["stop", "stall", "skew"])
def test_the_boot_core_can_have_it(kind: str) -> None:
    text = {"stop": "stop:0@run+100us", "stall": "stall:0@run+100us+5ms", "skew": "skew:0@run+100us=+5ms"}[kind]
    kernel = boot(BOARD, PROGRAMS, faults=[text], timeout_ns=100 * MS)
    began = struck(kernel), kernel.events[-1].at_ns
    if kind == "stop":
        with pytest.raises(BootTimeout, match=r"program nap did not end within .* faults so far: stop:0@run\+100us"):
            kernel.run("nap")
    else:
        kernel.run("nap")
        took = kernel.stop().virtual_ns - began[1]
        assert took > 5 * MS if kind == "stall" else took < MS
    kernel.stop()


def test_a_core_that_never_starts_is_given_up() -> None:
    with boot(BOARD, PROGRAMS, faults=["stop:3@0"]) as kernel:
        assert [core.state for core in kernel.cores()] == ["joined"] * 3 + ["failed"]
        kernel.run("ping", rounds=2, messages=16)


def test_a_core_that_dies_while_it_boots_is_given_up() -> None:
    with boot(BOARD, PROGRAMS, faults=["stop:2@1019us"]) as kernel:
        assert kernel.cores()[2].state == "failed"
        assert kernel.run("unmap", pages=1).column("cores") == [3] * 4


def test_a_boot_core_that_dies_is_told() -> None:
    with pytest.raises(BootTimeout, match=r"boot did not end within .* faults so far: stop:0@200us"):
        boot(BOARD, PROGRAMS, faults=["stop:0@200us"])


def agreeing(*faults: str, seed: int = 0, jitter_ns: int = 0) -> Multikernel:
    kernel = boot(BOARD, PROGRAMS, seed=seed, faults=faults, timeout_ns=SECOND // 10, jitter_ns=jitter_ns, observe=True)
    try:
        kernel.run("reserve")
    except (BootTimeout, ProgramFailed):
        assert faults
    return kernel


def test_steps_are_counted_and_cost_nothing() -> None:
    kernel = boot(BOARD, PROGRAMS)
    kernel.run("reserve")
    plain, observed = kernel.stop(), agreeing().stop()
    assert (observed.digest, observed.virtual_ns) == (plain.digest, plain.virtual_ns)
    assert plain.reached == ()
    steps = {(step.protocol, step.cause, step.effect): step.times for step in observed.reached}
    assert {protocol for protocol, _, _ in steps} == {"two-phase"}
    effects = {effect: sum(times for (_, _, kind), times in steps.items() if kind == effect) for _, _, effect in steps}
    assert (effects["Vote"], effects["Apply"], effects["Complete done"]) == (8, 8, 2), "four cores, twice"


def test_a_core_stops_before_its_step_and_not_after() -> None:
    """The boot core stops before its n-th effect: whatever it is, it has not been carried out."""
    whole = sum(step.times for step in agreeing().stop().reached)
    before = 0
    for number in (1, 2, 3, 4):
        kernel = agreeing(f"stop:0@step:{number}")
        outcome = kernel.stop()
        (fault,) = struck(kernel)
        assert fault.text == f"stop:0@step:{number}"
        reached = sum(step.times for step in outcome.reached)
        assert before < reached < whole
        if number == 1:
            assert reached == 1, "nobody else heard of it"
        before = reached


@pytest.mark.parametrize("when", ["1530us", "message:9", "step:2", "run+60us", "run+message:3", "run+step:1"])
@pytest.mark.parametrize("fault", ["stop:1@{}", "stall:1@{}+80us", "restart:1@{}+80us", "skew:1@{}=-30us"])
def test_each_kind_at_each_trigger_is_the_same_again(fault: str, when: str) -> None:
    first, again = (agreeing(fault.format(when), jitter_ns=300) for _ in range(2))
    assert [event.core for event in struck(first)] == [1] * (2 if "+80us" in fault else 1)
    assert first.events == again.events
    assert first.stop() == again.stop()


def test_another_seed_is_another_order() -> None:
    digests = {agreeing(seed=seed, jitter_ns=2000).stop().digest for seed in (1, 2, 3)}
    assert len(digests) == 3
    assert agreeing(seed=1, jitter_ns=2000).stop().digest in digests
