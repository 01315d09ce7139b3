"""The engine in C; the same names as `engine_python`, and the caches of `caches.py`."""

from collections.abc import Callable, Iterable

from mk_sim.caches import Caches as PythonCaches
from mk_sim.engine_python import Actor as Actor
from mk_sim.engine_python import Engine as Engine
from mk_sim.engine_python import Port as Port

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

SOURCE_HASH: str
