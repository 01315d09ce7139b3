"""Images of the hand-made machine, booted under QEMU."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mk_qemu.image import build_image, cache_folder
from mk_qemu.log import Reader
from mk_qemu.machine import command, run
from mk_qemu.platform import QemuPlatform
from multikernel.errors import FileError, PlatformError, UsageError
from multikernel.events import (
    Booted,
    CoreFailed,
    CoreUp,
    Event,
    Message,
    MonitorJoined,
    ProcessStarted,
    ProgramDone,
    ProgramRaised,
)
from multikernel.interfaces import LINE, BootOptions
from multikernel.system.ring import direction
from tests.metal.conftest import SECOND, Boot, once
from tests.metal.machines import PLUGINS, PROGRAMS, code, four_cores, sources, with_broken_core


def joined(events: list[Event]) -> list[int]:
    return sorted(event.core for event in events if isinstance(event, MonitorJoined))


def raised(events: list[Event]) -> list[ProgramRaised]:
    return [event for event in events if isinstance(event, ProgramRaised)]


def test_four_cores_come_up_and_join_the_boot_cores_monitor_first(boot: Boot) -> None:
    events, log = boot(four_cores(), sources(), "")
    up = [event for event in events if isinstance(event, CoreUp)]
    assert sorted(event.core for event in up) == joined(events) == [0, 1, 2, 3]
    assert {(event.isa, event.driver) for event in up} == {("x86-64", "x86-64")}
    assert next(event for event in events if isinstance(event, MonitorJoined)).core == 0
    assert [(event.core, event.members) for event in events if isinstance(event, Booted)] == [(0, 4)]
    assert [event.name for event in events if isinstance(event, ProcessStarted)] == ["monitor"] * 4
    assert '"event":"off","core":0,"status":0' in log.splitlines()[-1]


def test_ping_measures_each_class(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources(), "ping")
    (done,) = [event for event in events if isinstance(event, ProgramDone)]
    assert done.name == "ping"
    assert {row.columns for row in done.rows} == {("class", "pairs", "cycles", "sd", "per_kcycle")}
    assert [row.values[:2] for row in done.rows] == [("shared:package", 4), ("hops:1", 8)]
    for row in done.rows:
        _, _, cycles, sd, per_kcycle = row.values
        assert isinstance(cycles, int)
        assert 100 < cycles < 2000  # instructions: a send, a poll and the turns between
        assert 0 < float(sd) < cycles  # acknowledgements make some trips longer: no spread is no measurement
        assert 1000 / (4 * cycles) < float(per_kcycle) < 100  # a full window beats one at a time


def test_ping_runs_on_the_two_cores_of_each_class(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources(), "ping")
    assert [e.core for e in events if isinstance(e, ProcessStarted) and e.name == "ping"] == [0, 1, 0, 2]


@pytest.mark.determinism
def test_two_runs_print_the_same_bytes(boot: Boot, tmp_path: Path) -> None:
    assert once(four_cores(), sources(), "ping", tmp_path / "log") == boot(four_cores(), sources(), "ping")


def test_a_core_that_does_not_start_is_reported_and_the_rest_boots(boot: Boot) -> None:
    events, _ = boot(with_broken_core(four_cores(), 2), sources(), "ping")
    failures = [event for event in events if isinstance(event, CoreFailed)]
    assert [event.core for event in failures] == [2]
    assert "start-up IPIs" in failures[0].reason
    assert joined(events) == [0, 1, 3]
    assert [event.members for event in events if isinstance(event, Booted)] == [3]
    (skipped,) = [event for event in events if isinstance(event, Message)]
    assert skipped.text == "class hops:1 skipped: core 2 is not up"
    (done,) = [event for event in events if isinstance(event, ProgramDone)]
    assert [row.values[0] for row in done.rows] == ["shared:package"]


def test_a_side_with_a_wrong_channel_address_does_not_join(boot: Boot) -> None:
    right = four_cores()
    channels = (replace(right.channels[0], address_b=right.channels[0].address_b + 64), *right.channels[1:])
    events, _ = boot(replace(right, channels=channels), sources(), "")
    assert joined(events) == [0, 2, 3]
    assert [event.core for event in events if isinstance(event, CoreFailed)] == [1]


def test_a_core_left_out_of_the_table_is_noticed(boot: Boot) -> None:
    full = four_cores()
    three = replace(full, cores=full.cores[:3], channels=full.channels[:2])
    _, log = boot(three, sources(), "")
    reader = Reader(full, lambda event: None)
    for line in log.splitlines():
        reader.take(line)
    with pytest.raises(PlatformError, match="nothing of core 3: it is not in its core table"):
        reader.finish(85)


@pytest.mark.parametrize(
    ("program", "address"),
    [("intrude", 0x6F000000), ("vandal", 0x70000000), ("eavesdrop", four_cores().channels[0].address_a)],
)
def test_a_program_outside_its_memory_faults_and_the_rest_powers_off(boot: Boot, program: str, address: int) -> None:
    events, log = boot(four_cores(), sources(f"{program}.c"), program)
    (fault,) = raised(events)
    assert (fault.core, fault.name) == (0, program)
    assert re.fullmatch(rf"page fault at 0x70[0-9a-f]+: address {address:#x} is not the program's", fault.error)
    assert not [event for event in events if isinstance(event, ProgramDone)]
    assert '"event":"off","core":0,"status":1' in log.splitlines()[-1]


def test_what_only_the_monitor_may_do_is_refused_to_a_program(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("overreach.c"), "overreach")
    assert [event.name for event in events if isinstance(event, ProgramDone)] == ["overreach"]


def test_a_program_that_never_yields_is_preempted(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("spin.c"), "spin")
    (done,) = [event for event in events if isinstance(event, ProgramDone)]
    assert [row.values[0] for row in done.rows] == list(range(16))  # twice the mailbox, in order, each once


def test_a_bad_exit_status_is_an_event(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("fails.c"), "fails")
    assert [event.error for event in raised(events)] == ["exit status 3"]


def test_a_program_whose_peer_fails_does_not_hang_the_machine(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("deserter.c"), "deserter")
    assert [event.core for event in raised(events)] == [1]


def test_the_boot_list_runs_at_boot_and_names_what_has_no_facet(boot: Boot) -> None:
    events, _ = boot(replace(four_cores(), boot=("shell", "overreach")), sources("overreach.c"), "")
    assert [(e.name, e.text) for e in events if isinstance(e, Message)] == [
        ("shell", "has no C facet: not started on bare metal")
    ]
    assert [event.name for event in events if isinstance(event, ProgramDone)] == ["overreach"]


def test_a_panic_names_core_vector_and_address(boot: Boot) -> None:
    others = [path for path in sources() if path.parent != PLUGINS / "mk_monitor" / "metal"]
    with pytest.raises(PlatformError) as caught:
        boot(four_cores(), [*others, PROGRAMS / "broken_monitor.c"], "")
    assert re.fullmatch(
        r"core 0 panicked: the monitor faulted \(vector 0xe, error 0x4, rip 0x70[0-9a-f]+, cs 0x23, cr2 0xdead000\)",
        str(caught.value),
    )


def test_a_program_the_image_does_not_hold_is_refused(tools: None) -> None:
    session = QemuPlatform().boot(
        four_cores(), code(sources()), BootOptions(timeout_ns=20 * SECOND), lambda event: None
    )
    with pytest.raises(UsageError, match=r"'pong' has no C facet \(did you mean ping\?\)"):
        session.run("pong", ())
    with pytest.raises(UsageError, match="take no arguments"):
        session.run("ping", (("rounds", "3"),))


def test_keep_leaves_the_image_what_made_it_and_the_logs(
    tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    options = BootOptions(timeout_ns=20 * SECOND, keep=tmp_path.name)
    session = QemuPlatform().boot(four_cores(), code(sources()), options, lambda event: None)
    session.run("ping", ())
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"kernel.elf", "tables.c", "driver.ld", "monitor.elf", "ping.elf", "0-boot.log", "1-ping.log"}


def test_a_build_writes_to_its_cache_and_folder_alone(
    tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a compiler that is killed leaves nothing where nobody clears up."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    folder = tmp_path / "image"
    folder.mkdir()
    assert build_image(four_cores(), sources(), folder).is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "image"}
    assert not list(cache_folder().glob("build-*"))


def test_the_outcome_counts_what_was_sent(tools: None) -> None:
    session = QemuPlatform().boot(
        four_cores(), code(sources()), BootOptions(timeout_ns=20 * SECOND), lambda event: None
    )
    outcome = session.stop()
    # Three others: hello, welcome, joined, off, bye each.
    assert (outcome.messages, outcome.channels) == (15, 3)
    assert session.stop() == outcome
    with pytest.raises(UsageError, match="the kernel has been stopped"):
        session.run("ping", ())


def test_no_simd_in_the_image(tools: None, tmp_path: Path) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not installed")
    build_image(four_cores(), sources(), tmp_path)
    for name in ("kernel.elf", "monitor.elf", "ping.elf"):
        text = subprocess.run(["objdump", "-d", tmp_path / name], capture_output=True, text=True, check=True).stdout
        assert "iretq" in text or "int    $0x40" in text  # it is the disassembly of what we think
        assert not re.findall(r"%[xyz]?mm[0-9]|%st\b", text)


@pytest.mark.determinism
def test_two_builds_give_the_same_bytes(tools: None, tmp_path: Path) -> None:
    one, two = (build_image(four_cores(), sources(), tmp_path / name).read_bytes() for name in ("one", "two"))
    assert one == two
    assert b"/metal" not in one  # no path of the machine that built it


def test_a_source_that_says_nothing_is_refused(tmp_path: Path) -> None:
    stray = tmp_path / "stray.c"
    stray.write_text("int x;\n")
    with pytest.raises(PlatformError, match=r"stray\.c:1:1: not a source of an image; begin it with"):
        build_image(four_cores(), [*sources(), stray], tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file/folder: Not a directory; name a folder that can be written"):
        build_image(four_cores(), sources(), tmp_path / "file" / "folder")


def test_a_mistake_in_a_source_is_told_with_the_compilers_words(tools: None, tmp_path: Path) -> None:
    bad = tmp_path / "bad.c"
    bad.write_text("// metal: library\nint f(void) { return nothing; }\n")
    with pytest.raises(PlatformError, match=r"bad\.c:2:22: error: .*undeclared identifier 'nothing'"):
        build_image(four_cores(), [*sources(), bad], tmp_path)


def test_shared_data_in_a_driver_is_refused(tools: None, tmp_path: Path) -> None:
    bad = tmp_path / "shared.c"
    bad.write_text("// metal: driver\nint shared_by_all_cores = 1;\n")
    with pytest.raises(PlatformError, match="a driver has no data but its core's"):
        build_image(four_cores(), [*sources(), bad], tmp_path)


def test_less_memory_than_the_table_says_is_a_panic(tools: None, tmp_path: Path) -> None:
    image = build_image(four_cores(), sources(), tmp_path)
    less = replace(
        four_cores(), memory=tuple(replace(m, base=m.base // 2, size=m.size // 2) for m in four_cores().memory)
    )
    reader = Reader(four_cores(), lambda event: None)
    status = run(command(less, image, ""), 60, reader.take)
    with pytest.raises(PlatformError, match="core 0 panicked: the machine has less memory than the memory table"):
        reader.finish(status)


def test_a_wake_up_before_the_block_is_not_lost_and_a_deadline_ends_one(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("wakeful.c"), "wakeful")
    assert [event.name for event in events if isinstance(event, ProgramDone)] == ["wakeful"]


def test_lines_are_fresh_whatever_the_firmware_left_there(boot: Boot) -> None:
    """The firmware's data area at 0x9fc00 begins with its size in KiB, 1: as a header, message 1 of no bytes."""
    base = four_cores()
    into = 0x9FC00 - direction(base.channels[0].slots) * LINE
    channels = (replace(base.channels[0], address_a=into, address_b=into), *base.channels[1:])
    events, _ = boot(replace(base, channels=channels), sources(), "")
    assert joined(events) == [0, 1, 2, 3]


@pytest.mark.parametrize("program", ["upcalls", "threads"])
def test_dispatchers_have_their_upcalls(boot: Boot, program: str) -> None:
    events, _ = boot(four_cores(), sources(f"{program}.c"), program)
    assert not [event.error for event in raised(events)]
    assert [event.name for event in events if isinstance(event, ProgramDone)] == [program]


def test_an_upcall_address_of_the_drivers_faults_in_user_mode(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("wild.c"), "wild")
    assert [event.error for event in raised(events)] == [
        "page fault at 0x6f000000: address 0x6f000000 is not the program's"
    ]


def test_a_fault_in_the_upcall_for_disabled_faults_ends_the_program(boot: Boot) -> None:
    events, _ = boot(four_cores(), sources("twice.c"), "twice")
    (fault,) = raised(events)
    assert fault.error.endswith("address 0xbad0001 is not the program's")
