"""Channels to the other monitors: a star from the boot core at boot, any other made on first use.

    1  asker: `Introduce` to the boot core's monitor (with memory, if the asker homes it)
    2  boot core: passes it on to the target, over the channel it has
    3  target: opens its side, `Introduced` back the same way
    4  asker: opens its side; what waited for the channel is sent

A new core's monitor says `Hello` on its boot channel and is a member when the boot core has it; members
may join in any order.  A window that is full queues here, in order.

May not know: what is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.events import CoreFailed, MonitorJoined
from multikernel.interfaces import LINE
from multikernel.system.environment import CONSOLE, KERNEL
from multikernel.system.messages import Hello, Introduce, Introduced, Welcome, encode
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Clock, Invoke
from multikernel.system.requests import Emit, NotifyCore, StartCore

if TYPE_CHECKING:
    from multikernel.interfaces import Endpoint, Lines
    from multikernel.system.environment import Environment
    from multikernel.system.monitor.events import Callback, Events
    from multikernel.system.monitor.memory import ArenaMemory

JOIN_NS = 500_000_000
"""A started core is given up when neither it nor any other has said hello for so long.  Barrelfish boots a
core in about 10 ms; the slowest here is a host process that shares a CPU with fifty others."""


class Link:
    """A channel to one other monitor, with the messages that found no room."""

    def __init__(self, events: Events, peer: int, endpoint: Endpoint, bell: Lines, shared: bool) -> None:
        self.peer = peer
        self._events = events
        self._endpoint = endpoint
        self._bell = bell
        self._shared = shared
        self._outbox: deque[bytes] = deque()
        self._taken = 0
        self._listen()

    def _listen(self) -> None:
        self._events.line(self._endpoint.watch(), self._receive)

    async def _receive(self) -> None:
        """Take what has come, up to a batch, then listen again."""
        for _ in range(self._endpoint.ack_interval):
            payload = await self._endpoint.poll()
            if payload is None:
                break
            self._taken += 1
            if self._taken % self._endpoint.ack_interval == 0:
                await self.fence()
                await self.ring()
            await self._events.deliver(Sender(self.peer, 0), payload)
        self._listen()

    async def put(self, payload: bytes) -> None:
        """Write now, or when there is room; the receiver is woken by `ring`."""
        if self._outbox or not await self._endpoint.try_send(payload):
            if not self._outbox:
                self._events.line(self._endpoint.room(), self._flush)
            self._outbox.append(payload)

    async def ring(self) -> None:
        """What was put, and is visible by now, is seen: the receiver looks, or its core is interrupted."""
        if not self._shared:
            await self._bell.invalidate(0)
        if (await self._bell.load(0))[0]:
            await Invoke(KERNEL, NotifyCore(self.peer))

    async def fence(self) -> None:
        """Wait until what was put on any link is visible."""
        await self._bell.fence()

    async def _flush(self) -> None:
        while self._outbox and await self._endpoint.try_send(self._outbox[0]):
            self._outbox.popleft()
        await self.fence()
        await self.ring()
        if self._outbox:
            self._events.line(self._endpoint.room(), self._flush)


class Links:
    """This monitor's channels.  `arena` gives memory for those homed here."""

    def __init__(self, events: Events, arena: ArenaMemory) -> None:
        self._events = events
        self._environment: Environment = events.environment
        self._arena = arena
        self._links: dict[int, Link] = {}
        self._waiting: dict[int, list[bytes]] = {}
        self.members: dict[int, None] = {}
        self.failed: dict[int, str] = {}
        self._expected: dict[int, None] = {}
        self._heard_ns = 0
        self._settled: list[Callback] = []
        self._refusals: list[Callable[[int, bytes], Awaitable[None]]] = []
        events.on(Hello, self._hello)
        events.on(Welcome, self._welcome)
        events.on(Introduce, self._introduce)
        events.on(Introduced, self._introduced)

    async def start(self) -> None:
        """The boot core starts every other core; another says hello."""
        environment = self._environment
        if environment.core != environment.routes.boot_core:
            await self.open(environment.routes.boot_core, environment.boot_channel, environment.boot_slots, side=1)
            await self.send(environment.routes.boot_core, encode(Hello(environment.core)))
            return
        await self._report_join(environment.core)
        for core in environment.routes.cores:
            if core != environment.core:
                await self._start_core(core)
        self._heard_ns = await Clock()  # nobody could be heard before
        await self._report_settled()

    async def _start_core(self, core: int) -> None:
        channel = self._environment.layout.boot_channel(core)
        self._expected[core] = None
        await self.open(core, channel.address, channel.slots, side=0)
        await Invoke(KERNEL, StartCore(core, channel.address, channel.slots))
        self._events.at(await Clock() + JOIN_NS, partial(self._overdue, core))

    async def _overdue(self, core: int) -> None:
        patience_ns = self._heard_ns + JOIN_NS
        if core in self._expected and await Clock() < patience_ns:
            self._events.at(patience_ns, partial(self._overdue, core))
        elif core in self._expected:
            del self._expected[core]
            self.failed[core] = f"no hello within {JOIN_NS // 1_000_000} ms"
            await Invoke(CONSOLE, Emit(CoreFailed(await Clock(), core, self.failed[core])))
            await self._report_settled()

    async def _report_settled(self) -> None:
        """Every other core has joined or was given up."""
        if not self._expected:
            for callback in self._settled:
                await callback()

    def when_settled(self, callback: Callback) -> None:
        """Call `callback` when every core has joined or was given up: on the boot core, at the end of boot."""
        self._settled.append(callback)

    def reachable(self) -> Sequence[int]:
        """The cores whose monitors can be asked: on the boot core those that have joined, elsewhere all in
        the table."""
        return (
            tuple(self.members)
            if self._environment.core == self._environment.routes.boot_core
            else (self._environment.routes.cores)
        )

    async def open(self, peer: int, address: int, slots: int, side: int) -> None:
        """Begin to use the channel at `address`."""
        environment = self._environment
        transport = environment.made.transports[environment.routes.transport(environment.core, peer).transport]
        memory = environment.memory(await self._events.window(address, transport.lines(slots)))
        bell = await self._events.window(environment.layout.bell(peer, 1), 1)
        shared = environment.routes.same_island(environment.core, peer)
        self._links[peer] = Link(self._events, peer, transport.open(memory, slots, side), bell, shared)

    async def send(self, core: int, payload: bytes) -> None:
        """Send to the monitor of `core`, over a channel made now if there is none."""
        await self.send_all((core,), payload)

    async def send_all(self, cores: Sequence[int], payload: bytes) -> None:
        """Send the same to the monitors of several cores: all lines first, so that the stores overlap, then
        one fence, then the bells."""
        reached: list[Link] = []
        for core in cores:
            link = self._links.get(core)
            if link is None:
                await self._introduce_to(core, payload)
            else:
                await link.put(payload)
                reached.append(link)
        if reached:
            await reached[0].fence()
        for link in reached:
            await link.ring()

    async def _introduce_to(self, core: int, payload: bytes) -> None:
        """Step 1; `payload` waits for the channel."""
        if core in self._waiting:
            self._waiting[core].append(payload)
        else:
            self._waiting[core] = [payload]
            pair = self._environment.routes.transport(self._environment.core, core)
            address = 0
            if pair.home == "sender":
                address = self.memory(core, pair.slots)
            request = Introduce(self._environment.core, core, address, pair.slots)
            await self.send(self._environment.routes.boot_core, encode(request))

    def memory(self, peer: int, slots: int) -> int:
        """Zeroed memory of this core for a channel with `peer`; its physical address."""
        transport = self._environment.routes.transport(self._environment.core, peer).transport
        return self._arena.allocate(self._environment.made.transports[transport].lines(slots) * LINE)

    # Events

    async def _hello(self, sender: Sender, message: Hello) -> None:
        self._expected.pop(sender.core, None)
        self.failed.pop(sender.core, None)  # late is not never
        self._heard_ns = await Clock()
        await self._report_join(sender.core)
        await self.send(sender.core, encode(Welcome(len(self.members))))
        await self._report_settled()

    async def _report_join(self, core: int) -> None:
        self.members[core] = None
        await Invoke(CONSOLE, Emit(MonitorJoined(await Clock(), core)))

    async def _welcome(self, sender: Sender, message: Welcome) -> None:
        self.members[self._environment.core] = None

    async def _introduce(self, sender: Sender, message: Introduce) -> None:
        if message.target != self._environment.core:
            if message.target in self.failed:
                await self.send(sender.core, encode(Introduced(message.source, message.target, 0)))
            else:
                await self.send(message.target, encode(message))  # step 2
            return
        if message.source in self._waiting and message.target < message.source:
            return  # both asked: the lower core's request is the one that counts, and ours is on its way
        try:
            address = message.address or self.memory(message.source, message.slots)
        except LocalMisuse:  # no memory left for a channel: refused, as if this core were not up
            await self.send(self._environment.routes.boot_core, encode(Introduced(message.source, message.target, 0)))
            return
        await self.open(message.source, address, message.slots, side=1)
        reply = Introduced(message.source, message.target, address)
        await self.send(self._environment.routes.boot_core, encode(reply))
        await self._catch_up(message.source)

    async def _introduced(self, sender: Sender, message: Introduced) -> None:
        if message.source != self._environment.core:
            await self.send(message.source, encode(message))
            return
        if not message.address:
            for payload in self._waiting.pop(message.target, []):
                for refusal in self._refusals:
                    await refusal(message.target, payload)
            return
        slots = self._environment.routes.transport(message.source, message.target).slots
        await self.open(message.target, message.address, slots, side=0)
        await self._catch_up(message.target)

    def when_refused(self, callback: Callable[[int, bytes], Awaitable[None]]) -> None:
        """Call `callback` with the core and each message that will never reach it, as it is not up."""
        self._refusals.append(callback)

    async def _catch_up(self, peer: int) -> None:
        """Send what waited for the channel."""
        for payload in self._waiting.pop(peer, []):
            await self.send(peer, payload)
