"""LMP: messages between dispatchers of one core, through its CPU driver."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.interfaces import Transport
from multikernel.spec import TransportSpec

multikernel_api = 1


def _transport() -> Transport:
    from mk_lmp.transport import Lmp

    return Lmp()


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "lmp", "Messages through the CPU driver of one core.", factory=_transport, requires="same_core(A, B)", rank=0
    )
