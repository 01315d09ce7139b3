"""What was found out on a machine, in a file: facts, and what they were found with.

    Findings(board, machine, platform, seed, facts).save(path)
    load(path, board) -> the facts, each with the file as its source

The file is JSON, schema `facts/1`, the same bytes for the same facts.  `machine` says which hardware the facts are
of: a board that differs from it in more than what it binds and boots is another machine, and its facts are refused.

May not know: who measures, what the facts mean.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multikernel.errors import FileError
from multikernel.files import read_bounded, write_whole
from multikernel.knowledge.facts import Fact, Source

if TYPE_CHECKING:
    from multikernel.board.model import Board

SCHEMA = "facts/1"
MAX_BYTES = 16 << 20
"""More than the facts of the largest board take: a fact a class and transport, some hundred bytes each."""


@dataclass(frozen=True, slots=True)
class Findings:
    """`machine` is `Board.machine_hash`; `platform` and `seed` of the run that found `facts`."""

    board: str
    machine: str
    platform: str
    seed: int
    facts: tuple[Fact, ...]

    def to_json(self) -> str:
        """The canonical text."""
        head = {
            "schema": SCHEMA,
            "board": self.board,
            "machine": self.machine,
            "platform": self.platform,
            "seed": self.seed,
        }
        facts = ",\n".join(f"  {json.dumps([fact.predicate, *fact.values])}" for fact in self.facts)
        return json.dumps(head, indent=1).removesuffix("\n}") + f',\n "facts": [\n{facts}\n ]\n}}\n'

    def save(self, path: Path) -> None:
        """Write all of the file, or leave the one that was there.  Raises FileError."""
        write_whole(path, self.to_json())


def load(path: Path, board: Board) -> tuple[Fact, ...]:
    """The facts in a file, of this board's machine.  Raises FileError for one that cannot be read, is no such
    file, or is of another machine."""
    try:
        content = read_bounded(path, MAX_BYTES)
        if len(content) > MAX_BYTES:
            raise FileError(f"{path}: more than {MAX_BYTES >> 20} MiB are no file of facts", code="no-findings")
        document = json.loads(content)
    except OSError as problem:
        raise FileError(f"{path}: {problem.strerror}") from None
    except (ValueError, RecursionError):
        raise FileError(f"{path}: no JSON; mkit measure writes such a file", code="no-findings") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise FileError(f"{path}: not of schema {SCHEMA}; mkit measure writes such a file", code="no-findings")
    if document.get("machine") != board.machine_hash:
        raise FileError(
            f"{path}: facts of another machine than {board.name} is now (they were found on {document.get('board')}); "
            f"mkit measure {board.name} -o {path} finds its own",
            code="other-machine",
        )
    rows = document.get("facts")
    source = Source("measured", f"{path}: on {document.get('platform')}")
    return tuple(
        _fact(row, number, source, path) for number, row in enumerate(rows if isinstance(rows, list) else [], 1)
    )


def _fact(row: object, number: int, source: Source, path: Path) -> Fact:
    values = [value for value in row if isinstance(value, (str, int))] if isinstance(row, list) else []
    if not values or not isinstance(row, list) or len(values) < len(row) or not isinstance(values[0], str):
        raise FileError(f"{path}: fact {number} is {row!r}; a fact is [predicate, value, ...]", code="no-findings")
    return Fact(values[0], tuple(values[1:]), source, number)
