"""How a fault is written: each form, its meaning, what is wrong with the others, and what `mkit boot` makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multikernel.errors import UsageError
from multikernel.faults import EXAMPLES, KINDS, LINKS, Fault, Kind, Since, Trigger, Ways, duration, nanoseconds, parse

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stop:3@1.5ms", Fault("stop", 3, at=1_500_000)),
        ("stop:0@0", Fault("stop", 0)),
        ("stall:3@1ms+500us", Fault("stall", 3, at=MS, for_ns=500_000)),
        ("restart:3@run+1ms+2ms", Fault("restart", 3, at=MS, since="run", for_ns=2 * MS)),
        ("restart:3@run+2ms", None),
        ("skew:3@0=+50us", Fault("skew", 3, by_ns=50_000)),
        ("skew:3@run=-1.25us", Fault("skew", 3, since="run", by_ns=-1250)),
        ("skew:3@7ns=-200ppm", Fault("skew", 3, at=7, by_ppm=-200)),
        ("cut:1>2@1ms+3ms", Fault("cut", 1, 2, at=MS, for_ns=3 * MS)),
        ("cut:1-2@step:5", Fault("cut", 1, 2, "both", "step", 5)),
        ("delay:1>2@run+message:17+3ms=20us", Fault("delay", 1, 2, "one", "message", 17, "run", 3 * MS, 20_000)),
        ("delay:10-2@0=1s", Fault("delay", 10, 2, "both", by_ns=1_000 * MS)),
    ],
)
def test_what_a_fault_says(text: str, fault: Fault | None) -> None:
    if fault is None:
        with pytest.raises(UsageError, match=r"\+FOR is missing"):
            parse(text)
    else:
        assert parse(text) == fault
        assert parse(str(fault)) == fault


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind: Kind = draw(st.sampled_from(KINDS))
    link, trigger = kind in LINKS, draw(st.sampled_from(get_args(Trigger)))
    core = draw(st.integers(0, 4095))
    times = st.integers(1, 10**12)
    peer = draw(st.integers(0, 4095).filter(lambda peer: peer != core)) if link else -1
    ppm = draw(st.integers(-500_000, 500_000)) if kind == "skew" else 0
    by = draw(times) * draw(st.sampled_from([1, -1])) if kind == "skew" and not ppm else 0
    return Fault(
        kind,
        core,
        peer,
        draw(st.sampled_from(get_args(Ways))) if link else "one",
        trigger,
        draw(st.integers(0, 10**12) if trigger == "time" else st.integers(1, 10**8)),
        draw(st.sampled_from(get_args(Since))),
        draw(times) if kind in ("stall", "restart") or (link and draw(st.booleans())) else 0,
        draw(times) if kind == "delay" else by,
        ppm,
    )


@given(faults())
def test_parse_and_str_are_inverse(fault: Fault) -> None:
    assert parse(str(fault)) == fault


@given(st.text(alphabet="stopcudelayrkw:@+-=>0123456789.nms", max_size=30))
def test_nothing_but_a_usage_error_comes_of_nonsense(text: str) -> None:
    try:
        fault = parse(text)
    except UsageError as error:
        told = error
    else:
        assert parse(str(fault)) == fault
        return
    assert told.code == "fault"
    assert repr(text) in str(told)


@given(st.integers(0, 10**15))
def test_times_are_exact(ns: int) -> None:
    assert nanoseconds(duration(ns)) == ns
    if ns < 10**9:
        assert nanoseconds(f"{ns // 1000}.{ns % 1000:03d}us") == ns


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no kind of fault"),
        ("stp:3@1ms", "no kind of fault (did you mean stop?); write KIND:WHERE@WHEN[+FOR][=BY], of kind stop, stall,"),
        ("stop", "no kind of fault;"),
        ("stop:3", "@WHEN is missing; a stop is written stop:3@1.5ms"),
        ("stop:x@1ms", "'x' is not a core"),
        ("stop:1>2@1ms", "'1>2' is not a core"),
        ("cut:1@0", "'1' is not two cores, A>B or A-B; a cut is written cut:1>2@1ms+3ms"),
        ("cut:1>1@0", "a core sees its own stores"),
        ("stop:3@1", "'1' is no time; write a number and ns, us, ms or s"),
        ("stop:3@1.0000001ms", "is no whole number of nanoseconds"),
        ("stop:3@99999999s", "is too long; at most 1000000s"),
        ("stop:3@message:0", "'message:0' is not a time, message:N or step:N, from 1 on"),
        ("stop:3@turn:1", "'turn:1' is not a time, message:N or step:N"),
        ("stop:3@1ms+1ms", "it takes no +FOR"),
        ("stall:3@1ms", "+FOR is missing"),
        ("stall:3@1ms+0", "+FOR is more than 0"),
        ("stall:3@1ms+1ms=1us", "it takes no =BY"),
        ("delay:1>2@0", "=BY is missing"),
        ("delay:1>2@0=0", "=BY is more than 0"),
        ("skew:1@0=50us", "'50us' is not + or - and a time or millionths"),
        ("skew:1@0=+0", "=BY is not 0"),
        ("skew:1@0=+900000ppm", "is more than 500000ppm"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"fault {text!r}: ")


def test_every_example_is_one() -> None:
    assert tuple(EXAMPLES) == KINDS
    for kind, examples in EXAMPLES.items():
        for example in examples.split(" or "):
            assert parse(example.split(" ")[0]).kind == kind


def boot(*arguments: str) -> tuple[int, str, str]:
    """`mkit boot x86-qemu` as a process."""
    command = [sys.executable, "-m", "multikernel", "boot", "x86-qemu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_faults_are_shown_as_they_happen_and_in_the_object() -> None:
    fault = "stall:2@run+10us+20us"
    code, stdout, stderr = boot("--run", "ping", "--set", "ping.rounds=2", "--fault", fault, "--fault", "stop:3@9s")
    assert code == 0
    assert f"core 2 fault: {fault}\n" in stdout
    assert f"core 2 fault over: {fault}\n" in stdout
    assert "fault stop:3@9s did not happen" in stderr
    code, stdout, _ = boot("--run", "ping", "--set", "ping.rounds=2", "--fault", fault, "--json")
    begun, over = json.loads(stdout)["faults"]
    assert (begun["core"], begun["kind"], begun["text"], begun["over"]) == (2, "stall", fault, False)
    assert (over["over"], over["at_ns"] - begun["at_ns"]) == (True, 20_000)


def test_who_waits_for_a_dead_core_ends_at_the_time_limit() -> None:
    code, stdout, stderr = boot("--run", "ping", "--fault", "stop:1@run+300us", "--timeout", "0.1")
    assert code == 6
    assert "ping: failed" in stdout
    assert "program ping did not end within 100000000 ns of virtual time" in stderr
    assert "faults so far: stop:1@run+300us" in stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--fault", "stop:x@1ms"], "'x' is not a core"),
        (["--fault", "stop:9@1ms"], "there is no core 9; cores are 0 to 3"),
        (["--fault", "stop:1@1ms", "--platform", "host"], "on platform sim and not on host"),
        (["--jitter", "5", "--platform", "host"], "on platform sim and not on host"),
        (["--jitter", "-1"], "Invalid value for '--jitter'"),
    ],
)
def test_what_cannot_be_is_an_error_of_usage(arguments: list[str], what: str) -> None:
    code, _, stderr = boot(*arguments)
    assert code == 2
    assert what in stderr


@pytest.mark.kernel("x86-qemu", faults="stop:2@run+10us", jitter=200)
def test_the_fixture_takes_faults(kernel) -> None:  # type: ignore[no-untyped-def]
    kernel.run("ping", **{"class": "hops:0"})
    assert kernel.cores()[2].state == "stopped"
