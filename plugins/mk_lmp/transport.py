"""LMP: the channel is the CPU driver's, so there is nothing here but to ask for it.

May not know: how the driver moves a message (`multikernel.system.lmp`).
"""

from __future__ import annotations

from multikernel.errors import LocalMisuse
from multikernel.interfaces import ChannelMemory, Endpoint
from multikernel.system.lmp import LocalMemory


class Lmp:
    """See `multikernel.interfaces.Transport`."""

    def lines(self, slots: int) -> int:
        """No memory is shared."""
        return 0

    def open(self, memory: ChannelMemory, slots: int, side: int) -> Endpoint:
        """Raises LocalMisuse between two cores."""
        if not isinstance(memory, LocalMemory):
            raise LocalMisuse("LMP joins dispatchers of one core")
        return memory.local()
