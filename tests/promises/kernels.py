"""Kernels that run programs of a test beside what is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import multikernel
from multikernel.blueprint import Blueprint
from multikernel.faults import parse
from multikernel.hookspecs import hookimpl
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from multikernel.registry import Registry
from multikernel.spec import ProgramSpec
from multikernel.system.environment import ProgramMain

SECOND = 1_000_000_000


class Programs:
    """A plugin in memory with programs by name."""

    multikernel_api = 1

    def __init__(self, mains: Mapping[str, ProgramMain]) -> None:
        self._specs = [ProgramSpec(name, "A program of a test.", factory=main) for name, main in mains.items()]

    @hookimpl
    def programs(self) -> Iterable[ProgramSpec]:
        return self._specs


@cache
def blueprint(board: str, platform: str = "sim") -> Blueprint:
    """The blueprint of a packaged board or a file, bound once."""
    return multikernel.assemble(board, platform=platform)


def boot(
    board: str | Blueprint,
    programs: Mapping[str, ProgramMain],
    platform: str = "sim",
    seed: int = 0,
    timeout_ns: int = SECOND,
    faults: Iterable[str] = (),
    jitter_ns: int = 0,
    observe: bool = False,
) -> Multikernel:
    """A kernel with these programs, up.  On the simulator `timeout_ns` is virtual."""
    bound = board if isinstance(board, Blueprint) else blueprint(board, platform)
    return Multikernel(bound, Registry.load(Programs(programs)) if programs else None).boot(
        platform,
        BootOptions(
            seed=seed,
            timeout_ns=timeout_ns,
            faults=tuple(map(parse, faults)),
            jitter_ns=jitter_ns,
            observe=observe,
        ),
    )
