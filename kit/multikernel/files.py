"""Files a user names: read without waiting or filling memory, written whole or not at all.

    read_bounded(path, limit) -> at most limit + 1 bytes
    write_whole(path, text)

May not know: what is in them.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from multikernel.errors import FileError


class SilentPipe(OSError):
    """Nobody writes to the pipe."""


def _opened(path: str, flags: int) -> int:
    """Opens without waiting for a writer, as a pipe would; reads wait as they do."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


def read_bounded(path: Path, limit: int) -> bytes:
    """What is in a file, or comes through a pipe that somebody writes to: more than `limit` bytes say that there is
    more.  Raises OSError, SilentPipe among them."""
    with open(path, "rb", opener=_opened) as stream:
        content = stream.read(limit + 1)
        if not content and stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            raise SilentPipe(0, "nobody writes to this pipe")
    return content


def write_whole(path: Path, text: str) -> None:
    """All of the file, or the one that was there.  A link's target is written, not the link; what is no regular file
    (a pipe, a device) is written to and never replaced.  Raises FileError."""
    draft: Path | None = None
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        target = path.resolve()
        draft = target.with_name(f".{target.name}.draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    except BaseException as error:
        if draft is not None:
            with suppress(OSError):
                draft.unlink()
        if isinstance(error, OSError):
            raise FileError(
                f"{path}: {error.strerror}; choose a file that can be written", code="not-writable"
            ) from error
        raise
