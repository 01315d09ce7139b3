"""The serial log, read without a machine."""

from __future__ import annotations

import pytest

from mk_qemu.log import Reader, parse
from mk_qemu.results import decimal, result_row
from multikernel.errors import PlatformError
from multikernel.events import CoreUp, Event
from tests.metal.machines import four_cores

UP = '@mk {"seq":0,"ns":5,"event":"core-up","core":0,"isa":"x86-64","driver":"x86-64"}'
OFF = '@mk {"seq":1,"ns":9,"event":"off","core":0,"status":0,"messages":3}'


def read(*lines: str, status: int = 85) -> list[Event]:
    events: list[Event] = []
    reader = Reader(four_cores(), events.append)
    for line in lines:
        reader.take(line)
    reader.finish(status)
    return events


def joined(*cores: int) -> list[str]:
    return [f'@mk {{"seq":{n},"ns":{n},"event":"joined","core":{core}}}' for n, core in enumerate(cores)]


def off(number: int) -> str:
    return OFF.replace('"seq":1', f'"seq":{number}')


def test_lines_of_others_are_no_records() -> None:
    assert parse("SeaBIOS (version 1.16)") is None


def test_a_record_has_its_fields_by_type() -> None:
    record = parse(UP)
    assert record is not None
    assert (record.event, record.core, record.at_ns) == ("core-up", 0, 5)
    assert record.words == {"isa": "x86-64", "driver": "x86-64"}


@pytest.mark.parametrize("line", ["@mk {", "@mk []", '@mk {"seq":0}'])
def test_a_broken_line_is_refused(line: str) -> None:
    with pytest.raises(PlatformError, match="the kernel's log has a"):
        parse(line)


def test_a_good_run_gives_its_events() -> None:
    events = read(*joined(0, 1, 2, 3), off(4))
    assert len(events) == 4


def test_a_lost_line_is_noticed() -> None:
    with pytest.raises(PlatformError, match="misses line 1"):
        read(UP, off(2))


def test_an_exit_status_alone_is_not_success() -> None:
    with pytest.raises(PlatformError, match="its last line is missing; the log ends with @mk"):
        read(*joined(0, 1, 2, 3))
    with pytest.raises(PlatformError, match="exit status 0, not 85"):
        read(*joined(0, 1, 2, 3), off(4), status=0)


def test_what_qemu_says_is_passed_on() -> None:
    with pytest.raises(
        PlatformError,
        match="not 85; the log ends with no line; QEMU said qemu: cannot set up guest memory",
    ):
        read("qemu: cannot set up guest memory", status=1)


def test_a_core_nobody_spoke_of_is_noticed() -> None:
    with pytest.raises(PlatformError, match="nothing of core 1, 3"):
        read(*joined(0, 2), off(2))


def test_a_panic_is_told_even_if_the_run_ends_well() -> None:
    panic = '@mk {"event":"panic","reason":"the driver faulted","core":2,"vector":13,"error":0,"rip":4096,"cr2":0}'
    with pytest.raises(
        PlatformError, match=r"core 2 panicked: the driver faulted \(vector 0xd, error 0x0, rip 0x1000, cr2 0x0\)"
    ):
        read(*joined(0, 1, 2, 3), panic, off(4))


def test_only_a_programs_events_of_a_later_instance() -> None:
    events: list[Event] = []
    reader = Reader(four_cores(), events.append, "ping")
    reader.take(UP)
    reader.take('@mk {"seq":1,"ns":9,"event":"process","core":0,"name":"ping","parent":"monitor"}')
    assert len(events) == 1
    assert not isinstance(events[0], CoreUp)


@pytest.mark.parametrize(
    ("numerator", "denominator", "digits", "text"),
    [(1, 2, 1, "0.5"), (1, 3, 2, "0.33"), (2, 3, 2, "0.67"), (1, 200, 2, "0.01"), (7, 1, 1, "7.0"), (0, 5, 3, "0.000")],
)
def test_decimals_round_half_up(numerator: int, denominator: int, digits: int, text: str) -> None:
    assert decimal(numerator, denominator, digits) == text


def test_pings_row_is_mean_and_spread_of_one_way() -> None:
    times = [600, 640, 680, 640]  # round trips: one way 300, 320, 340, 320; sd sqrt(200)
    words = {"w1": 1, "w2": 4, "w3": sum(times), "w4": sum(t * t for t in times), "w5": 2000, "w6": 500_000}
    row = result_row("ping", four_cores(), words)
    assert dict(zip(row.columns, row.values, strict=True)) == {
        "class": "hops:1",
        "pairs": 8,
        "cycles": 320,
        "sd": "14.1",
        "per_kcycle": "4.000",
    }


def test_the_row_of_a_program_not_known_here_is_its_words() -> None:
    words = {f"w{i}": i for i in range(1, 7)}
    assert result_row("other", four_cores(), words).values == (1, 2, 3, 4, 5, 6)
