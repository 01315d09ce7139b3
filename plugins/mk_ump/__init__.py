"""UMP: cache-line messages over coherent shared memory."""

from collections.abc import Iterator

from mk_ump.transport import Ump
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "ump",
        "Cache-line messages over coherent shared memory.",
        factory=Ump,
        requires="coherent(A, B)",
        rank=10,
        metal=("ump.c",),
    )
