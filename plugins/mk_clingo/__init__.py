"""The SKB backend that can optimise: clingo, an extra (`multikernel-kit[clingo]`).  This file only registers."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from multikernel.hookspecs import hookimpl
from multikernel.knowledge.backend import SkbBackend
from multikernel.spec import SkbBackendSpec

multikernel_api = 1

MISSING = "the package clingo is not installed; pip install 'multikernel-kit[clingo]'"


def _make() -> SkbBackend:
    from mk_clingo.backend import Clingo

    return Clingo()


@hookimpl
def skb_backends() -> Iterator[SkbBackendSpec]:
    yield SkbBackendSpec(
        "clingo",
        "Answer sets; proves joint placements the best.",
        _make,
        unavailable="" if find_spec("clingo") else MISSING,
    )
