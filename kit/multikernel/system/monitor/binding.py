"""Channels between dispatchers, set up by their monitors; the transport was chosen when the pair was bound.

    1  a dispatcher exports a service on its core
    2  another, on any core, asks its own monitor to connect
    3  its monitor asks the exporter's (`Bind`), with memory if the asker's side homes the channel
    4  the exporter's monitor homes it otherwise, tells the exporter, answers `Bound`
    5  the asker is told

A service that is not exported yet is waited for, as what starts together need not start in order.  Either
side gets a Frame capability for the channel's memory and one to interrupt the peer's core.  When a core dies those who
have channels with it are told (`Lost`).  On one
core there is no memory: each gets an EndPoint of the other (LMP).

May not know: transports, what services do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import LocalMisuse, MultikernelError
from multikernel.interfaces import LINE
from multikernel.system.environment import KERNEL
from multikernel.system.layout import PAGE
from multikernel.system.messages import Bind, Bound, Connect, Connected, Done, Export, Lost, encode
from multikernel.system.monitor.events import Pending, Sender
from multikernel.system.operations import Clock, Invoke
from multikernel.system.requests import ConnectLocal, GiveFrame, GiveNotify

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Callback, Events
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.processes import Processes
    from multikernel.system.monitor.watching import Watching

LOCAL_SLOTS = 16
"""Window of a channel between dispatchers of one core, messages."""
EARLY_NS = 20_000_000
"""How long a request for a service nobody exports waits for it: some starts of a program (create and first
run, tens of microseconds), with a wide margin for a host process that waits for its CPU."""


Carry = Callable[[int, Connect], Awaitable[None]]
"""Connects a dispatcher to a core with which dispatchers share no channels (`circuits.py`)."""


class Asked(NamedTuple):
    """A connect under way: for whom, and whose number it has there."""

    dispatcher: int
    request: int
    core: int


class Binding:
    """See the module."""

    def __init__(self, events: Events, links: Links, processes: Processes, watching: Watching) -> None:
        self._events = events
        self._links = links
        self._processes = processes
        self._watching = watching
        self._channels: dict[tuple[int, int], int] = {}
        self._exports: dict[str, int] = {}
        self._early: dict[str, list[Callback]] = {}
        self._asked: Pending[Asked] = Pending(events.environment.incarnation)
        self._carry: Carry | None = None
        events.on(Export, self._export)
        events.on(Connect, self._connect)
        events.on(Bind, self._bind)
        events.on(Bound, self._bound)
        processes.when_gone(self._gone)
        links.when_refused(self._unreachable)
        links.when_lost(self._lost)

    async def _unreachable(self, core: int, message: tuple[object, ...]) -> None:
        """A `Bind` that finds nobody is refused like one that finds no service."""
        if isinstance(message, Bind):
            await self._bound(Sender(core, 0), Bound(message.request, 0, 0))

    async def _lost(self, core: int) -> None:
        """What was asked of a core that has died is refused, and who has channels with it is told."""
        for number in self._asked.numbers(lambda asked: asked.core == core):
            await self._bound(Sender(core, 0), Bound(number, 0, 0))
        for dispatcher, address in [channel for channel, peer in self._channels.items() if peer == core]:
            del self._channels[dispatcher, address]
            self._watching.drop(dispatcher, address, self._size(core))
            await self._processes.reply(dispatcher, encode(Lost(address)))

    def _size(self, peer: int) -> int:
        """Bytes of a channel with `peer`."""
        environment = self._events.environment
        pair = environment.routes.transport(environment.core, peer)
        return environment.made.transports[pair.transport].lines(pair.slots) * LINE

    def carry(self, carry: Carry) -> None:
        """Who connects dispatchers of cores that no channel joins."""
        self._carry = carry

    def exporter(self, service: str) -> int:
        """The dispatcher that exports `service` here; 0 when none does."""
        return self._exports.get(service, 0)

    async def when_exported(self, service: str, serve: Callback) -> None:
        """Call `serve` when somebody exports `service`, or when it has been waited for long enough."""
        await (serve() if service in self._exports else self._wait_for(service, serve))

    async def _gone(self, number: int) -> None:
        """What a dispatcher that has ended exported is free again."""
        for service in [name for name, exporter in self._exports.items() if exporter == number]:
            del self._exports[service]
        for channel in [channel for channel in self._channels if channel[0] == number]:
            del self._channels[channel]

    async def _export(self, sender: Sender, message: Export) -> None:
        taken = self._exports.setdefault(message.service, sender.dispatcher) != sender.dispatcher
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, 0, int(taken))))
        for early in self._early.pop(message.service, []):
            await early()

    async def _wait_for(self, service: str, serve: Callback) -> None:
        """Nobody exports `service` yet: `serve` is called when somebody does, or after `EARLY_NS`."""
        self._early.setdefault(service, []).append(serve)
        self._events.at(await Clock() + EARLY_NS, partial(self._too_early, service, serve))

    async def _too_early(self, service: str, serve: Callback) -> None:
        waiting = self._early.get(service, [])
        if serve in waiting:
            waiting.remove(serve)
            await serve()

    async def _connect(self, sender: Sender, message: Connect) -> None:
        environment = self._events.environment
        if message.core == environment.core:
            serve = partial(self._local, sender.dispatcher, message)
            await self.when_exported(message.service, serve)
            return
        if message.core not in self._links.reachable():
            await self.refuse(sender.dispatcher, message.request)
            return
        pair = environment.routes.transport(environment.core, message.core)
        if pair.scope != "channel":
            assert self._carry is not None
            await self._carry(sender.dispatcher, message)
            return
        try:
            address = self._links.memory(message.core, pair.slots) if pair.home == "sender" else 0
        except LocalMisuse:  # no memory left for a channel
            await self.refuse(sender.dispatcher, message.request)
            return
        request = self._asked.add(Asked(sender.dispatcher, message.request, message.core))
        bell = environment.layout.bell(environment.core, sender.dispatcher, message.core)
        await self._links.send(message.core, encode(Bind(request, address, pair.slots, bell, message.service)))

    async def _bind(self, sender: Sender, message: Bind) -> None:
        await self.when_exported(message.service, partial(self._serve, sender, message))

    async def _serve(self, sender: Sender, message: Bind) -> None:
        """Step 4."""
        environment = self._events.environment
        exporter = self._exports.get(message.service, 0)
        if not exporter:
            await self._links.send(sender.core, encode(Bound(message.request, 0, 0)))
            return
        try:
            address = message.address or self._links.memory(sender.core, message.slots)
            await self._tell(exporter, 0, sender.core, address, message.bell, side=1)
        except MultikernelError:  # no memory for the channel, or no room for its capabilities
            await self._links.send(sender.core, encode(Bound(message.request, 0, 0)))
            return
        bell = environment.layout.bell(environment.core, exporter, sender.core)
        await self._links.send(sender.core, encode(Bound(message.request, address, bell)))

    async def _bound(self, sender: Sender, message: Bound) -> None:
        asked = self._asked.take(message.request)
        if asked is None:
            return
        if not message.address:
            await self.refuse(asked.dispatcher, asked.request)
            return
        try:
            await self._tell(asked.dispatcher, asked.request, sender.core, message.address, message.bell, side=0)
        except MultikernelError:
            await self.refuse(asked.dispatcher, asked.request)

    async def _tell(self, dispatcher: int, request: int, peer: int, address: int, bell: int, side: int) -> None:
        """Hand dispatcher `dispatcher` its side of the channel at `address`."""
        frame = await Invoke(KERNEL, GiveFrame(address, -(-self._size(peer) // PAGE) * PAGE, dispatcher))
        bells = await Invoke(KERNEL, GiveFrame(bell // PAGE * PAGE, PAGE, dispatcher))
        notify = await Invoke(KERNEL, GiveNotify(peer, dispatcher))
        self._channels[dispatcher, address] = peer
        told = Connected(request, frame, bells, notify, address, peer, bell % PAGE // LINE, side)
        await self._processes.reply(dispatcher, encode(told))

    async def _local(self, dispatcher: int, message: Connect) -> None:
        exporter = self._exports.get(message.service, 0)
        if not exporter:
            await self.refuse(dispatcher, message.request)
            return
        core = self._events.core
        try:
            pair = await Invoke(KERNEL, ConnectLocal(dispatcher, exporter, LOCAL_SLOTS))
        except MultikernelError:  # one of the two has ended, or has no room for a capability
            await self.refuse(dispatcher, message.request)
            return
        await self._processes.reply(exporter, encode(Connected(0, pair.b, 0, 0, 0, core, 0, 1)))
        await self._processes.reply(dispatcher, encode(Connected(message.request, pair.a, 0, 0, 0, core, 0, 0)))

    async def refuse(self, dispatcher: int, request: int) -> None:
        """Tell a dispatcher that its request to connect came to nothing."""
        await self._processes.reply(dispatcher, encode(Connected(request, 0, 0, 0, 0, 0, 0, 0)))
