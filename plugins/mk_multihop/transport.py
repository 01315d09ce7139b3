"""Multi-hop: the channel is the monitors', so there is nothing here but to ask for it.

May not know: how monitors relay (`multikernel.system.monitor.circuits`).
"""

from __future__ import annotations

from multikernel.errors import LocalMisuse
from multikernel.interfaces import ChannelMemory, Endpoint
from multikernel.system.circuit import CircuitMemory


class MultiHop:
    """See `multikernel.interfaces.Transport`."""

    def lines(self, slots: int) -> int:
        """No memory is shared."""
        return 0

    def open(self, memory: ChannelMemory, slots: int, side: int) -> Endpoint:
        """Raises LocalMisuse where there are lines, as what has lines needs nobody to relay."""
        if not isinstance(memory, CircuitMemory):
            raise LocalMisuse("a circuit is carried by monitors, not by lines")
        return memory.circuit()
