"""Lines polled on behalf of blocked dispatchers of this core.

A dispatcher that gives up polling names its lines (`WatchLine`); the first that differs from the word it
saw wakes it.  A watch that is already true when it is armed fires at the next poll.

May not know: what the lines carry.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.interfaces import Watch
from multikernel.system.environment import KERNEL
from multikernel.system.messages import WatchLine
from multikernel.system.operations import Invoke
from multikernel.system.requests import WakeDispatcher

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events, Sender


class Watching:
    """See the module."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._watched: dict[int, tuple[int, int, int]] = {}
        self._count = 0
        events.on(WatchLine, self._watch)

    def drop(self, number: int, address: int, size: int) -> None:
        """Nothing will happen any more in the `size` bytes at `address`, a channel of dispatcher `number`."""
        for each, (of, at, key) in list(self._watched.items()):
            if of == number and address <= at < address + size:
                del self._watched[each]
                self._events.forget_line(key)

    async def _watch(self, sender: Sender, message: WatchLine) -> None:
        try:
            lines = await self._events.window(message.address, 1)
        except LocalMisuse:
            return  # there is no such line: nothing will ever happen to it
        self._count += 1
        watch = Watch(lines, 0, message.word, bool(message.maintained))
        key = self._events.line(watch, partial(self._wake, self._count))
        self._watched[self._count] = sender.dispatcher, message.address, key

    async def _wake(self, watched: int) -> None:
        number, _, _ = self._watched.pop(watched)
        try:
            await Invoke(KERNEL, WakeDispatcher(number))
        except LocalMisuse:
            return  # it has exited meanwhile
