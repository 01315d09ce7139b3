"""Objects agreed on among equals, on this core: peers stepped, their effects carried out in order.

    groups.has(object)               whether it is agreed on among equals, rather than over a tree
    groups.submit(sender, message)   a dispatcher's `Agree`: answered when its protocol answers

Each object has a protocol, bound by name, a peer of it on each core that has to do with the object, and a replica on
those that hold it.  A peer is made when it is first needed.  An `Execute` is finished, and its `Executed` stepped,
before the next effect is begun.  A timer that is armed later and later, as most are, has one entry among the monitor's:
its deadline is looked at when that comes.

On the wire a message is PEER, the object's number, the phase, and the numbers packed.

May not know: any protocol, what a value means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from multikernel.errors import PeerError
from multikernel.events import Carried
from multikernel.system.group import (
    Answer,
    Arm,
    Elapsed,
    Execute,
    Executed,
    GroupEffect,
    GroupEvent,
    GroupProtocol,
    Heard,
    Peer,
    Reconfigured,
    Submitted,
    Tell,
    pack,
    unpack,
)
from multikernel.system.messages import Agree, AskReplica, Done, Reconfigure, encode
from multikernel.system.monitor.events import Sender
from multikernel.system.monitor.gathering import Gathering
from multikernel.system.operations import Clock, Spend, Step, Witness

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.objects import GroupReplica
    from multikernel.system.monitor.processes import Processes

PEER = 21
"""First byte of a message between peers; not a number of `system/messages.py`."""
TICK_NS = 100_000
"""A tick of a peer's timers: a score of messages between cores of one machine and a few between host processes that
share a CPU, so that a timer tells of a core that is dead or far behind."""


def _told(effect: GroupEffect) -> tuple[int, tuple[int, ...]] | None:
    """What a Tell says; the same to several cores goes out at once."""
    return (effect.phase, effect.numbers) if isinstance(effect, Tell) else None


def _label(item: GroupEvent | GroupEffect) -> str:
    """What a step is called where steps are counted: its kind, and the protocol's phase or timer."""
    kind = type(item).__name__
    match item:
        case Heard() | Tell():
            return f"{kind} {item.phase}"
        case Elapsed() | Arm():
            return f"{kind} {item.timer}"
        case Answer():
            return f"{kind} {'done' if item.accepted else 'refused'}"
    return kind


class Groups:
    """See the module.  `replicas` by object: on every core the same objects in the same order."""

    def __init__(
        self, events: Events, links: Links, processes: Processes, replicas: Mapping[str, GroupReplica]
    ) -> None:
        environment = events.environment
        made = environment.made.protocols
        self._core = events.core
        self._events = events
        self._links = links
        self._processes = processes
        self._routes = environment.routes
        self._replicas = replicas
        self._names = list(replicas)
        self._protocols = {name: protocol for name in replicas if isinstance(protocol := made.get(name), GroupProtocol)}
        self._observed = environment.observed
        self._plugins = {
            binding.slot.partition(":")[2]: binding.plugin
            for binding in environment.blueprint.bindings
            if binding.slot.startswith("consistency:")
        }
        self._peers: dict[str, Peer] = {}
        self._requests: dict[str, int] = {}
        self._asked: dict[tuple[str, int], tuple[int, int]] = {}
        self._deadlines: dict[tuple[str, int], int] = {}
        self._entered: dict[tuple[str, int], int] = {}
        self._gathering = Gathering(events, links, self._holders, lambda number: self._peer(number).neighbours())
        events.raw(PEER, self._received)
        events.on(Reconfigure, self._reconfigure)
        events.on(AskReplica, self._ask_replica)
        if events.environment.incarnation:
            events.at(0, self._begin_anew)

    async def _begin_anew(self) -> None:
        """This core was restarted: of what it holds, timers that run from the start are armed."""
        for number, name in enumerate(self._names):
            if self.has(name) and self._core in self._routes.holders(name):
                for arm in self._peer(number).starts():
                    await self._carry_out(name, arm)

    def has(self, name: str) -> bool:
        """Whether object `name` is agreed on among equals."""
        return name in self._protocols

    async def submit(self, sender: Sender, message: Agree) -> None:
        """A dispatcher of this core asks."""
        request = self._number(message.object, sender.dispatcher, message.request)
        await self._begin(message.object, Submitted(request, message.value))

    async def _reconfigure(self, sender: Sender, message: Reconfigure) -> None:
        if not self.has(message.object) or not self._routes.known(message.core):
            await self._processes.reply(sender.dispatcher, encode(Done(message.request, 0, 1)))
            return
        request = self._number(message.object, sender.dispatcher, message.request)
        await self._begin(message.object, Reconfigured(request, message.core, bool(message.present)))

    async def _ask_replica(self, sender: Sender, message: AskReplica) -> None:
        replica = self._replicas.get(message.object)
        told = replica.ask(message.question) if replica is not None and self.has(message.object) else None
        await self._processes.reply(sender.dispatcher, encode(Done(message.request, told or 0, int(told is None))))

    def _number(self, name: str, dispatcher: int, request: int) -> int:
        """This core's next request on object `name`, asked for by a dispatcher under a number of its own."""
        number = self._requests[name] = self._requests.get(name, 0) + 1
        self._asked[name, number] = dispatcher, request
        return number

    async def _begin(self, name: str, event: GroupEvent) -> None:
        await self._gathering.when_open(self._names.index(name), partial(self._step, name, event))

    def _holders(self, number: int) -> Sequence[int]:
        return self._routes.holders(self._names[number]) if number < len(self._names) else ()

    def _peer(self, number: int) -> Peer:
        """The peer of object `number`, made when it is first needed."""
        name = self._names[number]
        peer = self._peers.get(name)
        if peer is None:
            members = self._routes.holders(name)
            peer = self._peers[name] = self._protocols[name].start(
                self._core, members, self._events.environment.incarnation
            )
        return peer

    async def _received(self, sender: Sender, payload: bytes) -> None:
        number = payload[1] if len(payload) > 2 else len(self._names)
        if number >= len(self._names) or not self.has(self._names[number]):
            raise PeerError(f"core {sender.core} sent a message on an unknown object")
        await self._gathering.heard(number)
        await self._step(self._names[number], Heard(sender.core, payload[2], unpack(payload[3:])))

    async def _step(self, name: str, event: GroupEvent) -> None:
        await Spend("protocol_step")
        effects = self._peer(self._names.index(name)).step(event)
        for told, group in groupby(effects, _told):
            if told is None:
                for effect in group:
                    if self._observed:
                        await Step(self._plugins[name], _label(event), _label(effect))
                    await self._carry_out(name, effect)
                continue
            tells = [effect for effect in group if isinstance(effect, Tell)]
            step = Step(self._plugins[name], _label(event), _label(tells[0])) if self._observed else None
            if step is not None:
                await step
            payload = bytes((PEER, self._names.index(name), told[0])) + pack(told[1])
            targets = [tell.target for tell in tells]
            await self._links.send_all(targets, payload, step)
            await self._links.insist(targets)

    async def _carry_out(self, name: str, effect: GroupEffect) -> None:
        match effect:
            case Execute(place, origin, request, value):
                result = self._replicas[name].execute(origin, request, value)
                if self._observed:
                    await Witness(Carried(0, self._core, name, place, origin, request, value, result))
                await self._step(name, Executed(place, result))
            case Answer(request, result, accepted):
                dispatcher, asked = self._asked.pop((name, request))
                await self._processes.reply(dispatcher, encode(Done(asked, result, int(not accepted))))
            case Arm(timer, ticks):
                await self._arm((name, timer), ticks)

    async def _arm(self, key: tuple[str, int], ticks: int) -> None:
        if not ticks:
            self._deadlines.pop(key, None)
            return
        deadline = self._deadlines[key] = await Clock() + ticks * TICK_NS
        if deadline < self._entered.get(key, deadline + 1):
            self._enter(key, deadline)

    def _enter(self, key: tuple[str, int], at: int) -> None:
        self._entered[key] = at
        self._events.at(at, partial(self._elapsed, key, at))

    async def _elapsed(self, key: tuple[str, int], at: int) -> None:
        """An entry of a timer has come: it has run out, or was moved, or disarmed, or has an earlier entry by now."""
        if self._entered.get(key) != at:
            return
        del self._entered[key]
        deadline = self._deadlines.get(key)
        if deadline is None:
            return
        if deadline > await Clock():
            self._enter(key, deadline)
            return
        del self._deadlines[key]
        await self._step(key[0], Elapsed(key[1]))
