"""How two monitors that have no channel come to one.

    1  asker: `Introduce` to the boot core's monitor (with memory, if the asker homes the channel)
    2  boot core: passes it on to the target, if that has joined
    3  target: opens its side, `Introduced` back the same way
    4  asker: opens its side; what waited for the channel is sent

Where no transport joins the two they are introduced all the same, without a channel: from then on what they say to each
other is relayed.  Over a device the two tell each other where their memory is.  An introduction says how often its two
cores were restarted, so that none is taken for one with what a core was before.

The boot core may be dead, or far behind.  Who insists (`insist`) waits for it no longer than FIRST_NS, and then says
the same at the target's door (`doors.py`), or over the gateways between them where the two share no memory; what came
directly is answered directly.  As a message may be lost there it is said again, each time after twice as long, until
LAST_NS; then the target is not up.  So both may hear of one introduction more than once: a target that has opened its
side says again where, and all else that comes late changes nothing.

May not know: what waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from multikernel.errors import LocalMisuse, PeerError
from multikernel.system.messages import Introduce, Introduced, decode, encode
from multikernel.system.monitor.doors import Doors
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Clock

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.links import Links

HALF = 32
"""Bits of the lower half of a field of eight bytes."""
NOWHERE = 1
"""The address of a channel for which a side has no memory: 0 would be a refusal."""
FIRST_NS = 1_000_000
"""How long the boot core may take: some ten times what it does on the simulator when a hundred cores ask at once."""
LAST_NS = 256 * FIRST_NS
"""The longest time between two attempts: with all those before it about as long as a core has to join."""
SEATS, SEAT_NS = 64, 20_000
"""Who insists at the same time as others, as those do who miss the same core, does not do so at once: each has one of
SEATS times, by its number, that are as far apart as a core takes to wake, look and answer."""

Refusal: TypeAlias = Callable[[int, tuple[object, ...]], Awaitable[None]]


class Introductions:
    """See the module.  `relay` sends over the gateways."""

    def __init__(self, events: Events, links: Links, relay: Callable[[int, bytes], Awaitable[None]]) -> None:
        self._events = events
        self._links = links
        self._relay = relay
        self._core = events.core
        self._routes = events.environment.routes
        self._layout = events.environment.layout
        self._doors = Doors(events)
        self._waiting: dict[int, list[bytes]] = {}
        self._insisted: dict[int, None] = {}
        self._offered: dict[int, int] = {}
        self._given: dict[int, int] = {}
        self._refusals: list[Refusal] = []
        events.on(Introduce, self._introduce)
        events.on(Introduced, self._introduced)

    async def ask(self, core: int, payload: bytes) -> None:
        """Step 1; `payload` waits for the channel."""
        if core in self._waiting:
            self._waiting[core].append(payload)
            return
        self._waiting[core] = [payload]
        pair = self._routes.transport(self._core, core)
        homes = not self._layout.meeting(self._core, core) and (pair.home == "sender" or pair.scope != "channel")
        if homes and core not in self._offered:
            try:
                self._offered[core] = self._links.memory(core, pair.slots)
            except LocalMisuse:  # no memory left for a channel
                await self._refuse(core)
                return
        await self._links.send(self._routes.boot_core, self._request(core))

    def _request(self, core: int) -> bytes:
        fixed = self._layout.meeting(self._core, core)
        address = fixed.address if fixed else self._offered.get(core, 0)
        source = self._core | self._links.restarts(core) << HALF
        return encode(Introduce(source, core, address, self._routes.transport(self._core, core).slots))

    async def insist(self, cores: Sequence[int]) -> None:
        """What waits for one of `cores` reaches it if that lives, whoever else does."""
        for core in cores:
            if core in self._waiting and core not in self._insisted:
                self._insisted[core] = None
                own_ns = self._core % SEATS * SEAT_NS
                self._events.at(await Clock() + FIRST_NS + own_ns, partial(self._ask_again, core, FIRST_NS))

    async def _ask_again(self, core: int, waited_ns: int) -> None:
        if core not in self._waiting:
            del self._insisted[core]
        elif waited_ns > LAST_NS:
            del self._insisted[core]
            await self._refuse(core)
        else:
            await self._directly(core, self._request(core))
            self._events.at(await Clock() + 2 * waited_ns, partial(self._ask_again, core, 2 * waited_ns))

    async def _directly(self, core: int, payload: bytes) -> None:
        """To the monitor of `core`, which has no channel to this one, without the boot core."""
        if self._routes.transport(self._core, core).scope == "channel":
            await self._doors.knock(core, payload)
        else:
            await self._relay(core, payload)

    async def _introduce(self, sender: Sender, message: Introduce) -> None:
        if message.target != self._core:
            await self._pass_on(sender, message)  # step 2
            return
        source, direct = message.source & (1 << HALF) - 1, sender.core != self._routes.boot_core
        if message.source >> HALF != self._links.restarts(source):
            return
        if self._links.reaches(source):  # it has not heard the answer, or the boot core was late
            if source in self._given:
                await self._answer(sender, message, self._given[source])
            return
        if source in self._waiting and message.target < source:
            if direct:  # both asked: the lower core's request is the one that counts
                await self.insist((source,))
            return
        try:
            address = self._given[source] = await self._meet(source, message)
        except LocalMisuse:  # no memory left for a channel: refused, as if this core were not up
            await self._answer(sender, message, 0)
            await self._refuse(source)  # the lower core has dropped our own request
            return
        await self._answer(sender, message, address)
        await self._catch_up(source)

    async def _answer(self, sender: Sender, message: Introduce, address: int) -> None:
        """The way the request came."""
        answer = encode(Introduced(message.source, self._core, address))
        if sender.core == self._routes.boot_core:
            await self._links.send(sender.core, answer)
        else:
            await self._directly(sender.core, answer)

    async def _pass_on(self, sender: Sender, message: Introduce) -> None:
        """On the boot core, which nothing runs before every core has joined or was given up."""
        if message.target in self._links.members:
            await self._links.send(message.target, encode(message))
        else:
            await self._links.send(sender.core, encode(Introduced(message.source, message.target, 0)))

    async def _meet(self, peer: int, message: Introduce) -> int:
        """Step 3; the address to answer with."""
        scope = self._routes.transport(self._core, peer).scope
        if scope == "circuit":
            self._links.relay(peer)
            return NOWHERE
        if scope == "link":
            address = self._offered.pop(peer, 0) or self._links.memory(peer, message.slots)
            await self._links.open(peer, address, message.address, message.slots, side=1)
            return address
        if fixed := self._layout.meeting(self._core, peer):
            if self._links.restarts(peer):
                await self._links.clear(peer, fixed.address, fixed.slots)
            await self._links.open(peer, fixed.address, 0, fixed.slots, fixed.side)
            return fixed.address
        address = message.address or self._links.memory(peer, message.slots)
        await self._links.open(peer, address, 0, message.slots, side=1)
        return address

    async def _introduced(self, sender: Sender, message: Introduced) -> None:
        source, target = message.source & (1 << HALF) - 1, message.target
        if source != self._core:
            await self._links.send(source, encode(message))
            return
        if message.source >> HALF != self._links.restarts(target) or target not in self._waiting:
            return
        if not message.address:
            await self._refuse(target)
            return
        own = self._offered.pop(target, message.address)
        pair = self._routes.transport(source, target)
        if pair.scope == "circuit":
            self._links.relay(target)
        elif fixed := self._layout.meeting(source, target):
            await self._links.open(target, fixed.address, 0, fixed.slots, fixed.side)
        else:
            await self._links.open(target, own, message.address, pair.slots, side=0)
        await self._catch_up(target)

    def when_refused(self, callback: Refusal) -> None:
        """Call `callback` with the core and each typed message that will never reach it, as it is not up."""
        self._refusals.append(callback)

    async def forget(self, core: int) -> None:
        """`core` is started anew: what waits for a channel to it waits in vain."""
        self._offered.pop(core, None)
        self._given.pop(core, None)
        await self._refuse(core)

    async def _refuse(self, core: int) -> None:
        """What waits for a channel to `core` waits in vain."""
        for payload in self._waiting.pop(core, []):
            try:
                message = decode(payload)
            except PeerError:
                continue  # no typed message, but one that goes as it is
            for refusal in self._refusals:
                await refusal(core, message)

    async def _catch_up(self, peer: int) -> None:
        """Send what waited for the channel."""
        for payload in self._waiting.pop(peer, []):
            await self._links.send(peer, payload)
