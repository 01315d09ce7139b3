"""Each core's door: a line of its memory at which any core can leave a message, where nobody else is to carry it.

    await doors.knock(core, payload)     leave a message at the door of `core`, and interrupt it: there it goes to
                                         `Events.deliver`, as any message does

Who has no channel to a core, and nobody who would pass a message on, has this.  There is one line for all, and none to
say that it is free: of two who knock at once one may be overwritten, or, where a line is stored word by word, both be
torn, which the checksum tells.  So a message may be lost, and who needs an answer knocks again.  What was taken once is
not taken again.

No poll loop has a line more: who knocks interrupts the core by a vector that is for this alone, and it looks when that
has come (`Events.when_knocked`).  The line is that of the bells which is no dispatcher's.

May not know: what the messages mean.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING
from zlib import crc32

from multikernel.interfaces import LINE
from multikernel.system.environment import KERNEL
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Invoke
from multikernel.system.requests import KnockCore

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events

_KNOCK = Struct("<IIB47s")
"""Who knocks, for the how manieth time, the length of the message, the message."""
_SUM = Struct("<I")
LONGEST = 47
"""Bytes of the longest message."""


def knock(source: int, times: int, payload: bytes) -> bytes:
    """What core `source` writes on a line to leave `payload` there."""
    told = _KNOCK.pack(source, times, len(payload), payload)
    return (told + _SUM.pack(crc32(told))).ljust(LINE, b"\0")


def knocked(line: bytes) -> tuple[int, bytes] | None:
    """Who left what; None where a line says nothing, or parts of two."""
    told, (stated,) = line[: _KNOCK.size], _SUM.unpack_from(line, _KNOCK.size)
    source, _, length, payload = _KNOCK.unpack(told)
    return (source, payload[:length]) if crc32(told) == stated and length <= LONGEST else None


class Doors:
    """See the module."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._core = events.core
        self._routes = events.environment.routes
        self._layout = events.environment.layout
        self._knocks = 0
        self._seen: dict[int, bytes] = {}
        events.when_knocked(self._look)

    async def knock(self, core: int, payload: bytes) -> None:
        """See the module.  LocalMisuse where the two cores share no memory."""
        self._knocks += 1
        line = await self._events.window(self._layout.door(core, self._core), 1)
        await line.store(0, knock(self._core, self._knocks, payload))
        if not self._routes.one_island:  # its owner invalidates it, in the caches of all its island
            await line.clean(0)
        await line.fence()
        await Invoke(KERNEL, KnockCore(core))

    async def _look(self) -> None:
        for address in self._layout.doors(self._core):
            line = await self._events.window(address, 1)
            if not self._routes.one_island:
                await line.invalidate(0)
            content = await line.load(0)
            left = knocked(content) if content != self._seen.get(address) else None
            self._seen[address] = content
            if left is not None and self._routes.known(left[0]) and left[0] != self._core:
                await self._events.deliver(Sender(left[0], 0), left[1])
