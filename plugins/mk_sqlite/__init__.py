"""The SKB backend for scale: sqlite3, rules as SQL.  This file only registers."""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.knowledge.backend import SkbBackend
from multikernel.spec import SkbBackendSpec

multikernel_api = 1


def _make() -> SkbBackend:
    from mk_sqlite.backend import SQLite

    return SQLite()


@hookimpl
def skb_backends() -> Iterator[SkbBackendSpec]:
    yield SkbBackendSpec("sqlite", "SQLite in memory, rules as SQL; for large machines and many answers.", _make)
