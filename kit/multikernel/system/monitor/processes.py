"""Processes: dispatchers started on this core, or by another core's monitor for ours.

A process is known by its name, the same on every core it spans.  The boot core's monitor starts what the
blueprint's boot list names, and the programs asked for from outside, one after another.

May not know: what programs do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import LocalMisuse, MultikernelError
from multikernel.events import ProcessStarted
from multikernel.system.caps.cspace import cptr
from multikernel.system.caps.types import CNODE_SLOTS
from multikernel.system.environment import CONSOLE, FIRST_CLIENT, KERNEL
from multikernel.system.messages import NAME, AskUp, Done, Gone, Noted, Spans, Spawn, Spawned, SpawnOn, encode
from multikernel.system.monitor.events import Pending, Sender
from multikernel.system.operations import Clock, Invoke, SendLocal
from multikernel.system.requests import CreateDispatcher, Emit, RunDispatcher

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.links import Links

RETRY_NS = 20_000
"""How long to wait for a dispatcher whose message buffer is full: a few rounds of its own polling."""


class Asked(NamedTuple):
    """A spawn under way: for whom, whose number it has there, for which process, and on which core."""

    dispatcher: int
    request: int
    process: str
    core: int


class Processes:
    """See the module."""

    def __init__(self, events: Events, links: Links) -> None:
        self._events = events
        self._links = links
        self._spawns: Pending[Asked] = Pending(events.environment.incarnation)
        self._names: dict[int, str] = {}
        self._spans: dict[str, dict[int, None]] = {}
        self._notes: Pending[tuple[int, Done]] = Pending()
        self._when_gone: list[Callable[[int], Awaitable[None]]] = []
        self._outboxes: dict[int, deque[bytes]] = {}
        events.on(SpawnOn, self._spawn_on)
        events.on(Spawn, self._spawn)
        events.on(Spawned, self._spawned)
        events.on(Gone, self._gone)
        events.on(AskUp, self._ask_up)
        links.when_refused(self._unreachable)
        links.when_lost(self._lost)
        events.on(Spans, self._spanned)
        events.on(Noted, self._noted)

    def dispatchers(self, name: str) -> list[int]:
        """Numbers of the dispatchers of process `name` on this core."""
        return [number for number, own in self._names.items() if own == name]

    def cores(self, name: str) -> Mapping[int, None]:
        """On the boot core: the cores process `name` has ever had a dispatcher on."""
        return self._spans.get(name, {})

    def name(self, number: int) -> str:
        """The process dispatcher `number` belongs to."""
        return self._names.get(number, "")

    async def start(
        self, name: str, program: str, argument: int, parameters: tuple[tuple[str, str], ...], parent: str = ""
    ) -> int:
        """Start `program` here for process `name`, whose leader it is unless a `parent` process asked; gives
        its dispatcher's number.  Raises what the driver refuses with; LocalMisuse for a name that no message
        could carry."""
        if len(name.encode()) > NAME:
            raise LocalMisuse(f"{name!r} is longer than the {NAME} bytes of a process's name")
        number = await Invoke(KERNEL, CreateDispatcher(name, program, argument, parameters, not parent))
        self._names[number] = name
        self._spans.setdefault(name, {})[self._events.core] = None
        self._events.client(number)
        await Invoke(CONSOLE, Emit(ProcessStarted(await Clock(), self._events.core, name, parent or "monitor")))
        await Invoke(KERNEL, RunDispatcher(number))
        return number

    async def reply(self, number: int, payload: bytes) -> None:
        """A local message to dispatcher `number`: now, or when its buffer has room; none if it has ended."""
        if number not in self._names:
            return
        outbox = self._outboxes.setdefault(number, deque())
        outbox.append(payload)
        if len(outbox) == 1:
            await self._flush(number)

    async def _flush(self, number: int) -> None:
        outbox = self._outboxes.get(number)
        while outbox:
            try:
                accepted = await SendLocal(client_slot(number), outbox[0])
            except MultikernelError:
                outbox.clear()  # it has exited meanwhile
                return
            if not accepted:
                self._events.at(await Clock() + RETRY_NS, partial(self._flush, number))
                return
            outbox.popleft()

    def when_gone(self, callback: Callable[[int], Awaitable[None]]) -> None:
        """Call `callback` with the number of each dispatcher of this core that has ended."""
        self._when_gone.append(callback)

    async def _unreachable(self, core: int, message: tuple[object, ...]) -> None:
        """A `Spawn` that finds nobody is refused."""
        if isinstance(message, Spawn):
            await self._spawned(Sender(core, 0), Spawned(message.request, 0))

    async def _lost(self, core: int) -> None:
        """A spawn that was under way there is refused."""
        for number in self._spawns.numbers(lambda asked: asked.core == core):
            await self._spawned(Sender(core, 0), Spawned(number, 0))

    async def _ask_up(self, sender: Sender, message: AskUp) -> None:
        up = message.core in self._links.members
        await self.reply(sender.dispatcher, encode(Done(message.request, int(up), 0)))

    async def _gone(self, sender: Sender, message: Gone) -> None:
        self._names.pop(sender.dispatcher, None)
        self._outboxes.pop(sender.dispatcher, None)
        self._events.forget(sender.dispatcher)
        for callback in self._when_gone:
            await callback(sender.dispatcher)

    async def _spawn_on(self, sender: Sender, message: SpawnOn) -> None:
        if message.core not in self._links.reachable():
            await self.reply(sender.dispatcher, encode(Done(message.request, 0, 1)))
            return
        name = self._names[sender.dispatcher]
        if message.core == self._events.core:
            number = await self._try_start(name, message.program, message.argument)
            await self._note(name, message.core, sender.dispatcher, Done(message.request, number, int(number == 0)))
            return
        request = self._spawns.add(Asked(sender.dispatcher, message.request, name, message.core))
        await self._links.send(message.core, encode(Spawn(request, message.argument, message.program, name)))

    async def _spawn(self, sender: Sender, message: Spawn) -> None:
        number = await self._try_start(message.process, message.program, message.argument)
        await self._links.send(sender.core, encode(Spawned(message.request, number)))

    async def _try_start(self, name: str, program: str, argument: int) -> int:
        try:
            return await self.start(name, program, argument, (), name)
        except MultikernelError:
            return 0

    async def _spawned(self, sender: Sender, message: Spawned) -> None:
        waiting = self._spawns.take(message.request)
        if waiting is not None:
            done = Done(waiting.request, message.number, int(message.number == 0))
            await self._note(waiting.process, sender.core, waiting.dispatcher, done)

    async def _note(self, name: str, core: int, dispatcher: int, done: Done) -> None:
        """Answer a spawn once the boot core's monitor knows that the process spans `core`."""
        boot_core = self._events.environment.routes.boot_core
        if self._events.core == boot_core or done.failed:
            self._spans.setdefault(name, {})[core] = None
            await self.reply(dispatcher, encode(done))
        else:
            request = self._notes.add((dispatcher, done))
            await self._links.send(boot_core, encode(Spans(request, core, name)))

    async def _spanned(self, sender: Sender, message: Spans) -> None:
        self._spans.setdefault(message.process, {})[message.core] = None
        await self._links.send(sender.core, encode(Noted(message.request)))

    async def _noted(self, sender: Sender, message: Noted) -> None:
        waiting = self._notes.take(message.request)
        if waiting is not None:
            await self.reply(waiting[0], encode(waiting[1]))


def client_slot(number: int) -> int:
    """CPtr of the monitor's EndPoint for dispatcher `number` of its core (`invocations.py`)."""
    return cptr(FIRST_CLIENT + number // CNODE_SLOTS, number % CNODE_SLOTS)
