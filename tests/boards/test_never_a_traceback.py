"""Whatever stands in a file, loading it gives a board or told mistakes that point into the file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from multikernel.board import Board, load_board
from multikernel.board.find import packaged_folder
from multikernel.errors import BoardError
from multikernel.spec import BoardDirSpec

ALL = """
channels:
  - region: ocm
    offset: 0x0
    size: 4K
    slots: 16
    a: {core: 0, address: 0xfffc0000, line: 64, cached: true, endian: little, doorbell: true}
    b: {core: 4, address: 0x20000000, line: 32, cached: false}
devices:
  - {id: mbox, cls: mailbox, channels: 8, irqs: 2}
  - {id: pci0, cls: pci-host, apertures: [{base: 0x60000000, size: 16M}]}
  - {id: nic0, cls: nic, bridge: pci0, iommu: mbox, irqs: 8, msi: true, bars: [{size: 64K}, {size: 1M, bits: 64}]}
latency:
  method: made up
  classes:
    - {cls: remote, mean: 180, sd: 0, unit: ns, status: assumed, source: t}
    - {cls: remote, home: receiver, mean: 100, sd: 2, min: 80, max: 130, p99: 120, count: 12,
       status: assumed, source: t}
  offsets: [{cores: 0-1, plus: -3, status: assumed, source: t}]
  matrix: {ids: [4, 0, 1], status: assumed, source: t, matrix: [[0, 1, 2], [3, 0, 4], [5, 6, 0]]}
"""
"""What the shipped boards may have no example of."""
TEXTS = [path.read_text() for path in sorted(packaged_folder().glob("*.yaml"))]
TEXTS += [(Path(__file__).parent / "bad/parents/two-islands.yaml").read_text() + ALL] * len(TEXTS)
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


def test_the_board_with_all_sections_is_valid() -> None:
    assert isinstance(load(TEXTS[-1]), Board)


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
