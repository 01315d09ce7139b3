"""Boards made on demand: `host` and `host:N`, from this machine.  This file only registers."""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.spec import BoardDirSpec

multikernel_api = 1


def _generate(name: str) -> str | None:
    from mk_boards.host import generate

    return generate(name)


@hookimpl
def board_dirs() -> Iterator[BoardDirSpec]:
    yield BoardDirSpec(
        "host", "This machine: a core for each usable CPU; host:N has N cores.", generate=_generate, names=("host",)
    )
