"""How the monitors reach each other: over the tree of gateways from boot on, over any other channel from first use.

    await links.start()                       boot: this core starts those behind it, and says hello
    await links.send(core, payload)           to the monitor of `core`; if the two have no channel they are introduced
    await links.open(peer, ...)               use a channel
    await links.restart(core)                 on the boot core

Where no transport joins two cores what they say to each other is relayed (`relay.py`).  Over a device each side has
memory of its own for the channel.  Where the blueprint has a channel for the two they use that.  How two cores come to
a channel is in `introductions.py`.

The boot core's monitor can start a core anew: all others forget what they had with it (`Forget`), its gateway clears
the channel to it and starts it, and it says hello again.  Channels with it are made anew, those that the blueprint
fixes in memory that is cleared first.  Who joins later is told who was restarted.

Each core starts those whose gateway it is.  A new core's monitor says `Hello` to the boot core's and is a member
when that has it; members may join in any order.  The cores behind one that did not come up are given up with it.

May not know: what is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from multikernel.events import CoreFailed, MonitorJoined
from multikernel.interfaces import LINE
from multikernel.system.environment import CONSOLE, KERNEL
from multikernel.system.lmp import NoMemory
from multikernel.system.messages import Forget, Hello, Welcome, encode
from multikernel.system.monitor.events import Sender
from multikernel.system.monitor.introductions import NOWHERE, Introductions
from multikernel.system.monitor.link import Link
from multikernel.system.monitor.relay import Relay, split
from multikernel.system.operations import Clock, Invoke, Step
from multikernel.system.requests import Emit, StartCore

if TYPE_CHECKING:
    from multikernel.interfaces import Lines
    from multikernel.system.environment import Environment
    from multikernel.system.monitor.events import Callback, Events
    from multikernel.system.monitor.introductions import Refusal
    from multikernel.system.monitor.memory import ArenaMemory

JOIN_NS = 500_000_000
"""A started core is given up when neither it nor any other has said hello for so long.  Barrelfish boots a
core in about 10 ms; the slowest here is a host process that shares a CPU with fifty others."""


class Links:
    """This monitor's channels.  `arena` gives memory for those homed here."""

    def __init__(self, events: Events, arena: ArenaMemory) -> None:
        self._events = events
        self._environment: Environment = events.environment
        self._arena = arena
        self._links: dict[int, Link] = {}
        self._relayed: dict[int, None] = {}
        self._relay = Relay(events, self._post)
        self._introductions = Introductions(events, self, self._relay.send)
        self.members: dict[int, None] = {}
        self.failed: dict[int, str] = {}
        self._expected: dict[int, None] = {}
        self._heard_ns = 0
        self._settled: list[Callback] = []
        self._lost: dict[int, int] = {}
        self._losses: list[Callable[[int], Awaitable[None]]] = []
        events.on(Hello, self._hello)
        events.on(Welcome, self._welcome)
        events.on(Forget, self._forget)

    # Boot

    async def start(self) -> None:
        """Each core starts those behind it; all but the boot core say hello first."""
        core, routes, layout = self._environment.core, self._environment.routes, self._environment.layout
        if core != routes.boot_core:
            gateway, channel = routes.gateway(core), layout.boot_channel(core)
            await self.open(gateway, self._environment.boot_channel, channel.address, channel.slots, side=1)
            await self._say_hello()
            for child in routes.children(core):
                await self._start_core(child)
            return
        await self._report_join(core)
        self._expected = dict.fromkeys(other for other in routes.cores if other != core)
        for child in routes.children(core):
            await self._start_core(child)
            self._events.at(await Clock() + JOIN_NS, partial(self._overdue, child))
        self._heard_ns = await Clock()  # nobody could be heard before
        await self._report_settled()

    async def _say_hello(self) -> None:
        boot_core = self._environment.routes.boot_core
        if boot_core not in self._links:
            self._relayed[boot_core] = None
        await self.send(boot_core, encode(Hello(self._environment.core)))

    async def _start_core(self, core: int) -> None:
        channel = self._environment.layout.boot_channel(core)
        if core in self._lost:
            await self.clear(core, channel.address, channel.slots)
        await self.open(core, channel.address, channel.far, channel.slots, side=0)
        await Invoke(KERNEL, StartCore(core, channel.far, channel.slots))

    async def _overdue(self, core: int) -> None:
        patience_ns = self._heard_ns + JOIN_NS
        if core in self._expected and await Clock() < patience_ns:
            self._events.at(patience_ns, partial(self._overdue, core))
        elif core in self._expected:
            await self._give_up(core, f"no hello within {JOIN_NS // 1_000_000} ms")
            await self._report_settled()

    async def _give_up(self, core: int, why: str) -> None:
        """`core` is not there, and neither is what is reached through it."""
        self._expected.pop(core, None)
        self.failed[core] = why
        await Invoke(CONSOLE, Emit(CoreFailed(await Clock(), core, why)))
        for child in self._environment.routes.children(core):
            await self._give_up(child, f"its gateway, core {core}, did not come up")

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

    # Restart

    async def restart(self, core: int) -> None:
        """On the boot core: start `core` anew, which has stopped.  It has the time of a core that is started first."""
        routes = self._environment.routes
        self.members.pop(core, None)
        self.failed[core] = "is started anew"
        self._expected[core] = None
        self._heard_ns = await Clock()
        self._events.at(self._heard_ns + JOIN_NS, partial(self._overdue, core))
        others = tuple(other for other in self.members if other != routes.boot_core)
        forget = Forget(core, self._lost.get(core, 0) + 1)
        await self.send_all(others, encode(forget))
        await self._forget(Sender(routes.boot_core, 0), forget)

    async def _forget(self, sender: Sender, message: Forget) -> None:
        """What this core had with another is gone; its gateway starts it."""
        core = message.core
        if message.times <= self._lost.get(core, 0):
            return
        self._lost[core] = message.times
        link = self._links.pop(core, None)
        if link is not None:
            link.close()
        self._relay.forget(core)
        self._relayed.pop(core, None)
        await self._introductions.forget(core)
        for callback in self._losses:
            await callback(core)
        if self._environment.routes.gateway(core) == self._environment.core:
            await self._start_core(core)

    def when_lost(self, callback: Callable[[int], Awaitable[None]]) -> None:
        """Call `callback` with each core that is started anew: nothing asked of it before will be answered."""
        self._losses.append(callback)

    def restarts(self, peer: int) -> int:
        """How often this core or `peer` was started anew."""
        return self._environment.incarnation + self._lost.get(peer, 0)

    async def clear(self, peer: int, address: int, slots: int) -> None:
        """Zero the memory of a channel that was used before."""
        pair = self._environment.routes.transport(self._environment.core, peer)
        lines = await self._events.window(address, self._environment.made.transports[pair.transport].lines(slots))
        shared = self._environment.routes.same_island(self._environment.core, peer)
        for index in range(lines.count):
            await lines.store(index, bytes(LINE))
            if not shared:
                await lines.clean(index)
        await lines.fence()

    async def _hello(self, sender: Sender, message: Hello) -> None:
        core, routes = sender.core, self._environment.routes
        self._expected.pop(core, None)
        self.failed.pop(core, None)  # late is not never
        self._heard_ns = await Clock()
        if core not in self._links:
            self._relayed[core] = None
        await self._report_join(core)
        await self.send(core, encode(Welcome(len(self.members))))
        for other, times in self._lost.items():
            if other != core:
                await self.send(core, encode(Forget(other, times)))
        for child in routes.children(core):
            self._events.at(self._heard_ns + JOIN_NS, partial(self._overdue, child))
        await self._report_settled()

    async def _report_join(self, core: int) -> None:
        self.members[core] = None
        await Invoke(CONSOLE, Emit(MonitorJoined(await Clock(), core)))

    async def _welcome(self, sender: Sender, message: Welcome) -> None:
        self.members[self._environment.core] = None

    # Channels

    async def open(self, peer: int, here: int, there: int, slots: int, side: int) -> None:
        """Begin to use the channel at `here`; over a device the peer's side lies at `there`."""
        environment, core = self._environment, self._environment.core
        pair = environment.routes.transport(core, peer)
        transport = environment.made.transports[pair.transport]
        count = transport.lines(slots)
        lines: Lines = await self._events.window(here, count) if count else NoMemory().lines
        shared = environment.routes.same_island(core, peer)
        if pair.scope == "link":
            device = await self._events.window(*environment.routes.registers(core, peer))
            endpoint = transport.open(environment.memory(lines, device, here, there), slots, side)
            self._links[peer] = Link(self._events, peer, endpoint, device, None, shared)
            return
        bell = await self._events.window(environment.layout.bell(peer, 1, core), 1)
        endpoint = transport.open(environment.memory(lines), slots, side)
        self._links[peer] = Link(self._events, peer, endpoint, bell, bell, shared)

    def memory(self, peer: int, slots: int) -> int:
        """Zeroed memory of this core for a channel with `peer`; its physical address.  Raises LocalMisuse."""
        pair = self._environment.routes.transport(self._environment.core, peer)
        size = self._environment.made.transports[pair.transport].lines(slots) * LINE
        if pair.scope == "channel":
            return self._arena.share(size, peer)
        return self._arena.copied(size, pair.device) if size else NOWHERE

    def reaches(self, peer: int) -> bool:
        """Whether there is a way to `peer` already, by a channel or relayed."""
        return peer in self._links or peer in self._relayed

    def relay(self, peer: int) -> None:
        """What is sent to `peer` from now on is relayed."""
        self._relayed[peer] = None

    def when_refused(self, callback: Refusal) -> None:
        """Call `callback` with the core and each typed message that will never reach it, as it is not up."""
        self._introductions.when_refused(callback)

    # Sending

    async def send(self, core: int, payload: bytes) -> None:
        """Send to the monitor of `core`, whom this one is introduced to if they have not met."""
        await self.send_all((core,), payload)

    async def send_all(self, cores: Sequence[int], payload: bytes, step: Step | None = None) -> None:
        """Send the same to the monitors of several cores: all lines first, so that the stores overlap, then
        one fence, then the bells.  `step` is said before each."""
        reached: list[Link] = []
        for core in cores:
            if step is not None:
                await step
            link = self._links.get(core)
            if link is not None:
                await link.put(payload)
                reached.append(link)
            elif core in self._relayed:
                await self._relay.send(core, payload)
            else:
                await self._introductions.ask(core, payload)
        await self._show(reached)

    async def insist(self, cores: Sequence[int]) -> None:
        """What waits for a channel to one of `cores` reaches it whether the boot core lives or not."""
        await self._introductions.insist(cores)

    async def send_long(self, core: int, payload: bytes) -> None:
        """Send what may be longer than a message to the monitor of `core`, which has been met: in pieces, in order
        with what `send` sends."""
        if core in self._links:
            await self._post(core, split(self._environment.core, core, payload))
        else:
            await self._relay.send(core, payload)

    async def _post(self, neighbour: int, payloads: Sequence[bytes]) -> None:
        link = self._links[neighbour]
        for payload in payloads:
            await link.put(payload)
        await self._show([link])

    async def _show(self, reached: Sequence[Link]) -> None:
        """What was put is seen."""
        if reached:
            await reached[0].fence()
        for link in reached:
            await link.ring()
