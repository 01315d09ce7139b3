"""Messages through a hardware mailbox, fragment by fragment."""

from collections.abc import Iterator

from mk_mailbox.transport import Mailbox
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec

multikernel_api = 1


@hookimpl
def transports() -> Iterator[TransportSpec]:
    yield TransportSpec(
        "mailbox",
        "Messages as fragments through the buffers of a hardware mailbox.",
        factory=Mailbox,
        requires="mailbox(A, B, D) & mailbox(B, A, D)",
        provides=('carrier("mailbox", A, B, D) <= mailbox(A, B, D) & mailbox(B, A, D)',),
        rank=40,
        scope="link",
        platforms=("sim",),
    )
