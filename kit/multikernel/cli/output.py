"""What every command prints with: data to stdout, everything else to stderr.

    configure(verbose, color)   once, by the root
    emit_json(document)         one JSON object on one line, with its schema_version
    json_errors(json)           within, an error is an object on stdout too
    emit_failure(code, ...)     that object, where there is none yet
    emit(text)                  a line of data
    note(text, level=0)         a line for the person, shown when -v was given `level` times
    show_error(error)           an error: diagnostics with their source line and a caret

Colour appears only on a terminal, and never under NO_COLOR or --no-color.

May not know: what the commands do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from multikernel.errors import Diagnostic, MultikernelError

SCHEMA_VERSION = 1
"""Version of every JSON document the command prints.  It grows when a key goes or changes meaning."""

_STYLES = {"error": "31;1", "warning": "33;1", "good": "32", "caret": "31;1", "dim": "2", "bold": "1"}
"""SGR parameters (ECMA-48, 8.3.117)."""


@dataclass
class _Settings:
    verbose: int = 0
    color: bool = True
    documents: int = 0


_settings = _Settings()


def configure(verbose: int, color: bool) -> None:
    """Set how much is said (0 to 3) and whether colour may be used at all."""
    _settings.verbose = verbose
    _settings.documents = 0
    _settings.color = color and not os.environ.get("NO_COLOR")


def verbosity() -> int:
    """How often -v was given."""
    return _settings.verbose


def on_terminal(stream: TextIO | None = None) -> bool:
    """Whether `stream` (stdout) is a terminal that may be drawn on."""
    return _settings.color and (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def style(text: str, name: str, stream: TextIO | None = None) -> str:
    """`text` in style `name` if `stream` (stdout) is a terminal."""
    return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if on_terminal(stream) else text


def emit(text: str = "") -> None:
    """A line of data on stdout."""
    print(text)


def emit_json(document: Mapping[str, object]) -> None:
    """One JSON object on one line of stdout, `schema_version` first."""
    _settings.documents += 1
    print(json.dumps({"schema_version": SCHEMA_VERSION, **document}, ensure_ascii=False))


@contextmanager
def json_errors(json: bool) -> Iterator[None]:
    """With --json, an error within is told on stdout too, as one object: `error` with its class's code, its message and
    its diagnostics.  It is raised on, so that stderr and exit code are as without."""
    from multikernel.errors import MultikernelError

    try:
        yield
    except MultikernelError as error:
        if json:
            emit_failure(error.code, str(error), error.exit_code, getattr(error, "diagnostics", ()))
        raise


def emit_failure(code: str, message: str, exit_code: int, diagnostics: Sequence[Diagnostic] = ()) -> None:
    """An error as one object on stdout, unless an object is there already."""
    if not _settings.documents:
        told = [asdict(diagnostic) for diagnostic in diagnostics]
        emit_json({"error": {"code": code, "message": message, "exit_code": exit_code, "diagnostics": told}})


def emit_table(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Rows of equal length on stdout, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        emit((indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip())


def ns(ps: int) -> str:
    """Picoseconds as nanoseconds; empty where not known (-1)."""
    return f"{ps / 1000:.1f}" if ps >= 0 else ""


def note(text: str, level: int = 0) -> None:
    """A line on stderr, if -v was given at least `level` times."""
    if _settings.verbose >= level:
        print(text, file=sys.stderr)


def warn(text: str) -> None:
    """A warning on stderr."""
    print(f"{style('warning:', 'warning', sys.stderr)} {text}", file=sys.stderr)


def warn_problems(problems: Sequence[MultikernelError]) -> None:
    """A warning for each plugin that cannot be used."""
    for problem in problems:
        warn(str(problem))


def show_bug(error: Exception) -> None:
    """A fault of the kit itself, on stderr."""
    print(f"{style('bug:', 'error', sys.stderr)} {type(error).__name__}: {error}; -vvv shows where", file=sys.stderr)


def show_error(error: Exception) -> None:
    """An error on stderr: its diagnostics if it has some, else its message."""
    diagnostics: Sequence[Diagnostic] = getattr(error, "diagnostics", ())
    for diagnostic in diagnostics:
        print(_diagnosed(diagnostic), file=sys.stderr)
    if not diagnostics:
        code: str = getattr(error, "code", "")
        name = f"error: {code}:" if code and f": {code}: " not in str(error) else "error:"
        print(f"{style(name, 'error', sys.stderr)} {error}", file=sys.stderr)


def _diagnosed(diagnostic: Diagnostic) -> str:
    lines = [style(str(diagnostic), "bold", sys.stderr)]
    if diagnostic.source:
        # A tab keeps its width under the caret.
        lead = "".join("\t" if c == "\t" else " " for c in diagnostic.source[: max(diagnostic.column - 1, 0)])
        lines += [f"    {diagnostic.source}", f"    {lead}{style('^', 'caret', sys.stderr)}"]
    return "\n".join(lines)
