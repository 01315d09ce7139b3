"""A corpus of bad boards, each with its exact message at the place marked by hand in the file:

#    ^ code: message          under the offending line, the caret under the offending column
#! line:col: code: message    where no comment can point (before column 3, or the comment would mend the file)
#! file line:col: ...         in another file of the chain
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from multikernel.board import load_board
from multikernel.board.codes import CODES
from multikernel.errors import BoardError

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.yaml"))


def expected(path: Path) -> list[str]:
    """`file:line:col: code: message` of every mark in a file."""
    marks: list[str] = []
    line = 0
    for number, text in enumerate(path.read_text().split("\n"), 1):
        if plain := re.fullmatch(r"#! (?:(\S+\.yaml) )?(\d+:\d+: .*)", text):
            marks.append(f"{plain[1] or path.name}:{plain[2]}")
        elif caret := re.fullmatch(r"# *(\^) (.*)", text):
            marks.append(f"{path.name}:{line}:{caret.start(1) + 1}: {caret[2]}")
        else:
            line = number
    return marks


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_mistake_is_told_where_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(BoardError) as caught:
        load_board(path.name, sources=())
    assert sorted(map(str, caught.value.diagnostics)) == sorted(expected(path))
    assert all(diagnostic.code in CODES for diagnostic in caught.value.diagnostics)


def test_the_source_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(BoardError) as caught:
        load_board("overlay-keeps-the-parents-place.yaml", sources=())
    assert {d.file: d.source for d in caught.value.diagnostics}["parents/base.yaml"].startswith("kinds: {k:")


def test_the_corpus_covers_every_code_a_file_can_show() -> None:
    assert len(FILES) >= 80
    shown = {code for path in FILES for mark in expected(path) for code in re.findall(r":\d+: ([a-z-]+):", mark)}
    elsewhere = {"yaml-encoding", "yaml-size", "yaml-depth", "extends-deep", "space-deep", "bad-value"}
    """Tested by text that is made, in test_loader.py; `bad-value` is what a new kind of check falls back to."""
    elsewhere |= {"unknown-program"}  # what plugins offer is known to the command alone: test_cli_board.py
    files = {code for code in CODES if code.startswith("file-") or code == "board-unknown"}
    assert set(CODES) - shown - elsewhere - files == set()
