"""The engine in C; the same names as `engine_python`, the caches of `caches.py`, and `hand.py`'s hand."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import NoReturn

from mk_sim.caches import Caches as PythonCaches
from mk_sim.engine_python import Actor as Actor
from mk_sim.engine_python import Engine as Engine
from mk_sim.engine_python import Port as Port
from multikernel.interfaces import RingReceiver, RingSender, Watch
from multikernel.system.driver import CpuDriver
from multikernel.system.machine import Handler, Hardware
from multikernel.system.operations import Operation
from multikernel.system.operations import Window as PlainWindow

class Caches(PythonCaches):
    def __init__(
        self,
        engine: Engine,
        cores: tuple[tuple[int, ...], ...],
        homes: tuple[tuple[int, ...], ...],
        links: int,
        path: Callable[[int, int, int, int, bool], tuple[int, tuple[tuple[int, int], ...]]],
        offset: Callable[[int, Iterable[int]], int] | None,
        pairs: bool,
    ) -> None: ...

class HandWindow(PlainWindow):
    def load(self, index: int) -> Awaitable[bytes]: ...
    def store(self, index: int, line: bytes) -> Awaitable[None]: ...
    def sender(self, first: int, slots: int) -> RingSender: ...
    def receiver(self, first: int, slots: int) -> RingReceiver: ...

Window = HandWindow

class Hand:
    pending: bool

    def __init__(
        self,
        caches: PythonCaches,
        core: int,
        actor: Actor,
        handlers: Mapping[type[Operation[object]], Handler],
        seen: dict[int, bytes],
        costs: dict[str, int],
        mhz: int,
    ) -> None: ...
    def live(
        self, idle: Callable[[int | None], Awaitable[Hardware]], driver: CpuDriver
    ) -> Coroutine[object, object, NoReturn]: ...  # as far as an actor of this engine needs one
    def window(self, line: int, count: int, coherent: bool) -> HandWindow: ...
    def poller(self) -> HandPoller: ...

class HandPoller:
    def arm(self, watch: Watch) -> int: ...
    def disarm(self, key: int) -> None: ...
    def armed(self) -> int: ...
    def noticed(self, started: int, check: int) -> tuple[int, int] | None: ...
    def lost(self) -> int | None: ...
    def lap(self, check: int) -> int: ...

Poller = HandPoller

def account(open: bool) -> tuple[tuple[tuple[str, int, int], ...], int]: ...

SOURCE_HASH: str
