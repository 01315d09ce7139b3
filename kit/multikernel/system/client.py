"""A dispatcher's conversation with its core's monitor: requests out, answers back to whoever asked.

    answer = await client.ask(lambda request: Connect(request, core, service))
    client.told(kind, callback)          what the monitor says unasked

Requests go by LRPC, so that the monitor runs at once if it waits, unless several are to go together; answers come to
local buffer 0 and are routed by a thread of their own.

May not know: what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from multikernel.errors import PeerError
from multikernel.system.environment import MONITOR
from multikernel.system.messages import Connected, Done, decode, encode
from multikernel.system.operations import Park, Reschedule, SendLocal, Yield

if TYPE_CHECKING:
    from multikernel.system.dispatcher import Thread, UserDispatcher
    from multikernel.system.waitset import WaitSet

M = TypeVar("M")


class MonitorClient:
    """See the module."""

    def __init__(self, user: UserDispatcher, waitset: WaitSet) -> None:
        self._user = user
        self._waitset = waitset
        self._requests = 0
        self._asked: dict[int, Thread] = {}
        self._answers: dict[int, tuple[object, ...]] = {}
        self._told: dict[type, Callable[[tuple[object, ...]], None]] = {}

    def told(self, kind: type, callback: Callable[[tuple[object, ...]], None]) -> None:
        """Messages of `kind` that answer nothing go to `callback`."""
        self._told[kind] = callback

    async def say(self, item: tuple[int | str, ...], direct: bool = True) -> None:
        """A message that has no answer.  The monitor runs at once, or, not `direct`, when this dispatcher waits."""
        payload = encode(item)
        while not await SendLocal(MONITOR, payload, direct=direct):
            await Yield()

    async def ask(self, make: Callable[[int], tuple[int | str, ...]], direct: bool = True) -> tuple[object, ...]:
        """Send the message `make` gives for a request number, as `say` does; its answer."""
        self._requests += 1
        request = self._requests
        self._asked[request] = self._user.current()
        await self.say(make(request), direct)
        if request not in self._answers:
            await Park()
        return self._answers.pop(request)

    async def listen(self) -> None:
        """The thread that routes what the monitor says; never returns."""
        buffer = self._user.buffers[0]
        while True:
            await self._waitset.local(buffer)
            while buffer.messages:
                self._route(decode(buffer.messages.popleft()))
            await Reschedule()

    def _route(self, item: tuple[object, ...]) -> None:
        request = item.request if isinstance(item, (Connected, Done)) else 0
        thread = self._asked.pop(request, None)
        if thread is not None:
            self._answers[request] = item
            self._user.wake(thread)
        elif type(item) in self._told:
            self._told[type(item)](item)
        else:
            raise PeerError(f"the monitor said {item!r}, which answers nothing")
