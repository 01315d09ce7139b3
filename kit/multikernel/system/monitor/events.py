"""The monitor's loop: one event at a time, from lines and local buffers, to the block it belongs to.

    on(kind, handler)          a message of this kind from a core or a dispatcher goes to `handler`
    line(watch, callback)      when `watch` is true, once, `callback`
    raw(number, handler)       a message that begins with this byte, as it is
    client(number)             a local buffer for dispatcher `number`, its messages badged by it
    inbox(inbox)               another local buffer, taken from while the inbox says so
    run()                      for ever

When nothing has come for the polling time, the monitor puts its bell up, looks once more, and gives the
core up: to another dispatcher, or to sleep until an interrupt.  A handler never waits for another core:
what it starts is finished by later events.

May not know: what any message means.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from multikernel.errors import PeerError
from multikernel.system.channels import Bell
from multikernel.system.environment import KERNEL
from multikernel.system.messages import LOCAL, decode
from multikernel.system.operations import Clock, IdleCore, Invoke, PollWait, Spend, Yield
from multikernel.system.requests import OpenRaw

if TYPE_CHECKING:
    from multikernel.interfaces import Lines, Watch
    from multikernel.system.dispatcher import LocalBuffer
    from multikernel.system.environment import Environment

M = TypeVar("M")
Handler = Callable[["Sender", M], Awaitable[None]]
RawHandler = Callable[["Sender", bytes], Awaitable[None]]
Callback = Callable[[], Awaitable[None]]
NUMBERS = 28
"""Bits of a request's number that count; those above, of four bytes, are the incarnation's."""

_DISPATCH = Spend("message_dispatch")


class Sender(NamedTuple):
    """Who sent a message: a core's monitor, or (`dispatcher` > 0) a dispatcher of this core."""

    core: int
    dispatcher: int


@dataclass(frozen=True, slots=True, eq=False)
class Inbox:
    """A local buffer whose messages are not typed ones of a dispatcher to its monitor.  `open` is whether one may be
    taken now, `take` handles one."""

    buffer: LocalBuffer
    open: Callable[[], bool]
    take: Callable[[bytes], Awaitable[None]]


class Events:
    """See the module."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.core = environment.core
        self._handlers: dict[type, Handler[object]] = {}
        self._callbacks: dict[int, Callback] = {}
        self._raw: dict[int, RawHandler] = {}
        self._clients: dict[int, LocalBuffer] = {}
        self._inboxes: dict[Inbox, None] = {}
        self._timers: list[tuple[int, int, Callback]] = []
        self._timers_set = 0
        self._before_idle: list[Callback] = []
        self._when_knocked: list[Callback] = []
        self._bell: Bell | None = None
        self._crowded = False
        self._windows: dict[int, Lines] = {}

    def on(self, kind: type[M], handler: Handler[M]) -> None:
        """Messages of `kind` go to `handler`; one handler a kind."""

        def handle(sender: Sender, item: object) -> Awaitable[None]:
            assert isinstance(item, kind)
            return handler(sender, item)

        self._handlers[kind] = handle

    def raw(self, number: int, handler: RawHandler) -> None:
        """Messages whose first byte is `number` go to `handler` undecoded."""
        self._raw[number] = handler

    def line(self, watch: Watch, callback: Callback) -> int:
        """Call `callback` once, when `watch` is true; gives a number for `forget_line`."""
        key = self.environment.user.poller.arm(watch)
        self._callbacks[key] = callback
        return key

    def forget_line(self, key: int) -> None:
        """Its callback, which has not been called, never is."""
        self.environment.user.poller.disarm(key)
        self._callbacks.pop(key, None)

    def at(self, ns: int, callback: Callback) -> None:
        """Call `callback` when `ns` nanoseconds have passed since boot."""
        self._timers_set += 1
        heapq.heappush(self._timers, (ns, self._timers_set, callback))

    def before_idle(self, callback: Callback) -> None:
        """Call `callback` each time the core is about to be given up: to look at what interrupts announce."""
        self._before_idle.append(callback)

    def when_knocked(self, callback: Callback) -> None:
        """Call `callback` when somebody has interrupted this core to say that he is at its door."""
        self._when_knocked.append(callback)

    def client(self, number: int) -> None:
        """Take messages from dispatcher `number` of this core from now on: the last buffer made is its."""
        self._clients[number] = self.environment.user.buffers[-1]

    def forget(self, number: int) -> None:
        """Dispatcher `number` has ended."""
        self._clients.pop(number, None)

    def inbox(self, inbox: Inbox) -> None:
        """Take messages from `inbox` from now on, until `forget_inbox`."""
        self._inboxes[inbox] = None

    def forget_inbox(self, inbox: Inbox) -> None:
        """What is still in it is dropped."""
        self._inboxes.pop(inbox, None)

    async def window(self, address: int, count: int) -> Lines:
        """`count` lines of physical memory at `address`, opened once."""
        lines = self._windows.get(address)
        if lines is None or lines.count < count:
            lines = self._windows[address] = await Invoke(KERNEL, OpenRaw(address, count))
        return lines

    async def deliver(self, sender: Sender, payload: bytes) -> None:
        """Decode and handle one message.  A peer's nonsense is dropped, not obeyed, as is what a dispatcher says in the
        way of monitors and a monitor in the way of dispatchers."""
        await _DISPATCH
        if not payload or (payload[0] >= LOCAL) != (sender.dispatcher > 0):
            return
        if payload[0] in self._raw:
            await self._raw[payload[0]](sender, payload)
            return
        try:
            item = decode(payload)
        except PeerError:
            return
        handler = self._handlers.get(type(item))
        if handler is not None:
            await handler(sender, item)

    async def run(self) -> None:
        """The loop."""
        addresses = self.environment.layout.bells(self.core, self.environment.number)
        self._bell = Bell([await self.window(address, 1) for address in addresses], self.environment.routes.one_island)
        while True:
            if self._timers and self._timers[0][0] <= await Clock():
                await heapq.heappop(self._timers)[2]()
            elif not await self._local():
                await self._wait()

    async def _local(self) -> bool:
        """Handle one message of each client and inbox; False when there was none."""
        found = False
        if not self._pending():
            return False
        for number, buffer in list(self._clients.items()):
            if buffer.messages:
                found = True
                await self.deliver(Sender(self.core, number), buffer.messages.popleft())
        for inbox in list(self._inboxes):
            if inbox in self._inboxes and inbox.buffer.messages and inbox.open():
                found = True
                await inbox.take(inbox.buffer.messages.popleft())
        return found

    def _pending(self) -> bool:
        """Whether `_local` would find something."""
        for buffer in self._clients.values():
            if buffer.messages:
                return True
        return any(inbox.buffer.messages and inbox.open() for inbox in self._inboxes)

    async def _wait(self) -> None:
        """Poll, bell up, poll again, give the core up.  While other dispatchers want the core, the bell stays
        up and there is one poll a turn."""
        assert self._bell is not None
        if self.environment.user.knocked:
            self.environment.user.knocked = False
            for callback in self._when_knocked:
                await callback()
        if not self._crowded:
            if await self._poll(self.environment.poll_ns):
                return
            await self._bell.up()
        for callback in self._before_idle:
            await callback()
        if not await self._poll(0) and not self._pending():
            until = self._timers[0][0] if self._timers else None
            self._crowded = await Yield() if self._crowded else await IdleCore(until)
        if not self._crowded:
            await self._bell.down()

    async def _poll(self, ns: int) -> bool:
        key = await PollWait(await Clock() + ns)
        if key < 0:
            return False
        self.environment.user.poller.disarm(key)
        await self._callbacks.pop(key)()
        return True


class Pending(Generic[M]):
    """Numbers for requests under way.  None is used again, not even after a restart."""

    def __init__(self, incarnation: int = 0) -> None:
        self._next = incarnation << NUMBERS
        self._open: dict[int, M] = {}

    def add(self, item: M) -> int:
        self._next += 1
        self._open[self._next] = item
        return self._next

    def take(self, number: int) -> M | None:
        """The request, no longer under way; None for a number that is not."""
        return self._open.pop(number, None)

    def numbers(self, of: Callable[[M], bool]) -> list[int]:
        """Those of the requests under way of which `of` is true."""
        return [number for number, item in self._open.items() if of(item)]
