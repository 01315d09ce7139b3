"""`mkit boot` and `mkit image`, as a process: lines, the JSON object, exit codes, what is left behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Mkit = Callable[..., "subprocess.CompletedProcess[str]"]
Spawn = Callable[..., "subprocess.Popen[str]"]

KEYS = [
    "schema_version",
    "board",
    "platform",
    "seed",
    "digest",
    "cores",
    "channels",
    "virtual_ns",
    "programs",
    "faults",
]
MKIT = [sys.executable, "-m", "multikernel"]


def test_lines_core_by_core_then_tree_then_tables(mkit: Mkit) -> None:
    done = mkit("boot", "x86-qemu", "--run", "ping", "--set", "ping.rounds=4", "--set", "ping.messages=32")
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    assert re.match(r"x86-qemu on sim: 4 cores, seed 0, blueprint [0-9a-f]{12}\n", out)
    for core in range(4):
        assert f"] core {core} up: x86-64, driver x86-64\n" in out
        assert f"] core {core} joined: " in out
    order = ["joined: 4 of 4\n", "up: 4 of 4 cores\n", "\nprocesses\n  monitor", "\nping: ok\n  class ", "\noff at "]
    assert [out.index(text) for text in order] == sorted(out.index(text) for text in order)
    assert re.search(r"    ping +cores 0-2, \d+ dispatchers\n", out)
    assert "\x1b" not in out


def test_the_last_line_is_one_object(mkit: Mkit) -> None:
    done = mkit("boot", "x86-qemu", "--json", "--seed", "5", "--run", "echo", "--set", "echo.number=7", "--run", "echo")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    document = json.loads(line)
    assert list(document) == KEYS
    assert {key: document[key] for key in KEYS[:4]} == {
        "schema_version": 1, "board": "x86-qemu", "platform": "sim", "seed": 5,
    }  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{64}", document["digest"])
    assert document["cores"] == [
        {"id": core, "isa": "x86-64", "driver": "x86-64", "state": "joined"} for core in range(4)
    ]
    assert document["channels"] == 3
    assert document["virtual_ns"] > 0
    result = [{"number": 7, "share": 2.5, "word": "none"}]
    assert document["programs"] == [{"name": "echo", "status": "ok", "result": result}] * 2
    assert '"share": 2.5' in line


def test_a_board_without_latencies_boots_on_the_simulator_under_a_warning(mkit: Mkit) -> None:
    done = mkit("boot", "host:3", "--json")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("warning: host-3: no latency between cores is stated; 300 ns taken for every pair")
    assert [core["state"] for core in json.loads(done.stdout)["cores"]] == ["joined"] * 3


def test_a_failed_core_is_said_and_the_exit_is_0(mkit: Mkit, broken_board: str) -> None:
    done = mkit("boot", broken_board, "--json", "--run", "echo")
    assert done.returncode == 0
    assert done.stderr == (
        "warning: core 2 failed: no hello within 500 ms (the board says: no clock)\n"
        "warning: broken: 1 of 4 cores are not up\n"
    )
    document = json.loads(done.stdout)
    assert [core["state"] for core in document["cores"]] == ["joined", "joined", "failed", "joined"]
    assert document["programs"][0]["status"] == "ok"


@pytest.mark.parametrize(
    ("program", "core", "dispatcher"), [("fails", 0, "fails.0/main"), ("remote", 3, "remote.3/main")]
)
def test_a_program_that_raises_exits_7(mkit: Mkit, program: str, core: int, dispatcher: str) -> None:
    done = mkit("boot", "x86-qemu", "--json", "--run", "echo", "--run", program, "--run", "ping")
    assert done.returncode == 7
    assert re.fullmatch(
        rf"error: program: program {program} raised on core {core} in {dispatcher} at \d+ ns: "
        r"ZeroDivisionError: on purpose\n",
        done.stderr,
    )
    document = json.loads(done.stdout)
    assert list(document) == KEYS
    assert [(row["name"], row["status"]) for row in document["programs"]] == [
        ("echo", "ok"), (program, "failed"), ("ping", "not-run"),
    ]  # fmt: skip
    assert document["programs"][1]["result"] == []
    assert len(document["digest"]) == 64
    plain = mkit("boot", "x86-qemu", "--run", program)
    assert plain.returncode == 7
    assert f"core {core} {dispatcher} raised ZeroDivisionError: on purpose" in plain.stdout
    assert "Traceback" not in plain.stdout + plain.stderr


def test_what_does_not_end_exits_6(mkit: Mkit) -> None:
    done = mkit("boot", "x86-qemu", "--json", "--run", "hangs", "--timeout", "0.1")
    assert done.returncode == 6
    assert done.stderr.startswith("error: boot-timeout: program hangs did not end within 100000000 ns of virtual time")
    assert json.loads(done.stdout)["programs"] == [{"name": "hangs", "status": "failed", "result": []}]
    done = mkit("boot", "paper-8x4-amd", "--json", "--timeout", "0.001")
    assert done.returncode == 6
    document = json.loads(done.stdout)
    assert document["cores"][0]["state"] == "joined"
    assert document["cores"][31]["state"] == "off"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["paper-8x4"], 3, "board-unknown: no board 'paper-8x4'; did you mean paper-8x4-amd"),
        (["x86-qemu", "--platform", "simm"], 2, "there is no platform 'simm' (did you mean sim?)"),
        (["x86-qemu", "--run", "pnig"], 2, "there is no program 'pnig' (did you mean ping?"),
        (
            ["x86-qemu", "--run", "ping", "--set", "ping.round=1"],
            2,
            "takes no parameter 'round' (did you mean rounds?)",
        ),
        (["x86-qemu", "--run", "ping", "--set", "ping.rounds=x"], 2, "rounds must be an integer, not 'x'"),
        (["x86-qemu", "--run", "echo", "--set", "ping.rounds=1"], 2, "ping is not run; add --run ping"),
        (["x86-qemu", "--run", "ping-echo"], 2, "ping-echo is one side of ping, which starts it; run ping"),
        (["x86-qemu", "--set", "pnig.rounds=1"], 2, "there is no program 'pnig'"),
        (["x86-qemu", "--run", "ping", "--set", "rounds=1"], 2, "write PROGRAM.KEY=VALUE"),
        (["x86-qemu", "--timeout", "0"], 2, "--timeout 0: seconds, more than 0"),
        (["x86-qemu", "--timeout", "nan"], 2, "--timeout nan: seconds, more than 0"),
        (["x86-qemu", "--trace", "/nowhere/trace"], 3, "/nowhere/trace: No such file or directory"),
        (["x86-qemu", "--keep", "/dev/null/here"], 3, "/dev/null/here: Not a directory"),
    ],
)
def test_wrong_words(mkit: Mkit, arguments: list[str], code: int, message: str) -> None:
    done = mkit("boot", *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_trace_that_finds_no_room_is_an_error(mkit: Mkit) -> None:
    done = mkit("boot", "x86-qemu", "--trace", "/dev/full")
    assert done.returncode == 3
    assert done.stderr == "error: file: /dev/full: No space left on device; choose a file that can be written\n"


def test_a_dry_run_boots_nothing(mkit: Mkit, tmp_path: Path) -> None:
    done = mkit("boot", "x86-qemu", "--dry-run", "--run", "ping", "--keep", "kept")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "x86-qemu: binds for sim, 4 cores; would run ping; nothing was booted\n"
    assert not (tmp_path / "kept").exists()
    done = mkit("boot", "x86-qemu", "--dry-run", "--run", "ping", "--json")
    document = json.loads(done.stdout)
    assert list(document) == KEYS
    assert [core["state"] for core in document["cores"]] == ["off"] * 4
    assert document["programs"] == [{"name": "ping", "status": "not-run", "result": []}]


def test_what_a_run_leaves(mkit: Mkit, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: x86-qemu\nname: mine\n")
    report = json.loads(mkit("boot", "./mine.yaml", "--json", "--keep", "kept/run", "--trace", "trace").stdout)
    kept = tmp_path / "kept" / "run"
    assert sorted(path.name for path in kept.iterdir()) == ["blueprint.json", "board.yaml", "events.jsonl"]
    assert mkit("board", "diff", "./mine.yaml", "kept/run/board.yaml").stdout == "the boards say the same\n"
    assert (
        mkit("assemble", "./mine.yaml", "--platform", "sim", "-o", "-").stdout == (kept / "blueprint.json").read_text()
    )
    events = [json.loads(line) for line in (kept / "events.jsonl").read_text().splitlines()]
    assert events[0] == {"event": "CoreUp", "at_ns": events[0]["at_ns"], "core": 0, "isa": "x86-64", "driver": "x86-64"}
    assert events[-1]["event"] == "Booted"
    deliveries = [json.loads(line) for line in (tmp_path / "trace").read_text().splitlines()]
    assert deliveries
    assert {*deliveries[0]} == {"at_ps", "line", "core", "data"}
    again = json.loads(mkit("boot", "kept/run/board.yaml", "--json").stdout)
    assert again == report


def test_an_interrupt_exits_130_and_powers_off(mkit: Mkit) -> None:
    done = mkit("boot", "x86-qemu", "--json", "--run", "interrupts")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*MKIT, "boot", "x86-qemu"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 1


def test_a_terminal_shows_the_cores_fill_in(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")} | {"TERM": "xterm"}
    with subprocess.Popen(
        [*MKIT, "boot", "x86-qemu", "--run", "ping"], cwd=tmp_path, stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "4 joined" in text
    assert "running ping ..." in text
    assert "hops:0" in text


def test_lines_do_not_cost_the_library_that_draws(tmp_path: Path) -> None:
    code = (
        "import sys; from multikernel.cli.root import run; run(['boot', 'x86-qemu'])\n"
        "sys.exit(any(m in sys.modules for m in ('rich', 'mk_host.platform', 'mk_qemu.platform')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.slow
def test_32_cores_boot_from_the_shell_in_two_seconds(tmp_path: Path) -> None:
    """The aim is 2 s; measured as processor time, so that a busy machine does not fail it."""
    before = os.times()
    subprocess.run([*MKIT, "boot", "paper-8x4-amd"], cwd=tmp_path, capture_output=True, check=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2


def test_an_image_of_a_board(mkit: Mkit, tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="no ziglang")
    done = mkit("image", "x86-qemu", "-o", "out/here", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["schema_version", "board", "platform", "hash", "file"]
    assert (document["platform"], document["file"]) == ("qemu", str(tmp_path / "out/here/kernel.elf"))
    assert (tmp_path / "out/here/kernel.elf").read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["zcu102"], 5, "binding: core 4 has no way to boot core 0"),
        (["x86-qemu", "--platform", "sim"], 2, "platform sim boots no image; those that do: qemu"),
        (["x86-qemu", "--platform", "qmeu"], 2, "there is no platform 'qmeu' (did you mean qemu?)"),
        (["x86-qemu", "-o", "/dev/null/x"], 3, "file: /dev/null/x: Not a directory"),
    ],
)
def test_images_that_cannot_be(mkit: Mkit, arguments: list[str], code: int, message: str) -> None:
    done = mkit("image", *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_image(mkit: Mkit, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    done = mkit("image", "x86-qemu", "--dry-run")
    assert done.returncode == 0
    assert "would build in build/x86-qemu; nothing was built" in done.stderr
    assert json.loads(mkit("image", "x86-qemu", "--dry-run", "--json").stdout)["file"] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def session_members(session: int) -> list[int]:
    """Processes of a session, zombies aside."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize("platform", ["sim", "host"])
def test_ctrl_c_at_the_terminal_leaves_nothing_behind(mkit_command: Spawn, platform: str) -> None:
    """SIGINT to the whole foreground group, as a terminal sends it, while a program runs."""
    with mkit_command("boot", "x86-qemu", "--platform", platform, "--run", "spins") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "starts spins" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == ""
    assert "off at" not in rest
    assert session_members(process.pid) == []
