"""Finding a board's text by path or name.

    find_board(name_or_path, search, sources) -> Source
    list_boards(search, sources) -> tuple[Listed, ...]

A name with a `/` or a YAML suffix is a path, `-` is standard input; any other is looked for in the folders
of `search`, then among the packaged boards, then in what plugins offer.

Raises FileError: board-unknown (with the nearest names), file-missing, file-directory, file-permission,
file-pipe, file-unreadable; SyntaxFault for text that is not UTF-8.
May not know: YAML, models.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from multikernel.board.marks import Mark
from multikernel.board.yamlread import MAX_BYTES, SyntaxFault, too_large
from multikernel.errors import FileError
from multikernel.files import SilentPipe, read_bounded
from multikernel.spec import BoardDirSpec

SUFFIXES = (".yaml", ".yml")
SEARCH = (Path("boards"),)
"""Folders looked through for a name before the packaged boards."""


@dataclass(frozen=True, slots=True)
class Source:
    """A board's text.  `file` is its name in messages, `boards/NAME.yaml` for a packaged one; `folder` what its
    `extends` are relative to, None for text that lies in no folder."""

    file: str
    folder: Path | None
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A board that can be named; `origin` is the folder or plugin that has it."""

    name: str
    origin: str


def packaged_folder() -> Path:
    """The boards of the wheel, or of the checkout this module lies in."""
    here = Path(__file__).resolve()
    packaged = here.parents[1] / "boards"
    return packaged if packaged.is_dir() else here.parents[3] / "boards"


def list_boards(search: Sequence[Path] = SEARCH, sources: Iterable[BoardDirSpec] | None = None) -> tuple[Listed, ...]:
    """Every board that has a name, in the order they are looked for; a later one of a known name is hidden."""
    found: dict[str, Listed] = {}
    for folder in (*search, packaged_folder()):
        for name in _names(folder):
            found.setdefault(name, Listed(name, _shown(folder)))
    for source in _installed() if sources is None else sources:
        for name in (*source.names, *(_names(source.path) if source.path else ())):
            found.setdefault(name, Listed(name, f"plugin {source.name}"))
    return tuple(found.values())


def find_board(
    name_or_path: str, search: Sequence[Path] = SEARCH, sources: Iterable[BoardDirSpec] | None = None
) -> Source:
    """The text of a board; see the module.  `sources` None means those of the installed plugins, which are
    asked only when the name is found nowhere else."""
    if name_or_path == "-":
        return _standard_input()
    if "/" in name_or_path or name_or_path.endswith(SUFFIXES):
        return read_board(Path(name_or_path))
    for folder in (*search, packaged_folder()):
        if is_there(path := folder / f"{name_or_path}.yaml"):
            return read_board(path)
    plugins = tuple(_installed() if sources is None else sources)
    for source in plugins:
        if source.path and is_there(path := source.path / f"{name_or_path}.yaml"):
            return read_board(path)
        text = source.generate(name_or_path) if source.generate else None
        if text is not None:
            return Source(f"<{name_or_path}>", None, text)
    names = [board.name for board in list_boards(search, plugins)]
    near = difflib.get_close_matches(name_or_path, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"boards: {', '.join(sorted(names))}"
    raise FileError(f"no board {name_or_path!r}; {hint} (a path has a / or ends in .yaml)", code="board-unknown")


def is_there(path: Path) -> bool:
    """Something lies there; not so where this user may not look, or that can be no path."""
    try:
        return path.exists()
    except OSError:
        return False


def _standard_input() -> Source:
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin else None
    except OSError as error:
        raise FileError(f"<stdin>:0:0: file-unreadable: {error}", code="file-unreadable") from None
    if content is None:
        raise FileError("<stdin>:0:0: file-unreadable: standard input is closed", code="file-unreadable")
    return Source("<stdin>", None, _decoded(content, "<stdin>"))


def read_board(path: Path) -> Source:
    """The text of one file, or of a pipe that somebody writes to."""
    shown = _packaged(path) or _shown(path)
    try:
        content = read_bounded(path, MAX_BYTES)
    except SilentPipe as error:
        raise FileError(f"{shown}:0:0: file-pipe: {error.strerror}", code="file-pipe") from None
    except FileNotFoundError:
        near = difflib.get_close_matches(path.stem, _names(path.parent), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(_shown(path.parent / f'{name}.yaml') for name in near)}?" if near else ""
        raise FileError(f"{shown}:0:0: file-missing: no such file{hint}", code="file-missing") from None
    except IsADirectoryError:
        raise FileError(f"{shown}:0:0: file-directory: this is a folder; name a file", code="file-directory") from None
    except PermissionError:
        raise FileError(f"{shown}:0:0: file-permission: may not be read", code="file-permission") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{shown}:0:0: file-unreadable: {error}", code="file-unreadable") from None
    return Source(shown, path.parent, _decoded(content, shown))


def _decoded(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise too_large(file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise SyntaxFault(Mark(file, line, column), "yaml-encoding", f"not UTF-8: {error.reason}") from None


def _installed() -> Iterable[BoardDirSpec]:
    from multikernel.registry import Registry

    return Registry.load().board_dirs


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.stem for path in folder.glob("*.yaml"))
    except OSError:
        return []


def _packaged(path: Path) -> str:
    """`boards/NAME.yaml` for a packaged board, wherever the kit lies; empty for another, and where another has that
    path here."""
    folder = packaged_folder()
    if path.parent.resolve() != folder:
        return ""
    short = Path(folder.name) / path.name
    return str(short) if not is_there(short) or short.resolve() == path.resolve() else ""


def _shown(path: Path) -> str:
    """A path as a person in this folder would write it."""
    whole = Path(os.path.normpath(path.absolute()))
    try:
        return str(whole.relative_to(Path.cwd()))
    except ValueError:
        return str(whole)
