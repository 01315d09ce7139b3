"""Messages between cores that no channel joins, relayed by the monitors between them."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.interfaces import Transport
from multikernel.spec import TransportSpec

multikernel_api = 1


def _transport() -> Transport:
    from mk_multihop.transport import MultiHop

    return MultiHop()


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "multi-hop",
        "Virtual circuits through the monitors between two cores that nothing joins directly.",
        factory=_transport,
        requires="routed(A, B)",
        rank=90,
        scope="circuit",
    )
