"""Loading: what no file of the corpus can hold, names, overlays, scalars, and limits."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from multikernel.board import load_board
from multikernel.board.find import find_board, packaged_folder
from multikernel.board.yamlread import SyntaxFault, read_yaml
from multikernel.errors import BoardError, FileError
from multikernel.spec import BoardDirSpec

MINIMAL = """\
schema: board/1
name: small
summary: s
kinds: {k: {isa: x86-64, mhz: 2000}}
cores: [{ids: 0-3, kind: k}]
regions: [{id: mem, size: 1G, base: 0}]
"""


def fault(text: str) -> str:
    with pytest.raises(SyntaxFault) as caught:
        read_yaml(text, "f.yaml")
    return f"{caught.value.mark}: {caught.value.code}"


def codes(path: Path) -> list[str]:
    with pytest.raises(BoardError) as caught:
        load_board(str(path), sources=())
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("010", 10),
        ("0o10", 8),
        ("0x10", 16),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("~", None),
        ("1.5", 1.5),
        ("'1'", "1"),
        ('"true"', "true"),
        (".nan", ".nan"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(plain: str, value: object) -> None:
    data = read_yaml(f"a: {plain}", "f.yaml").data
    assert data == {"a": value}
    assert isinstance(data, dict)
    assert type(data["a"]) is type(value)


def test_every_value_has_its_place() -> None:
    spot = read_yaml("a:\n  - {b: 1, c: [2, 3]}\n", "f.yaml").spot
    assert str(spot.find(("a", 0, "c", 1))) == "f.yaml:2:19"
    assert str(spot.find_key(("a", 0, "c"))) == "f.yaml:2:12"
    assert str(spot.find(("a", 0, "tag", "c"))) == "f.yaml:2:15"
    assert str(spot.find(("a", 7))) == "f.yaml:2:3"


def test_depth_is_bounded() -> None:
    assert read_yaml("[" * 64 + "]" * 64, "f.yaml").spot.mark == ("f.yaml", 1, 1)
    assert fault("[" * 65 + "]" * 65) == "f.yaml:1:65: yaml-depth"
    assert fault("[" * 200_000) == "f.yaml:1:65: yaml-depth"


def test_size_is_bounded() -> None:
    assert fault("#" + "x" * (4 << 20)) == "f.yaml:0:0: yaml-size"


def test_control_characters_are_refused() -> None:
    assert fault("a: 1\nb: \x07") == "f.yaml:2:4: yaml-encoding"


@pytest.mark.parametrize(("content", "place"), [(b"name: caf\xe9", "1:10"), (b"a: 1\nb: \xff", "2:4")])
def test_bytes_that_are_not_utf8(tmp_path: Path, content: bytes, place: str) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(content)
    with pytest.raises(BoardError, match=f"b.yaml:{place}: yaml-encoding: not UTF-8"):
        load_board(str(path), sources=())


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load_board(str(path), sources=()).name == "small"


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("")
    assert codes(path) == ["yaml-empty"]


def test_a_long_chain_of_parents(tmp_path: Path) -> None:
    for index in range(20):
        (tmp_path / f"b{index}.yaml").write_text(f"extends: b{index + 1}\n")
    assert codes(tmp_path / "b0.yaml") == ["extends-deep"]


def test_a_long_chain_of_spaces(tmp_path: Path) -> None:
    def chain(length: int) -> Path:
        path = tmp_path / f"{length}.yaml"
        spaces = "".join(f"  s{i}: {{overlay: s{i + 1}}}\n" for i in range(length))
        path.write_text(f"{MINIMAL}spaces:\n{spaces}  s{length}: {{overlay: phys}}\n")
        return path

    assert load_board(str(chain(63)), sources=()).topology().address("s0", "mem", 1) == 1
    assert codes(chain(64)) == ["space-deep"]
    assert codes(chain(2000)) == ["space-deep"] * 1937


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "boards.yaml").write_text(MINIMAL)
    with pytest.raises(FileError, match=r"no such file; did you mean .*boards\.yaml\?") as missing:
        load_board(str(tmp_path / "board.yaml"), sources=())
    assert (missing.value.code, missing.value.exit_code) == ("file-missing", 3)
    with pytest.raises(FileError, match="this is a folder") as folder:
        load_board(f"{tmp_path}/", sources=())
    assert folder.value.code == "file-directory"
    with pytest.raises(FileError) as odd:
        load_board("a/\0.yaml", sources=())
    assert odd.value.code == "file-unreadable"


def test_names_near_and_far() -> None:
    with pytest.raises(FileError, match=r"no board 'zcu12'; did you mean zcu102\?") as caught:
        load_board("zcu12", sources=())
    assert (caught.value.code, caught.value.exit_code) == ("board-unknown", 3)
    with pytest.raises(FileError, match=r"boards: .*\bx86-qemu, .*\bzcu102"):
        load_board("qqqqqqqq", sources=())


def test_a_name_is_looked_for_here_then_packaged_then_in_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = BoardDirSpec(
        "made", "s", generate=lambda name: MINIMAL if name in ("made", "zcu102") else None, names=("made",)
    )
    assert load_board("made", sources=(made,)).name == "small"
    assert load_board("zcu102", sources=(made,)).name == "zcu102"
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/zcu102.yaml").write_text(MINIMAL)
    assert load_board("zcu102", sources=(made,)).name == "small"
    folder = BoardDirSpec("folder", "s", path=tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.yaml").write_text(MINIMAL.replace("small", "mine"))
    assert load_board("mine", sources=(folder,)).name == "mine"


def test_a_packaged_board_is_called_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, packaged_folder(), packaged_folder().parent):
        monkeypatch.chdir(folder)
        assert find_board("zcu102").file == "boards/zcu102.yaml"
    mine = tmp_path / "boards" / "zcu102.yaml"
    mine.parent.mkdir()
    mine.write_text(f"extends: {packaged_folder() / 'zcu102.yaml'}\nname: mine\n")
    monkeypatch.chdir(tmp_path)
    assert find_board("zcu102").file == "boards/zcu102.yaml"
    assert find_board(str(packaged_folder() / "zcu102.yaml")).file == str(packaged_folder() / "zcu102.yaml")
    assert load_board("zcu102").name == "mine", "two files of one name are told apart"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MINIMAL.replace("2000", "fast").encode())))
    with pytest.raises(BoardError, match=r"^<stdin>:4:31: bad-clock"):
        load_board("-", sources=())


def test_overlays_merge_mappings_and_replace_lists(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(MINIMAL)
    (tmp_path / "slow.yaml").write_text("kinds: {k: {mhz: 100, word: 32}}\nname: slow\n")
    (tmp_path / "top.yaml").write_text(
        "extends: [base, slow]\nname: top\nkinds: {k: {word: 64}}\ncores: [{ids: 7, kind: k}]\n"
    )
    board = load_board(str(tmp_path / "top.yaml"), sources=())
    kind = board.topology().kind("k")
    assert (board.name, kind.isa, kind.mhz, kind.word) == ("top", "x86-64", 100, 64)
    assert [core.id for core in board.topology().cores] == [7]
    assert board.where("kinds", "k", "mhz").endswith("slow.yaml:1:18")
    assert board.where("kinds", "k", "isa").endswith("base.yaml:4:18")
    assert board.where("cores", 0).endswith("top.yaml:4:9")


def test_a_parent_met_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "b15.yaml").write_text(MINIMAL)
    for index in range(15):
        (tmp_path / f"b{index}.yaml").write_text(
            f"extends: [b{index + 1}, b{index + 1}, b{index + 1}]\nname: b{index}\n"
        )
    assert load_board(str(tmp_path / "b0.yaml"), sources=()).name == "b0"  # 3^15 readings would take hours


def test_a_board_may_extend_a_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "hot.yaml").write_text("extends: paper-8x4-amd\nname: hot\nkinds: {k10: {mhz: 2.3 GHz}}\n")
    board = load_board(str(tmp_path / "hot.yaml"), sources=())
    assert (board.topology().kind("k10").mhz, len(board.topology().cores)) == (2300, 32)


def test_the_hash_is_of_the_content_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL)
    (tmp_path / "b.yaml").write_text("# the same\n" + MINIMAL.replace("1G", "1024M").replace("2000", "2 GHz"))
    (tmp_path / "c.yaml").write_text(MINIMAL.replace("1G", "2G"))
    a, b, c = (load_board(str(tmp_path / f"{name}.yaml"), sources=()).hash for name in "abc")
    assert a == b
    assert a != c


def test_bindings_are_flat(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(
        MINIMAL + "bind: {transport: {island:remote: ump}, consistency: {shootdown: auto}, cpu-driver: {k: x}}\n"
    )
    assert load_board(str(path), sources=()).bindings() == (
        ("monitor", "auto"),
        ("transport:island:remote", "ump"),
        ("cpu-driver:k", "x"),
        ("consistency:shootdown", "auto"),
        ("skb", "auto"),
    )


def test_five_thousand_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Aim: under 0.5 s on this class of machine.  Printed, not asserted."""
    path = tmp_path / "large.yaml"
    cores = "".join(f"  - {{ids: {i}, kind: k}}\n" for i in range(2000))
    regions = "".join(f"  - id: m{i}\n    size: 1M\n    base: {i << 20:#x}\n" for i in range(1000))
    text = MINIMAL[: MINIMAL.index("cores:")] + "cores:\n" + cores + "regions:\n" + regions
    path.write_text(text)
    start = time.perf_counter()
    board = load_board(str(path), sources=())
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{text.count(chr(10))} lines validated in {seconds:.3f} s")
    assert len(board.topology().cores) == 2000
