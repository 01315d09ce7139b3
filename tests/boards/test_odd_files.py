"""What is no board file at all: refused at once, in bounded memory, never with a traceback; exit 3 or 4."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest

from multikernel.board import load_board
from multikernel.cli import root
from multikernel.errors import BoardError

SMALL = "schema: board/1\nname: small\nsummary: s\nkinds: {k: {isa: x, mhz: 1}}\ncores: [{ids: 0, kind: k}]\n"
GOOD = SMALL + "regions: [{id: m, size: 1K, base: 0}]\n"


def validate(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    """Exit code and what `mkit board validate` says, in a process that must end."""
    command = [sys.executable, "-m", "multikernel", "board", "validate", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(GOOD.encode() + b"# padding\n" * (1 << 20))
    assert path.stat().st_size > 10_000_000
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(BoardError, match=r"large\.yaml:0:0: yaml-size: the file is larger than 4 MB"):
        load_board(str(path), sources=())
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 0.5
    assert peak < 20 << 20


def test_a_short_text_that_says_much_is_refused(tmp_path: Path) -> None:
    """Ranges of cores a million times over: bounded by ids, not by bytes."""
    path = tmp_path / "wide.yaml"
    rows = "".join(f"  - {{level: L{index}, sets: [0-65535]}}\n" for index in range(20_000))
    path.write_text(f"{GOOD}groups:\n{rows}")
    start = time.perf_counter()
    with pytest.raises(BoardError, match="ids-many"):
        load_board(str(path), sources=())
    assert time.perf_counter() - start < 5


def test_a_set_that_repeats_itself_stops_at_once(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(f"{GOOD}groups: [{{level: L2, sets: ['{','.join(['0-65535'] * 50_000)}']}}]\n")
    with pytest.raises(BoardError, match=r"bad-ids: .*core 0 stands twice"):
        load_board(str(path), sources=())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "1.yaml:0:0: yaml-empty"),
        (b"\n\n", "1.yaml:0:0: yaml-empty"),
        (b"\0" * 64, "1.yaml:1:1: yaml-encoding"),
        (b"schema: board/1\nname: a\0b\n", "1.yaml:2:8: yaml-encoding"),
        (b"schema: board/1\nname: \xff\xfe\n", "1.yaml:2:7: yaml-encoding: not UTF-8"),
        (GOOD.encode("utf-16"), "1.yaml:1:1: yaml-encoding: not UTF-8"),
        (b"[" * 100_000, "1.yaml:1:65: yaml-depth"),
        (b"a: " * 1000, "1.yaml:1:5: yaml-syntax"),
        (b"- " * 100_000, "1.yaml:1:129: yaml-depth"),
        (b"{a: " * 100_000, "1.yaml:1:"),
        (b"\x7fELF\x02\x01\x01", "1.yaml:1:1: yaml-encoding"),
    ],
)
def test_what_no_editor_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes, told: str
) -> None:
    (tmp_path / "1.yaml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert root.run(["board", "validate", "1.yaml"]) == 4
    assert told in capsys.readouterr().err


def test_standard_input() -> None:
    assert validate("-", stdin=GOOD.encode()) == (0, "-: valid, 1 cores\n")
    code, said = validate("-", stdin=(GOOD + "cors: 1\n").encode())
    assert code == 4
    assert "<stdin>:7:1: unknown-key" in said
    assert "Traceback" not in said
    code, said = validate("-", stdin=b"#" * (5 << 20))
    assert (code, "<stdin>:0:0: yaml-size" in said) == (4, True)


def test_a_device_without_end() -> None:
    code, said = validate("/dev/zero")
    assert (code, said.splitlines()[0]) == (4, "/dev/zero:0:0: yaml-size: the file is larger than 4 MB")


def test_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    code, said = validate(str(path))
    assert (code, "file-pipe: nobody writes to this pipe" in said) == (3, True)
    code, said = validate("/dev/fd/0", stdin=GOOD.encode())
    assert (code, said) == (0, "/dev/fd/0: valid, 1 cores\n")


@pytest.mark.parametrize("name", ["a" * 5000, "./" + "a" * 5000, "", ".", "..", "a\0b", "./a\0b", "/", "x/y/z"])
def test_names_of_nothing(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert root.run(["board", "validate", name]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_parent_that_cannot_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(f"extends: {'a' * 5000}\n")
    with pytest.raises(BoardError, match=r"b\.yaml:1:10: extends-unknown"):
        load_board(str(path), sources=())
    path.write_text("extends: ./\n")
    with pytest.raises(BoardError, match=r"b\.yaml:1:10: extends-unknown: .*file-directory"):
        load_board(str(path), sources=())


AS_NOBODY = """
import os, sys
from multikernel.cli import root
root.run(["board", "validate", "zcu102", "nope"])  # everything is imported before the right to read it goes
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(root.run(["board", "validate", *sys.argv[1:]]))
"""


def test_without_permission() -> None:
    """As another user where this one is root, who may read everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret.yaml").write_text(GOOD)
        (folder / "secret.yaml").chmod(0)
        (folder / "boards").mkdir()
        (folder / "boards" / "mine.yaml").write_text(GOOD)
        (folder / "boards").chmod(0)
        (folder / "over.yaml").write_text("extends: secret.yaml\n")
        (folder / "over.yaml").chmod(0o644)
        said = {}
        for board in ("./secret.yaml", "mine", "boards/mine.yaml", "over.yaml"):
            command = [sys.executable, "-c", AS_NOBODY, board]
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
            said[board] = (done.returncode, done.stderr.decode())
        (folder / "boards").chmod(0o755)
    assert {board: code for board, (code, _) in said.items()} == {
        "./secret.yaml": 3, "mine": 3, "boards/mine.yaml": 3, "over.yaml": 4
    }  # fmt: skip
    assert "secret.yaml:0:0: file-permission: may not be read" in said["./secret.yaml"][1]
    assert "no board 'mine'" in said["mine"][1]
    assert "boards/mine.yaml:0:0: file-permission" in said["boards/mine.yaml"][1]
    assert "over.yaml:1:10: extends-unknown: secret.yaml:0:0: file-permission" in said["over.yaml"][1]
    assert not [board for board, (_, text) in said.items() if "Traceback" in text]
