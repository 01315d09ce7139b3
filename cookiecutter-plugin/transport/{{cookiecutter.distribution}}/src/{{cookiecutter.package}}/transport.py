"""{{ cookiecutter.summary }}

One ring of lines for each direction, side 0's first.  A message is one 64-byte line; the ring halves
come from the platform, native where it has them.  Change what is sent, where it lies, or how the
reader learns of it; `tests/` says what must stay true.

May not know: platforms, who uses the channel.
"""

from collections.abc import Awaitable

from multikernel.interfaces import ChannelMemory, RingReceiver, RingSender, Watch
from multikernel.system.ring import ack_interval, direction


class {{ cookiecutter.class_name }}:
    """The transport: how much memory a channel needs, and its endpoints."""

    def lines(self, slots: int) -> int:
        return 2 * direction(slots)

    def open(self, memory: ChannelMemory, slots: int, side: int) -> "{{ cookiecutter.class_name }}Endpoint":
        mine, theirs = (0, direction(slots)) if side == 0 else (direction(slots), 0)
        return {{ cookiecutter.class_name }}Endpoint(memory.sender(mine, slots), memory.receiver(theirs, slots), slots)


class {{ cookiecutter.class_name }}Endpoint:
    """One side of a channel."""

    def __init__(self, sender: RingSender, receiver: RingReceiver, slots: int) -> None:
        self.ack_interval = ack_interval(slots)
        self._sender = sender
        self._receiver = receiver

    def try_send(self, payload: bytes) -> Awaitable[bool]:
        return self._sender.put(payload)

    def poll(self) -> Awaitable[bytes | None]:
        return self._receiver.take()

    def watch(self) -> Watch:
        return self._receiver.watch()

    def room(self) -> Watch:
        return self._sender.room()
