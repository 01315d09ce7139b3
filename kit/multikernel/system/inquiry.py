"""Questions to one service, each answered before the next is put, whichever thread asks.

    answer = await inquiry.ask(question)        both at most 56 bytes

The channel is made on first use.  Without turns two threads of a dispatcher, waiting on one channel, could
take each other's answers.

May not know: what is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from multikernel.system.operations import Park, Self

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.dispatcher import Thread, UserDispatcher


class Inquiry:
    """See the module.  `connect` gives the channel to the service."""

    def __init__(self, user: UserDispatcher, connect: Callable[[], Awaitable[Channel]]) -> None:
        self._user = user
        self._connect = connect
        self._channel: Channel | None = None
        self._asking = False
        self._waiting: deque[Thread] = deque()

    async def ask(self, question: bytes) -> bytes:
        """The answer to `question`.  PeerError when there is no such service."""
        if self._asking:
            self._waiting.append(await Self())
            await Park()  # whoever wakes this thread leaves it the turn
        self._asking = True
        try:
            if self._channel is None:
                self._channel = await self._connect()
            await self._channel.send(question)
            return await self._channel.recv()
        finally:
            if self._waiting:
                self._user.wake(self._waiting.popleft())
            else:
                self._asking = False
