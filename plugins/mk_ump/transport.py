"""UMP (Baumann et al., SOSP 2009, 4.6): a ring of cache lines each way, in memory both cores keep coherent.

A message is one line, written by the sender and fetched by the receiver; the window is the ring, and the
receiver gives it back in batches.  Layout and both halves are the kit's ring (`multikernel.system.ring`);
a platform may put native halves in their place.

May not know: platforms, who polls, who is woken.
"""

from __future__ import annotations

from multikernel.interfaces import ChannelMemory, RingReceiver, RingSender, Watch
from multikernel.system import ring


class UmpEndpoint:
    """See `multikernel.interfaces.Endpoint`."""

    def __init__(self, sender: RingSender, receiver: RingReceiver, slots: int) -> None:
        self.ack_interval = ring.ack_interval(slots)
        self.try_send = sender.put
        self.poll = receiver.take
        self._sender = sender
        self._receiver = receiver

    def watch(self) -> Watch:
        return self._receiver.watch()

    def room(self) -> Watch:
        return self._sender.room()


class Ump:
    """See `multikernel.interfaces.Transport`."""

    def lines(self, slots: int) -> int:
        """Two directions."""
        return 2 * ring.direction(slots)

    def open(self, memory: ChannelMemory, slots: int, side: int) -> UmpEndpoint:
        """Side 0 writes the first direction, side 1 the second."""
        mine, theirs = (0, ring.direction(slots)) if side == 0 else (ring.direction(slots), 0)
        return UmpEndpoint(memory.sender(mine, slots), memory.receiver(theirs, slots), slots)
