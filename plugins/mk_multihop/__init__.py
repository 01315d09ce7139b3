"""Messages between cores that no channel joins, relayed by the monitors between them."""

from collections.abc import Iterator

from mk_multihop.transport import MultiHop
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "multi-hop",
        "Virtual circuits through the monitors between two cores that nothing joins directly.",
        factory=MultiHop,
        requires="routed(A, B)",
        rank=90,
        scope="circuit",
    )
