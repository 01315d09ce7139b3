"""Plugins for the tests of binding: specs with just enough behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mk_pydatalog
from multikernel.blueprint import CoreKind, Cost
from multikernel.hookspecs import hookimpl
from multikernel.interfaces import ChannelMemory, Endpoint
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec, CpuDriverSpec, MonitorSpec, ProgramSpec, TransportSpec


@dataclass(frozen=True)
class Model:
    isa: str
    paging: str = "none"
    costs: tuple[Cost, ...] = (Cost("upcall", 100, "driver"), Cost("ipi_trap", 900, "driver"))


class Ring:
    def lines(self, slots: int) -> int:
        return 2 * (slots + 1)

    def open(self, memory: ChannelMemory, slots: int, side: int) -> Endpoint:
        raise NotImplementedError


def driver(name: str, isa: str) -> CpuDriverSpec:
    def factory(kind: CoreKind) -> Model:
        return Model(kind.isa)

    return CpuDriverSpec(name, "A driver.", factory, isa)


def transport(name: str, requires: str, rank: int, provides: tuple[str, ...] = ()) -> TransportSpec:
    return TransportSpec(name, "A transport.", Ring, rank, requires=requires, provides=provides)


async def monitor_main(*_: object) -> None:
    raise NotImplementedError


async def program_main(*_: object) -> None:
    raise NotImplementedError


def protocol_factory() -> None:
    raise NotImplementedError


class Plugins:
    """A plugin object: what it is given, it registers."""

    multikernel_api = 1

    def __init__(
        self,
        transports: tuple[TransportSpec, ...] | None = None,
        drivers: tuple[CpuDriverSpec, ...] | None = None,
        monitors: tuple[str, ...] = ("user-mode",),
        protocols: tuple[tuple[str, str], ...] = (("one-phase", "shootdown"),),
    ) -> None:
        self._transports = TRANSPORTS if transports is None else transports
        self._drivers = DRIVERS if drivers is None else drivers
        self._monitors, self._protocols = monitors, protocols

    @hookimpl
    def transports(self) -> Iterator[TransportSpec]:
        yield from self._transports

    @hookimpl
    def cpu_drivers(self) -> Iterator[CpuDriverSpec]:
        yield from self._drivers

    @hookimpl
    def monitors(self) -> Iterator[MonitorSpec]:
        for name in self._monitors:
            yield MonitorSpec(name, "A monitor.", monitor_main)

    @hookimpl
    def consistency_protocols(self) -> Iterator[ConsistencyProtocolSpec]:
        for name, replicated in self._protocols:
            yield ConsistencyProtocolSpec(name, "A protocol.", protocol_factory, (replicated,))

    @hookimpl
    def programs(self) -> Iterator[ProgramSpec]:
        for name in ("mem-server", "name-service"):
            yield ProgramSpec(name, "What the boards start.", program_main)


TRANSPORTS = (
    transport("lmp", "same_core(A, B)", 0),
    transport("ump", "coherent(A, B) & ~same_core(A, B)", 10),
    transport("ncring", "shares_uncached(A, B)", 30),
)
DRIVERS = (driver("x86-64", "x86-64"), driver("armv8", "armv8-a"), driver("armv7r", "armv7-r"))


def registry(*more: object, plugins: Plugins | None = None) -> Registry:
    return Registry.of(mk_pydatalog, plugins or Plugins(), *more)
