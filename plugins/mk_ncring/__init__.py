"""A ring between cores that share memory but not coherence."""

from collections.abc import Iterator

from mk_ncring.transport import NonCoherentRing
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "ncring",
        "A ring of lines with explicit cache maintenance, between islands that share memory.",
        factory=NonCoherentRing,
        requires="shares_uncached(A, B)",
        rank=30,
    )
