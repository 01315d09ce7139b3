"""Something started and not yet done: the result side of every split-phase operation.

May not know: what was started.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Generic, TypeVar

from multikernel.system.operations import Operation

if TYPE_CHECKING:
    from multikernel.system.dispatcher import UserDispatcher

T = TypeVar("T")


class Completion(Generic[T]):
    """Something started: `await` it for its result; it completes exactly once, with a result or an error."""

    def __init__(self, code: Coroutine[Operation[object], object, T], user: UserDispatcher, name: str) -> None:
        self._code = code
        self._user = user
        self._results: list[T] = []
        self._thread = user.spawn(name, self._carry(), code)

    async def _carry(self) -> None:
        self._results.append(await self._code)

    async def _wait(self) -> T:
        await self._user.join(self._thread)
        return self._results[0]

    def __await__(self) -> Generator[Operation[object], object, T]:
        return self._wait().__await__()

    @property
    def done(self) -> bool:
        return self._thread.done
