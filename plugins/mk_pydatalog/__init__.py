"""The default SKB backend: pyDatalog's engine, goal-directed and tabled.  This file only registers."""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.knowledge.backend import SkbBackend
from multikernel.spec import SkbBackendSpec

multikernel_api = 1


def _make() -> SkbBackend:
    from mk_pydatalog.backend import PyDatalog

    return PyDatalog()


@hookimpl
def skb_backends() -> Iterator[SkbBackendSpec]:
    yield SkbBackendSpec("pydatalog", "pyDatalog's tabled engine, goal by goal.", _make)
