"""Loading a board: text, positions, overlays, models, references; every mistake of a stage at once.

    load_board(name_or_path, search, sources) -> Board
    edited(board, content) -> Board     what a changed board would be

Stages: files and syntax (the first mistake ends it), shape (pydantic), references.  A stage runs only when
the one before found nothing.

Raises BoardError (diagnostics with file:line:col, code, alternatives) and FileError.
May not know: which boards there are, what a slot may be bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from multikernel.board.find import SEARCH, find_board
from multikernel.board.marks import Mark
from multikernel.board.model import Board
from multikernel.board.overlay import load_document
from multikernel.board.references import reference_faults
from multikernel.board.shape import Fault, shape_faults
from multikernel.board.units import MAX_IDS, Ids, TooManyIds
from multikernel.board.yamlread import Data, SyntaxFault, lines_of
from multikernel.errors import BoardError, Diagnostic
from multikernel.spec import BoardDirSpec


def load_board(
    name_or_path: str, search: Sequence[Path] = SEARCH, sources: Iterable[BoardDirSpec] | None = None
) -> Board:
    """The board of a path, of a name under `search`, packaged, or offered by plugins (`sources`; None: the
    installed ones).  `-` reads standard input."""
    texts: dict[str, str] = {}
    try:
        source = find_board(name_or_path, search, sources)
        texts[source.file] = source.text
        merged = load_document(source, lambda name: find_board(name, search, sources), texts)
    except SyntaxFault as fault:
        raise _error([Fault(fault.mark, fault.code, fault.message)], texts) from None
    try:
        board = Board.model_validate(merged.data, context=Ids())
    except ValidationError as error:
        raise _error(shape_faults(error, merged.spot), texts) from None
    except TooManyIds:
        message = f"the sets of cores hold more than {MAX_IDS} ids in all"
        raise _error([Fault(Mark(source.file, 0, 0), "ids-many", message)], texts) from None
    faults = reference_faults(board, merged.spot)
    if faults:
        raise _error(faults, texts)
    board.place(merged.spot)
    return board


def edited(board: Board, content: Mapping[str, Data]) -> Board:
    """A board of other content, checked as a file is, whose values stand where they did in `board`."""
    spot = board.spot
    try:
        other = Board.model_validate(content)
    except ValidationError as error:
        raise _error(shape_faults(error, spot), {}) from None
    faults = reference_faults(other, spot)
    if faults:
        raise _error(faults, {})
    other.place(spot)
    return other


def _error(faults: Sequence[Fault], texts: dict[str, str]) -> BoardError:
    shown_of = {fault.mark.file for fault in faults if fault.mark.line}
    lines = {file: lines_of(text) for file, text in texts.items() if file in shown_of}

    def shown(mark: Mark) -> str:
        """The line a mark stands on; empty for the whole file and past its end."""
        rows = lines.get(mark.file, [])
        return rows[mark.line - 1] if 0 < mark.line <= len(rows) else ""

    diagnostics = tuple(
        Diagnostic(*fault.mark, fault.code, fault.message, fault.alternatives, fault.fix, shown(fault.mark))
        for fault in faults
    )
    count = "a mistake" if len(diagnostics) == 1 else f"{len(diagnostics)} mistakes"
    return BoardError(f"{count} in the board", diagnostics=diagnostics)
