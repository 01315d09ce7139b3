"""Channel memory on the host as the interfaces have it: `Lines`, ring halves, pollers.

    HostLines(raw)     interfaces.Lines: every operation is done at once
    Memories(ring)     makes interfaces.ChannelMemory: ring halves of the backend
    HostPoller(raw)    what a dispatcher spins over

The memory is coherent between the CPUs of a host, so `clean` and `invalidate` do nothing.

May not know: the machine, processes.
"""

from __future__ import annotations

from mk_host.shared import RawLines, RawPoller, RawReceiver, RawSender, RingModule
from multikernel.errors import LocalMisuse
from multikernel.interfaces import Lines, Watch


class HostLines:
    """See `interfaces.Lines`."""

    coherent = True

    def __init__(self, ring: RingModule, raw: RawLines, count: int) -> None:
        self.raw = raw
        self.count = count
        self._load = raw.load
        self._store = raw.store
        self._fence = ring.fence

    async def load(self, index: int) -> bytes:
        return self._load(index)

    async def store(self, index: int, line: bytes) -> None:
        self._store(index, line)

    async def clean(self, index: int) -> None:
        pass

    async def invalidate(self, index: int) -> None:
        pass

    async def fence(self) -> None:
        self._fence()


def own(lines: Lines) -> HostLines:
    """LocalMisuse for lines of another machine."""
    if not isinstance(lines, HostLines):
        raise LocalMisuse(f"not lines of this machine: {lines!r}")
    return lines


class HostSender:
    """See `interfaces.RingSender`."""

    def __init__(self, lines: HostLines, raw: RawSender) -> None:
        self._lines = lines
        self._put = raw.put
        self._room = raw.room

    async def put(self, payload: bytes) -> bool:
        return self._put(payload)

    def room(self) -> Watch:
        return Watch(self._lines, *self._room())


class HostReceiver:
    """See `interfaces.RingReceiver`."""

    def __init__(self, lines: HostLines, raw: RawReceiver) -> None:
        self._lines = lines
        self._take = raw.take
        self._watch = raw.watch

    async def take(self) -> bytes | None:
        return self._take()

    def watch(self) -> Watch:
        return Watch(self._lines, *self._watch())


class HostMemory:
    """See `interfaces.ChannelMemory`; no device here carries messages.  `receivers` is where the receivers made
    here are kept."""

    device: Lines | None = None
    here = there = 0

    def __init__(self, ring: RingModule, receivers: list[RawReceiver], lines: Lines) -> None:
        self._ring = ring
        self._receivers = receivers
        self._own = own(lines)
        self.lines: Lines = self._own

    def sender(self, first: int, slots: int) -> HostSender:
        return HostSender(self._own, self._ring.Sender(self._own.raw, first, slots))

    def receiver(self, first: int, slots: int) -> HostReceiver:
        raw = self._ring.Receiver(self._own.raw, first, slots)
        self._receivers.append(raw)
        return HostReceiver(self._own, raw)


class Memories:
    """Makes the channel memory of one core (`system/environment.py`: MemoryMaker) and counts what goes
    through it: `sides` of channels were opened."""

    def __init__(self, ring: RingModule) -> None:
        self._ring = ring
        self._receivers: list[RawReceiver] = []
        self.sides = 0

    def __call__(self, lines: Lines, device: Lines | None = None, here: int = 0, there: int = 0) -> HostMemory:
        self.sides += 1
        return HostMemory(self._ring, self._receivers, lines)

    def messages(self) -> int:
        """How many this core has taken."""
        return sum(receiver.count() for receiver in self._receivers)


class HostPoller:
    """The lines a dispatcher spins over; see `system/dispatcher.py`.  `raw` is what to wait on."""

    def __init__(self, raw: RawPoller) -> None:
        self.raw = raw
        self._next = 0
        self._armed = 0

    def arm(self, watch: Watch) -> int:
        """Poll `watch` from now on; gives its key."""
        key = self._next
        self._next += 1
        self._armed += 1
        self.raw.arm(key, own(watch.lines).raw, watch.index, watch.word)
        return key

    def disarm(self, key: int) -> None:
        """Stop polling it.  Unknown keys are ignored."""
        self._armed -= self.raw.disarm(key)

    def armed(self) -> int:
        """How many watches are armed."""
        return self._armed
