"""Boards made on demand: `host` and `host:N` from this machine, `mesh:WxH` of any size.  This file only registers."""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.spec import BoardDirSpec

multikernel_api = 1


def _host(name: str) -> str | None:
    from mk_boards.host import generate

    return generate(name)


def _mesh(name: str) -> str | None:
    from mk_boards.mesh import generate

    return generate(name)


@hookimpl
def board_dirs() -> Iterator[BoardDirSpec]:
    yield BoardDirSpec(
        "host", "This machine: a core for each usable CPU; host:N has N cores.", generate=_host, names=("host",)
    )
    yield BoardDirSpec("mesh", "W by H cores on a made-up mesh, as in mesh:16x8.", generate=_mesh, names=("mesh:8x8",))
