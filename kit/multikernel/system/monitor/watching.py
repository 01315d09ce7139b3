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
        events.on(WatchLine, self._watch)

    async def _watch(self, sender: Sender, message: WatchLine) -> None:
        try:
            lines = await self._events.window(message.address, 1)
        except LocalMisuse:
            return  # there is no such line: nothing will ever happen to it
        self._events.line(
            Watch(lines, 0, message.word, bool(message.maintained)), partial(self._wake, sender.dispatcher)
        )

    async def _wake(self, number: int) -> None:
        try:
            await Invoke(KERNEL, WakeDispatcher(number))
        except LocalMisuse:
            return  # it has exited meanwhile
