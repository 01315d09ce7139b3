"""What is in C of a core's machine: how it runs dispatchers for the driver, and its windows on cached lines.

    hand_of(...)      a `Hand` where the caches are in C and the machine is a plain one, else `Bare`
    WINDOWS           the types of windows: a hand's loads and stores are carried out where they are awaited, if nothing
                      can come between
    HandPoller        the poll array of a dispatcher on a core that has a hand
    channel_memory()  one side of a channel's: over a hand's window the halves of its rings are in C as well

The handlers of `machine.py` over `run_core` and `Machine.run`, `poller.py`, and the halves of
`multikernel/system/ring.py`, are the oracle: tests hold the two to the same deliveries and times.

May not know: what a handler does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mk_sim.engine import FOUND
from multikernel.system.operations import Window
from multikernel.system.ring import LinesMemory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mk_sim._engine import Hand as Hand
    from mk_sim._engine import HandPoller as HandPoller
    from mk_sim._engine import HandWindow as HandWindow
    from mk_sim.coherence import Coherence
    from mk_sim.engine import Actor
    from multikernel.interfaces import Lines, RingReceiver, RingSender
    from multikernel.system.machine import Handler
    from multikernel.system.operations import Operation
elif FOUND.module is None:

    class Hand:
        """There is none without the C half."""

    class HandPoller:
        """There is none without the C half."""

    class HandWindow(Window):
        """There is none without the C half."""

else:
    Hand, HandWindow, HandPoller = FOUND.module.Hand, FOUND.module.Window, FOUND.module.Poller


WINDOWS: tuple[type[Window], ...] = (Window, HandWindow)


class HandMemory(LinesMemory):
    """Channel memory in a hand's window."""

    def __init__(self, window: HandWindow) -> None:
        super().__init__(window)
        self._window = window

    def sender(self, first: int, slots: int) -> RingSender:
        return self._window.sender(first, slots)

    def receiver(self, first: int, slots: int) -> RingReceiver:
        return self._window.receiver(first, slots)


def channel_memory(lines: Lines, device: Lines | None, here: int, there: int) -> LinesMemory:
    """See the module.  Arguments are `environment.MemoryMaker`'s; a link over a device has no rings."""
    if device is None and isinstance(lines, HandWindow):
        return HandMemory(lines)
    return LinesMemory(lines, device, here, there)


class Bare:
    """The hand of a machine that does all in Python.  `pending`: an interrupt has come."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = False


def hand_of(
    coherence: Coherence,
    core: int,
    actor: Actor,
    handlers: Mapping[type[Operation[object]], Handler],
    seen: dict[int, bytes],
    costs: dict[str, int],
    mhz: int,
    plain: bool,
) -> Hand | Bare:
    """See the module.  `seen` is what the core last saw of each line."""
    if FOUND.module is None or not plain or not isinstance(coherence.caches, FOUND.module.Caches):
        return Bare()
    return Hand(coherence.caches, core, actor, handlers, seen, costs, mhz)
