"""Consistency protocols over a tree on this core: step functions in, effects carried out in order.

Each replicated object has a protocol, bound by name, and a `Replica`: how an agreed value is applied on this core, and
whether it can be.  An `Apply` is finished, and its `Applied` stepped, before the next effect is begun, and so are
`Vote` and `Release`: that a core acknowledges only what it has done is the protocol's to say and this file's to keep.
An object that no protocol is bound for is not replicated, and agreements on it are refused.

May not know: any protocol, what a value means.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from multikernel.errors import MultikernelError, PeerError
from multikernel.events import Carried
from multikernel.system.messages import Agree, Agreement, Done, encode
from multikernel.system.monitor.events import Sender
from multikernel.system.operations import Spend, Step, Witness
from multikernel.system.protocol import (
    EVERYBODY,
    Applied,
    Apply,
    Complete,
    Effect,
    Event,
    Received,
    Release,
    ReplicaState,
    Send,
    TreeProtocol,
    Vote,
    Voted,
    prune,
)

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.fanout import Broadcast
    from multikernel.system.monitor.groups import Groups
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.processes import Processes


class Replica(Protocol):
    """A replicated object on this core.  A protocol that does not ask calls neither `vote` nor `release`."""

    async def vote(self, process: str, value: int) -> bool:
        """Whether `value` can be carried out here, as it then must be until `apply` or `release`."""

    async def release(self, process: str, value: int) -> None:
        """`value`, which was accepted here, is not carried out anywhere."""

    async def apply(self, process: str, value: int) -> None:
        """Carry out `value`, agreed for `process`, on this core."""

    async def completed(self, process: str, value: int, committed: bool) -> int:
        """On the core that asked: every core has, or, not `committed`, none.  The result of the agreement, a small
        number."""


_PROTOCOL_STEP = Spend("protocol_step")


def _label(item: Event | Effect | None) -> str:
    """What a step is called where steps are counted: its kind, and the protocol's phase; None is the beginning."""
    kind = "Begin" if item is None else type(item).__name__
    match item:
        case Received() | Send():
            return f"{kind} {item.phase}"
        case Voted():
            return f"{kind} {'yes' if item.accepted else 'no'}"
        case Complete():
            return f"{kind} {'done' if item.committed else 'refused'}"
    return kind


class Asked(NamedTuple):
    """An agreement begun here: for whom, and on what."""

    dispatcher: int
    request: int
    value: int


class Agreements:
    """See the module.  `replicas` by object."""

    def __init__(
        self,
        events: Events,
        links: Links,
        processes: Processes,
        broadcast: Broadcast,
        groups: Groups,
        replicas: dict[str, Replica],
    ) -> None:
        environment = events.environment
        self._core = events.core
        self._routes = environment.routes
        self._boot_core = environment.routes.boot_core
        self._links = links
        self._processes = processes
        self._broadcast = broadcast
        self._groups = groups
        self._observed = environment.observed
        self._restarted = environment.incarnation > 0
        self._plugins = {
            binding.slot.partition(":")[2]: binding.plugin
            for binding in environment.blueprint.bindings
            if binding.slot.startswith("consistency:")
        }
        made = environment.made.protocols
        self._protocols = {name: protocol for name in replicas if isinstance(protocol := made.get(name), TreeProtocol)}
        self._replicas = {name: replicas[name] for name in self._protocols}
        self._states = {
            name: ReplicaState(self._core, tuple(environment.routes.member(tree, self._core) for tree in range(4)))
            for name in self._replicas
        }
        self._objects = list(self._replicas)  # numbered in the order the monitor names them, on every core the same
        self._asked: dict[int, Asked] = {}
        self._on_ring: dict[int, int] = {}
        self._processes_of: dict[int, str] = {}
        self._operations = 0
        events.on(Agree, self._agree)
        events.on(Agreement, self._received)

    async def _agree(self, sender: Sender, message: Agree) -> None:
        """Begin.  Trees are rooted at the boot core, so only it begins; among equals any core does."""
        if self._groups.has(message.object):
            await self._groups.submit(sender, message)
            return
        if message.object not in self._replicas or self._core != self._boot_core or message.tree > 3:
            await self._processes.reply(sender.dispatcher, encode(Done(message.request, 0, 1)))
            return
        self._operations += 1
        operation = self._operations << 8 | self._objects.index(message.object)
        self._asked[operation] = Asked(sender.dispatcher, message.request, message.value)
        self._processes_of[operation] = self._processes.name(sender.dispatcher)
        member = partial(self._routes.member, message.tree)
        cores = self._processes.cores(self._processes_of[operation])
        branches = prune(member, self._core, cores, self._links.failed)
        state = self._states[message.object]
        effects = self._protocols[message.object].begin(state, operation, message.value, message.tree, branches)
        await self._carry_out(message.object, None, effects)

    async def _received(self, sender: Sender, message: Agreement) -> None:
        index = message.operation & 0xFF
        if index >= len(self._objects):
            raise PeerError(f"core {sender.core} sent an agreement on an unknown object")
        self._processes_of[message.operation] = message.process
        event = Received(sender.core, message.operation, message.phase, message.value, message.tree, message.among)
        try:
            await self._step(self._objects[index], event)
        except PeerError:
            if not self._restarted:
                raise  # else it answers what this core was before
        if not self._states[self._objects[index]].under_way(message.operation):
            self._processes_of.pop(message.operation, None)

    async def _step(self, name: str, event: Event) -> None:
        await self._carry_out(name, event, self._protocols[name].step(self._states[name], event))

    async def _carry_out(self, name: str, cause: Event | None, effects: Sequence[Effect]) -> None:
        await _PROTOCOL_STEP
        sent = 0
        for place, effect in enumerate(effects):
            if place < sent:
                continue
            if isinstance(effect, Send):  # what says the same to several cores goes out at once
                sent = place + 1
                while sent < len(effects) and effects[sent][1:] == effect[1:] and isinstance(effects[sent], Send):
                    sent += 1
                await self._send(name, cause, effect, [other[0] for other in effects[place:sent]])
                continue
            if self._observed:
                await Step(self._plugins[name], _label(cause), _label(effect))
            match effect:
                case Apply(operation, value):
                    with suppress(MultikernelError):  # nothing of it on this core
                        await self._replicas[name].apply(self._processes_of[operation], value)
                    if self._observed:
                        await self._told(name, operation, value, 1)
                    await self._step(name, Applied(operation))
                case Vote(operation, value):
                    accepted = await self._replicas[name].vote(self._processes_of[operation], value)
                    await self._step(name, Voted(operation, accepted))
                case Release(operation, value):
                    await self._replicas[name].release(self._processes_of[operation], value)
                    if self._observed:
                        await self._told(name, operation, value, 0)
                    await self._step(name, Applied(operation))
                case Complete(operation, committed):
                    await self._complete(name, operation, committed)

    async def _send(self, name: str, cause: Event | None, send: Send, targets: Sequence[int]) -> None:
        operation, phase, value, tree, among = send[1:]
        payload = encode(Agreement(operation, phase, value, tree, among, self._processes_of[operation]))
        step = Step(self._plugins[name], _label(cause), _label(send)) if self._observed else None
        if send.target != EVERYBODY:
            await self._links.send_all(targets, payload, step)
            return
        if step is not None:
            await step
        concerned = self._routes.member(tree, self._core).among(among)
        if await self._broadcast.send(payload, concerned):
            self._on_ring[operation] = self._on_ring.get(operation, 0) + 1

    async def _complete(self, name: str, operation: int, committed: bool) -> None:
        for _ in range(self._on_ring.pop(operation, 0)):
            self._broadcast.finished()
        asked, process = self._asked.pop(operation), self._processes_of.pop(operation)
        result = await self._replicas[name].completed(process, asked.value, committed)
        await self._processes.reply(asked.dispatcher, encode(Done(asked.request, result, 0)))

    async def _told(self, name: str, operation: int, value: int, result: int) -> None:
        """Where somebody observes: `value` is carried out (1) or given up (0) here."""
        number = operation >> 8
        await Witness(Carried(0, self._core, name, number, self._boot_core, number, value, result))
