"""A dispatcher's end of a virtual circuit: a channel that the monitors carry, as two cores share nothing for it.

What is sent goes to the core's own monitor by LMP, and what comes is from there.  The window is from end to
end: a message that was sent and not yet read at the other end holds a credit.  Data has a buffer and an
EndPoint each way; credits have another, so that neither has to wait behind the other.

Interface: `CircuitMemory(data, control, slots)`, what the transport gets; `.circuit()`, a `Carrier`.
Invariant: no more is under way than the monitor's buffer for this circuit holds, so that it never refuses.

May not know: monitors, links, where the other end is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.interfaces import PAYLOAD, Watch
from multikernel.system.lmp import NoMemory
from multikernel.system.messages import Ended, Granted, decode, encode
from multikernel.system.operations import SendLocal
from multikernel.system.ring import ack_interval

if TYPE_CHECKING:
    from multikernel.system.dispatcher import LocalBuffer


class Port(NamedTuple):
    """Receives in `buffer`, sends to the EndPoint at `cptr`."""

    buffer: LocalBuffer
    cptr: int


class CircuitEndpoint:
    """See `interfaces.Carrier`.  Once the other end is gone it goes on like a ring nobody reads: what has come
    can be taken, and what is sent fills the window."""

    def __init__(self, data: Port, control: Port, slots: int) -> None:
        self.data = data
        self.control = control
        self.ack_interval = ack_interval(slots)
        self._credits = slots
        self._read = 0
        self._ended = False

    async def try_send(self, payload: bytes) -> bool:
        """False when a window of messages has not been read at the other end."""
        if len(payload) > PAYLOAD:
            raise LocalMisuse(f"a message has at most {PAYLOAD} bytes, not {len(payload)}")
        self._hear()
        if not self._credits:
            return False
        self._credits -= 1
        await self._say(self.data.cptr, payload)
        return True

    async def poll(self) -> bytes | None:
        """The next message if one has arrived."""
        if not self.data.buffer.messages:
            return None
        payload = self.data.buffer.messages.popleft()
        self._read += 1
        if self._read == self.ack_interval:
            self._read = 0
            await self._say(self.control.cptr, encode(Granted(self.ack_interval)))
        return payload

    def watch(self) -> Watch:
        """There is no line to watch: the driver wakes the receiver."""
        raise LocalMisuse("a circuit has no line to watch")

    def room(self) -> Watch:
        """There is no line to watch."""
        raise LocalMisuse("a circuit has no line to watch")

    def _hear(self) -> None:
        messages = self.control.buffer.messages
        while messages:
            item = decode(messages.popleft())
            if isinstance(item, Granted):
                self._credits += item.read
            elif isinstance(item, Ended):
                self._ended = True

    async def _say(self, cptr: int, payload: bytes) -> None:
        if not self._ended:
            try:
                await SendLocal(cptr, payload, direct=True)
            except CapabilityError:  # the monitor took it back: the other end is gone
                self._ended = True


class CircuitMemory(NoMemory):
    """What a transport gets for a channel that monitors carry."""

    def __init__(self, data: Port, control: Port, slots: int) -> None:
        super().__init__()
        self._endpoint = CircuitEndpoint(data, control, slots)

    def circuit(self) -> CircuitEndpoint:
        """The end of the circuit."""
        return self._endpoint
