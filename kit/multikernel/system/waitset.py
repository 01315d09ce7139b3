"""How a dispatcher waits: poll, register with the local monitor, poll again, block.

A message is seen only while its dispatcher runs and polls.  A thread that waits for a line polls in
place while no other thread can run; the scheduler polls for the rest.  After `poll_ns` without news the
dispatcher hands its watches to the local monitor, which polls them on its behalf, looks once more, and
blocks; the monitor wakes it.  A watch handed over and found true by its owner needs no withdrawal: the
monitor finds it true as well and drops it.  Those of a channel whose other end has died the monitor drops itself.

Before the second poll the dispatcher puts its bell up (`channels.py`): whoever sends after that poll sees
the bell and interrupts the core, whose monitor then looks at the watches it was handed.  So nothing is lost
between poll and block, and as long as the dispatcher looks itself, nobody is interrupted.

May not know: the driver, transports, what a watch means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from multikernel.system.operations import Block, Clock, Park, PollWait

if TYPE_CHECKING:
    from multikernel.interfaces import Watch
    from multikernel.system.channels import Bell
    from multikernel.system.dispatcher import LocalBuffer, UserDispatcher

Register = Callable[[list[tuple[int, "Watch"]]], Awaitable[None]]
"""Hands watches to the local monitor, each with the physical address of its channel's memory."""


class WaitSet:
    """The waiting of one dispatcher.  `register` gives watches to the local monitor; `poll_ns` is how long to
    spin before blocking (`Environment.poll_ns`)."""

    def __init__(self, dispatcher: UserDispatcher, bell: Bell, register: Register, poll_ns: int) -> None:
        self._dispatcher = dispatcher
        self._bell = bell
        self._register = register
        self._poll_ns = poll_ns
        self._fresh: dict[int, tuple[int, Watch]] = {}  # watches armed and not handed over
        self._handed: dict[int, int] = {}  # the channels of those that were handed over
        self.up = False
        dispatcher.waiting = self

    async def line(self, channel: int, watch: Watch) -> None:
        """Stop this thread until `watch`, a line of the channel memory at `channel`, is true."""
        dispatcher = self._dispatcher
        key = dispatcher.watch_for(watch)
        self._fresh[key] = (channel, watch)
        armed = dispatcher.watches_armed()
        while key in armed and dispatcher.alone():
            until = await Clock() + self._poll_ns
            timer = dispatcher.next_timer()
            found = await PollWait(until if timer is None else min(until, timer))
            if found < 0:
                break
            if self._fresh.pop(found, None) is None:
                self._handed.pop(found, None)
            dispatcher.fired(found)
        if key in armed:
            await Park()

    def give_up(self, channel: int) -> None:
        """Who waits for a line of the channel memory at `channel` goes on, whatever that says."""
        fresh = [key for key, (of, _) in self._fresh.items() if of == channel]
        for key in (*fresh, *[key for key, of in self._handed.items() if of == channel]):
            self._fresh.pop(key, None)
            self._handed.pop(key, None)
            self._dispatcher.fired(key)

    def give_up_local(self, buffer: LocalBuffer) -> None:
        """Who waits for a message in `buffer` goes on without one."""
        if buffer.waiter is not None:
            thread, buffer.waiter = buffer.waiter, None
            self._dispatcher.wake(thread)

    async def local(self, buffer: LocalBuffer) -> None:
        """Stop this thread until `buffer` has a message."""
        if not buffer.messages:
            buffer.waiter = self._dispatcher.current()
            await Park()

    async def block(self) -> None:
        """The scheduler has nothing to run: returns when something may have become runnable."""
        dispatcher = self._dispatcher
        if dispatcher.poller.armed():
            if await self._poll(self._poll_ns):
                return
            if self._fresh:
                fresh, self._fresh = self._fresh, {}
                self._handed.update((key, channel) for key, (channel, _) in fresh.items())
                await self._register(list(fresh.values()))
            self.up = True
            await self._bell.up()
            if await self._poll(0):
                await self.awake()
                return
        await Block(dispatcher.next_timer())
        await self.awake()

    async def look(self) -> None:
        """Poll once for what threads of this dispatcher wait for, and wake those whose time has come."""
        while self._dispatcher.poller.armed() and await self._poll(0):
            pass

    async def awake(self) -> None:
        """The dispatcher looks again: the scheduler calls this at the beginning of each activation, as
        one that blocked is not returned to."""
        if self.up:
            self.up = False
            await self._bell.down()

    async def _poll(self, ns: int) -> bool:
        dispatcher = self._dispatcher
        until = await Clock() + ns
        timer = dispatcher.next_timer()
        found = await PollWait(until if timer is None else min(until, timer))
        if found < 0:
            return False
        if self._fresh.pop(found, None) is None:
            self._handed.pop(found, None)
        dispatcher.fired(found)
        return True
