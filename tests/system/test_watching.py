"""What a monitor polls for dispatchers, and when it does so no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from multikernel.interfaces import LINE, Watch
from multikernel.system.messages import WatchLine
from multikernel.system.monitor.events import Events, Sender
from multikernel.system.monitor.watching import Watching
from multikernel.testing.memory import SharedMemory, run

CHANNEL, SIZE = 0x4000, 8 * LINE


class Loop:
    """A monitor's loop that polls nothing: what is to be polled, by key."""

    def __init__(self) -> None:
        self.polled: dict[int, Watch] = {}
        self.handler: Callable[[Sender, WatchLine], Awaitable[None]] | None = None

    def on(self, kind: type, handler: Callable[[Sender, WatchLine], Awaitable[None]]) -> None:
        self.handler = handler

    async def window(self, address: int, count: int) -> object:
        return SharedMemory(1, coherent=True).side(0)

    def line(self, watch: Watch, callback: object) -> int:
        self.polled[watch.word] = watch
        return watch.word

    def forget_line(self, key: int) -> None:
        del self.polled[key]


def test_what_the_dead_would_have_written_is_polled_no_more() -> None:
    loop = Loop()
    watching = Watching(cast(Events, loop))
    assert loop.handler is not None
    for dispatcher, address in ((2, CHANNEL), (2, CHANNEL + SIZE - LINE), (3, CHANNEL), (2, CHANNEL + SIZE)):
        run(loop.handler(Sender(0, dispatcher), WatchLine(address, len(loop.polled), 0)))
    watching.drop(2, CHANNEL, SIZE)
    assert list(loop.polled) == [2, 3]  # another dispatcher's, and that of the channel behind
    watching.drop(2, CHANNEL, SIZE)
    assert list(loop.polled) == [2, 3]
