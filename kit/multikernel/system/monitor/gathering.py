"""Before an object is first agreed on among equals, those that hold it meet: the boot core brings them together.

    1  ASK       a core with a first submission, to the boot core
    2  CALL      the boot core, to every core that holds the object and has joined
    3  GREET     each of them, to those it will have to do with: so each pair has a channel
    4  GREETED   the answer
    5  MET       to the boot core, when all have answered
    6  OPEN      the boot core, to each that it called or that asked: when all have met, or PATIENCE_NS after the call

Channels between monitors are made through the boot core, which is quick; those that have met need nobody when it dies.
What is submitted before OPEN waits, and on who holds nothing until it has met those that do.  Nobody waits for ever for
who is dead, the boot core not excepted: PATIENCE_NS later, or for OPEN when it hears a peer, a core goes on, and
insists on a channel to each that it speaks to (`introductions.py`).  An object nobody asks for costs nothing.

May not know: protocols, replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

from multikernel.system.messages import Gather, encode
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Clock

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Callback, Events
    from multikernel.system.monitor.links import Links


class Stage(IntEnum):
    """What a `Gather` says; see the module."""

    ASK = 1
    CALL = 2
    GREET = 3
    GREETED = 4
    MET = 5
    OPEN = 6


PATIENCE_NS = 10_000_000
"""How long the boot core waits for those it called: a hundred times what meeting takes on the simulator, and long
enough for host processes that share a CPU; a core that is dead by then is met by nobody."""


class Gathering:
    """See the module.  Of an object by number, `holders` are the cores that hold it, `neighbours` those that this one
    will have to do with."""

    def __init__(
        self,
        events: Events,
        links: Links,
        holders: Callable[[int], Sequence[int]],
        neighbours: Callable[[int], Sequence[int]],
    ) -> None:
        self._events = events
        self._links = links
        self._holders = holders
        self._neighbours = neighbours
        self._boot_core = events.environment.routes.boot_core
        self._waiting: dict[int, list[Callback]] = {}
        self._opened: dict[int, None] = {}
        self._asked: dict[int, list[int]] = {}
        self._called: dict[int, dict[int, None]] = {}
        self._greeted: dict[int, dict[int, None]] = {}
        events.on(Gather, self._gather)

    async def when_open(self, number: int, callback: Callback) -> None:
        """Call `callback` when object `number` is open and this core has met its neighbours: at once if it is so."""
        if number in self._opened and not self._greeted.get(number):
            await callback()
            return
        self._waiting.setdefault(number, []).append(callback)
        if len(self._waiting[number]) > 1 or number in self._opened:
            return
        if self._events.core == self._boot_core:
            await self._call(number)
        else:
            await self._say(self._boot_core, number, Stage.ASK)
            await self._wait_at_most(number)

    async def heard(self, number: int) -> None:
        """A peer has spoken, so object `number` is open."""
        if number not in self._opened:
            await self._open(number)

    async def _gather(self, sender: Sender, message: Gather) -> None:
        number, core = message.object, sender.core
        if not self._holders(number):
            return  # there is no such object
        match message.stage:
            case Stage.ASK:
                self._asked.setdefault(number, []).append(core)
                await (self._tell_open(number) if number in self._opened else self._call(number))
            case Stage.CALL:
                await self._greet(number)
            case Stage.GREET:
                await self._say(core, number, Stage.GREETED)
            case Stage.GREETED:
                await self._answered(number, core)
            case Stage.MET:
                await self._met(number, core)
            case Stage.OPEN:
                await self._open(number)

    async def _call(self, number: int) -> None:
        """Step 2, once."""
        if number in self._called:
            return
        there = [core for core in self._holders(number) if core in self._links.members]
        self._called[number] = dict.fromkeys(there)
        others = [core for core in there if core != self._events.core]
        self._asked.setdefault(number, []).extend(others)
        await self._links.send_all(others, encode(Gather(number, Stage.CALL)))
        if len(others) < len(there):
            await self._greet(number)
        else:
            await self._wait_at_most(number)

    async def _greet(self, number: int) -> None:
        """Step 3, once."""
        if number in self._greeted:
            return
        self._greeted[number] = dict.fromkeys(self._neighbours(number))
        await self._wait_at_most(number)
        greeted = tuple(self._greeted[number])
        await self._links.send_all(greeted, encode(Gather(number, Stage.GREET)))
        await self._links.insist(greeted)
        if not self._greeted[number]:
            await self._have_met(number)

    async def _answered(self, number: int, core: int) -> None:
        """Step 4."""
        greeted = self._greeted.get(number, {})
        if core in greeted:
            del greeted[core]
            if not greeted:
                await self._have_met(number)

    async def _have_met(self, number: int) -> None:
        """Step 5."""
        if number in self._opened:
            await self._go_on(number)
        elif self._events.core == self._boot_core:
            await self._met(number, self._boot_core)
        else:
            await self._say(self._boot_core, number, Stage.MET)

    async def _met(self, number: int, core: int) -> None:
        called = self._called.get(number, {})
        called.pop(core, None)
        if not called:
            await self._open(number)

    async def _open(self, number: int) -> None:
        """Step 6.  Who was not called meets its neighbours now."""
        if number in self._opened:
            return
        self._opened[number] = None
        await self._tell_open(number)
        await self._greet(number)
        if not self._greeted[number]:
            await self._go_on(number)

    async def _go_on(self, number: int) -> None:
        """What was submitted meanwhile."""
        for callback in self._waiting.pop(number, ()):
            await callback()

    async def _lose_patience(self, number: int) -> None:
        """Who has not answered by now is dead."""
        self._greeted[number] = {}
        await self._open(number)
        await self._go_on(number)

    async def _wait_at_most(self, number: int) -> None:
        self._events.at(await Clock() + PATIENCE_NS, partial(self._lose_patience, number))

    async def _tell_open(self, number: int) -> None:
        cores = tuple(dict.fromkeys(self._asked.pop(number, ())))
        await self._links.send_all(cores, encode(Gather(number, Stage.OPEN)))

    async def _say(self, core: int, number: int, stage: Stage) -> None:
        await self._links.send(core, encode(Gather(number, stage)))
