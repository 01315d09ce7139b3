"""Taking turns: what the threads of one dispatcher may only do one after another.

    async with turns: ...                       one thread at a time, in the order they came
    answer = await inquiry.ask(question)        a service's answer to this question and no other

Without turns two threads that wait on one channel could take each other's answers.

May not know: what is done, what is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from multikernel.system.operations import Park

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.dispatcher import Thread, UserDispatcher


class Turns:
    """See the module.  A thread that has the turn must not ask for it again."""

    def __init__(self, user: UserDispatcher) -> None:
        self._user = user
        self._taken = False
        self._waiting: deque[Thread] = deque()

    async def __aenter__(self) -> None:
        if self._taken:
            self._waiting.append(self._user.current())
            await Park()  # whoever wakes this thread leaves it the turn
        self._taken = True

    async def __aexit__(self, *error: object) -> None:
        if self._waiting:
            self._user.wake(self._waiting.popleft())
        else:
            self._taken = False


class Inquiry:
    """A service and the channel to it, made on first use; `connect` gives it."""

    def __init__(self, user: UserDispatcher, connect: Callable[[], Awaitable[Channel]]) -> None:
        self._connect = connect
        self._channel: Channel | None = None
        self._turns = Turns(user)

    async def ask(self, question: bytes) -> bytes:
        """The answer to `question`; both at most 56 bytes.  PeerError when there is no such service."""
        async with self._turns:
            if self._channel is None:
                self._channel = await self._connect()
            await self._channel.send(question)
            return await self._channel.recv()
