"""A ring of lines in the receiver's own memory, filled by a DMA engine."""

from collections.abc import Iterator

from mk_dma.transport import Dma
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "dma",
        "A ring in the receiver's own memory, filled by a DMA engine.",
        factory=Dma,
        requires="dma(A, B, D) & dma(B, A, D)",
        provides=('carrier("dma", A, B, D) <= dma(A, B, D) & dma(B, A, D)',),
        rank=20,
        scope="link",
        platforms=("sim",),
    )
