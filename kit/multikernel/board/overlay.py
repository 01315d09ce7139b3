"""Overlays: `extends` names one parent or a list of them, merged left to right, the file itself on top.

    load_document(source, find, texts) -> Merged

Mappings merge key by key; lists and scalars replace.  Each value keeps the file and place it came from.

Raises SyntaxFault for the first mistake in any file of the chain.
May not know: models, where files are looked for (`find` is told).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from multikernel.board.find import SUFFIXES, Source, is_there, read_board
from multikernel.board.marks import Mark, Spot
from multikernel.board.yamlread import Data, Document, SyntaxFault, read_yaml
from multikernel.errors import FileError

MAX_CHAIN = 16


@dataclass(slots=True)
class Merged:
    """The merged board without its `extends`."""

    data: dict[str, Data]
    spot: Spot


def load_document(source: Source, find: Callable[[str], Source], texts: dict[str, str]) -> Merged:
    """Read a board and what it extends, each file once.  `find` gives the source of a board that is named;
    `texts` receives the text of every file read, by its name in messages, also when one of them raises."""
    return _Chain(find, texts).load(source, ())


class _Chain:
    def __init__(self, find: Callable[[str], Source], texts: dict[str, str]) -> None:
        self._find = find
        self._texts = texts
        self._done: dict[str, Merged] = {}

    def load(self, source: Source, chain: tuple[str, ...]) -> Merged:
        """A board over its parents; `chain` are the files that led here."""
        if source.file in self._done:
            return self._done[source.file]
        self._texts[source.file] = source.text
        document = read_yaml(source.text, source.file)
        if not isinstance(document.data, dict):
            message = "a board is a mapping that starts `schema: board/1`"
            raise SyntaxFault(document.spot.mark, "yaml-not-mapping", message)
        own = Merged(dict(document.data), document.spot)
        own.data.pop("extends", None)
        below: Merged | None = None
        for name, mark in _parents(document):
            if len(chain) >= MAX_CHAIN:
                raise SyntaxFault(mark, "extends-deep", f"the chain of extends is longer than {MAX_CHAIN}")
            parent = _parent(name, source.folder, self._find, mark)
            if parent.file in (*chain, source.file):
                way = " -> ".join((*chain, source.file, parent.file))
                raise SyntaxFault(mark, "extends-cycle", f"the board extends itself: {way}")
            loaded = self.load(parent, (*chain, source.file))
            below = loaded if below is None else _over(below, loaded)
        result = self._done[source.file] = own if below is None else _over(below, own)
        return result


def _parents(document: Document) -> list[tuple[str, Mark]]:
    """The names under `extends`, each with its place."""
    assert isinstance(document.data, dict)
    value = document.data.get("extends", [])
    spot = document.spot.items.get("extends", document.spot)
    entries = list(enumerate(value)) if isinstance(value, list) else [(-1, value)]
    parents: list[tuple[str, Mark]] = []
    for index, entry in entries:
        mark = spot.items[index].mark if index >= 0 else spot.mark
        if not isinstance(entry, str) or not entry:
            raise SyntaxFault(mark, "wrong-type", "extends takes the name or path of a board, or a list of these")
        parents.append((entry, mark))
    return parents


def _parent(name: str, folder: Path | None, find: Callable[[str], Source], mark: Mark) -> Source:
    """A path is relative to the extending file; a name is a file beside it, or any board."""
    try:
        if "/" in name or name.endswith(SUFFIXES):
            return read_board(folder / name if folder else Path(name))
        beside = folder / f"{name}.yaml" if folder else None
        return read_board(beside) if beside and is_there(beside) else find(name)
    except FileError as error:
        raise SyntaxFault(mark, "extends-unknown", error.message) from None


def _over(below: Merged, above: Merged) -> Merged:
    """`above` laid over `below`."""
    spot = Spot(above.spot.mark, {**below.spot.keys, **above.spot.keys}, {**below.spot.items, **above.spot.items})
    data = {**below.data, **above.data}
    for key, value in above.data.items():
        under = below.data.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            inner = _over(Merged(under, below.spot.items[key]), Merged(value, above.spot.items[key]))
            data[key], spot.items[key] = inner.data, inner.spot
    return Merged(data, spot)
