"""Whatever stands in a file, loading it gives a board or told mistakes that point into the file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from multikernel.board import Board, load_board
from multikernel.board.find import packaged_folder
from multikernel.errors import BoardError
from multikernel.spec import BoardDirSpec

TEXTS = [path.read_text() for path in sorted(packaged_folder().glob("*.yaml"))]
PIECES = [
    "",
    "~",
    "[]",
    "{}",
    "-1",
    "0-3",
    "true",
    "1e9",
    "node0",
    "phys",
    "[0, 0]",
    "{a: 1}",
    "'",
    "*a",
    "\t",
    "!x",
    "99999",
]


def load(text: str) -> Board | BoardError:
    source = BoardDirSpec("made", "s", generate=lambda name: text if name == "made" else None, names=("made",))
    try:
        return load_board("made", search=(Path("/nowhere"),), sources=(source,))
    except BoardError as error:
        return error


def check(text: str) -> None:
    result = load(text)
    if isinstance(result, Board):
        topology = result.topology()
        assert sum(c.pairs for c in topology.classes()) == len(topology.cores) * (len(topology.cores) - 1)
        return
    lines = text.splitlines()
    assert result.diagnostics
    for diagnostic in result.diagnostics:
        assert diagnostic.message
        assert diagnostic.file in ("<made>", "boards/zcu102.yaml") or diagnostic.file.endswith(".yaml")
        if diagnostic.file == "<made>":
            assert 0 <= diagnostic.line <= len(lines) + 1


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A shipped board with some of its scalars replaced, lines dropped or doubled."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "value", "cut"])):
            case "drop":
                lines[at] = ""
            case "double":
                lines.insert(at, lines[at])
            case "value":
                words = lines[at].split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(PIECES))
                lines[at] = " ".join(words)
            case _:
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
    return "\n".join(lines)


@given(broken())
@settings(max_examples=250, deadline=None)
def test_a_broken_board(text: str) -> None:
    check(text)


@given(st.text(alphabet=st.sampled_from("ab:-[]{},'\"#&*!|>%@`\n\t ?~0x\x00\u2028é"), max_size=40))
@settings(max_examples=300, deadline=None)
@example("? a\n: b")
@example("schema: board/1\nextends: ''")
@example("a: !<")
@example("%YAML 1.2\n---\na")
@example("a: \ud800")
def test_any_text(text: str) -> None:
    check(text)
