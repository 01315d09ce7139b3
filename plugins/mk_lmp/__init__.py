"""LMP: messages between dispatchers of one core, through its CPU driver."""

from collections.abc import Iterator

from mk_lmp.transport import Lmp
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "lmp", "Messages through the CPU driver of one core.", factory=Lmp, requires="same_core(A, B)", rank=0
    )
