"""Virtual circuits: channels between dispatchers of two cores on which dispatchers cannot share one.

    1  a dispatcher asks its monitor to connect (`binding.py`); nothing that dispatchers may use joins the cores
    2  its monitor asks the exporter's: `OpenCircuit`, by whatever way monitors reach each other
    3  either monitor joins its dispatcher to itself by two LMP connections, for data and for credits
    4  data goes dispatcher - monitor - links - monitor - dispatcher, and credits the same way back

A message is under way from when one dispatcher sends it until the other has read it, and no more than a window
is (`flow.py`): so monitors need no room but a window's for each circuit, and a receiver that does not read stops
its sender and nobody else.  When a dispatcher ends, what it sent is delivered, its circuits close at both ends, and
what the monitors held for them is used again.

May not know: how links carry messages, what services do.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import MultikernelError, PeerError
from multikernel.system.environment import KERNEL
from multikernel.system.messages import (
    CircuitClosed,
    CircuitCredit,
    CircuitOpened,
    Connect,
    Connected,
    Ended,
    Granted,
    Lost,
    OpenCircuit,
    decode,
    encode,
)
from multikernel.system.monitor import flow
from multikernel.system.monitor.events import NUMBERS, Inbox, Sender
from multikernel.system.operations import Invoke, SendLocal
from multikernel.system.requests import ConnectLocal, DisconnectLocal, LocalPair

if TYPE_CHECKING:
    from multikernel.system.monitor.binding import Binding
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.processes import Processes

DATA = 19
"""First byte of a message of a circuit; not a number of `system/messages.py`."""
_HEADER = Struct("<BI")


class Asked(NamedTuple):
    """A circuit asked for: for whom, whose number the request has there, to which core."""

    dispatcher: int
    request: int
    core: int


class Port(NamedTuple):
    """The monitor's side of an LMP connection with its dispatcher."""

    side: int
    inbox: Inbox

    async def send(self, payload: bytes) -> None:
        """To the dispatcher, if it is still there.  It has room: no more comes than it has read."""
        await SendLocal(self.side & 0xFFFF_FFFF, payload)


class Circuit:
    """One end: of `dispatcher`, towards the end that core `peer` calls `other`."""

    def __init__(self, dispatcher: int, peer: int, other: int, slots: int) -> None:
        self.dispatcher = dispatcher
        self.peer = peer
        self.other = other
        self.flow = flow.begin(slots)
        self.ports: tuple[Port, ...] = ()
        self.theirs: tuple[int, ...] = ()


class Circuits:
    """See the module."""

    def __init__(self, events: Events, links: Links, processes: Processes, binding: Binding) -> None:
        self._events = events
        self._links = links
        self._processes = processes
        self._binding = binding
        self._numbers = events.environment.incarnation << NUMBERS
        self._asked: dict[int, Asked] = {}
        self._ends: dict[int, Circuit] = {}
        events.on(OpenCircuit, self._open)
        events.on(CircuitOpened, self._opened)
        events.on(CircuitCredit, self._credit)
        events.on(CircuitClosed, self._closed)
        events.raw(DATA, self._arrived)
        binding.carry(self._connect)
        processes.when_gone(self._gone)
        links.when_refused(self._unreachable)
        links.when_lost(self._lost)

    # Opening

    async def _connect(self, dispatcher: int, message: Connect) -> None:
        """Step 2."""
        environment = self._events.environment
        self._numbers += 1
        self._asked[self._numbers] = Asked(dispatcher, message.request, message.core)
        slots = environment.routes.transport(environment.core, message.core).slots
        await self._links.send(message.core, encode(OpenCircuit(self._numbers, slots, message.service)))

    async def _open(self, sender: Sender, message: OpenCircuit) -> None:
        await self._binding.when_exported(message.service, partial(self._serve, sender, message))

    async def _serve(self, sender: Sender, message: OpenCircuit) -> None:
        """Step 3 at the exporter's."""
        exporter = self._binding.exporter(message.service)
        self._numbers += 1
        number = self._numbers
        circuit = Circuit(exporter, sender.core, message.number, message.slots)
        with suppress(MultikernelError):  # no such service, or no room for the connections
            await self._join(number, circuit, 0, side=1)
        opened = number if number in self._ends else 0
        await self._links.send(sender.core, encode(CircuitOpened(message.number, opened)))

    async def _opened(self, sender: Sender, message: CircuitOpened) -> None:
        """Step 3 at the asker's."""
        asked = self._asked.get(message.number)
        if asked is None or asked.core != sender.core:
            return
        del self._asked[message.number]
        if message.other:
            slots = self._events.environment.routes.transport(self._events.core, asked.core).slots
            circuit = Circuit(asked.dispatcher, asked.core, message.other, slots)
            with suppress(MultikernelError):  # it has ended, or there is no room for the connections
                await self._join(message.number, circuit, asked.request, side=0)
                return
            await self._links.send(asked.core, encode(CircuitClosed(message.other)))
        await self._binding.refuse(asked.dispatcher, asked.request)

    async def _unreachable(self, core: int, message: tuple[object, ...]) -> None:
        """What was asked of a core that is not there is refused."""
        if isinstance(message, OpenCircuit):
            await self._opened(Sender(core, 0), CircuitOpened(message.number, 0))

    async def _join(self, number: int, circuit: Circuit, request: int, side: int) -> None:
        """Join the dispatcher to this monitor, and tell it.  Raises what the driver refuses with."""
        environment, slots = self._events.environment, circuit.flow.slots
        data: LocalPair = await Invoke(KERNEL, ConnectLocal(environment.number, circuit.dispatcher, slots))
        try:
            control: LocalPair = await Invoke(KERNEL, ConnectLocal(environment.number, circuit.dispatcher, slots))
        except MultikernelError:
            await self._take_back((data.a,), circuit.dispatcher, (data.b,))
            raise
        buffers = environment.user.buffers
        circuit.ports = (
            Port(data.a, Inbox(buffers[data.a >> 32], lambda: circuit.flow.credits > 0, partial(self._send, circuit))),
            Port(control.a, Inbox(buffers[control.a >> 32], lambda: True, partial(self._read, circuit))),
        )
        circuit.theirs = (data.b, control.b)
        self._ends[number] = circuit
        for port in circuit.ports:
            self._events.inbox(port.inbox)
        told = Connected(request, data.b, control.b & 0xFFFF_FFFF, control.b >> 32, 0, circuit.peer, slots, side)
        await self._processes.reply(circuit.dispatcher, encode(told))

    # Data and credits

    async def _send(self, circuit: Circuit, payload: bytes) -> None:
        """The dispatcher sent `payload`."""
        if flow.send(circuit.flow):
            await self._links.send_long(circuit.peer, _HEADER.pack(DATA, circuit.other) + payload)

    async def _arrived(self, sender: Sender, message: bytes) -> None:
        circuit = self._end(sender, _HEADER.unpack_from(message)[1]) if len(message) >= _HEADER.size else None
        if circuit is not None and flow.receive(circuit.flow):
            await circuit.ports[0].send(message[_HEADER.size :])

    async def _read(self, circuit: Circuit, payload: bytes) -> None:
        """The dispatcher says how much it has read."""
        try:
            message = decode(payload)
        except PeerError:
            return
        count = flow.read(circuit.flow, message.read) if isinstance(message, Granted) else 0
        if count:
            await self._links.send(circuit.peer, encode(CircuitCredit(circuit.other, count)))

    async def _credit(self, sender: Sender, message: CircuitCredit) -> None:
        circuit = self._end(sender, message.number)
        count = flow.credit(circuit.flow, message.read) if circuit is not None else 0
        if circuit is not None and count:
            await circuit.ports[1].send(encode(Granted(count)))

    def _end(self, sender: Sender, number: int) -> Circuit | None:
        """The end that `sender` may speak to as `number`."""
        circuit = self._ends.get(number)
        return circuit if circuit is not None and circuit.peer == sender.core else None

    # Closing

    async def _gone(self, dispatcher: int) -> None:
        """What the dispatcher sent before it ended goes first."""
        for number in [number for number, circuit in self._ends.items() if circuit.dispatcher == dispatcher]:
            circuit = self._ends.pop(number)
            inbox = circuit.ports[0].inbox
            while inbox.buffer.messages and inbox.open():
                await self._send(circuit, inbox.buffer.messages.popleft())
            await self._links.send(circuit.peer, encode(CircuitClosed(circuit.other)))
            await self._forget(circuit, ())

    async def _closed(self, sender: Sender, message: CircuitClosed) -> None:
        circuit = self._end(sender, message.number)
        if circuit is not None:
            del self._ends[message.number]
            await circuit.ports[1].send(encode(Ended()))
            await self._forget(circuit, circuit.theirs)

    async def _lost(self, core: int) -> None:
        """A core has died: its circuits are closed, who is at an end here is told, what was asked of it is refused."""
        for number in [number for number, asked in self._asked.items() if asked.core == core]:
            await self._opened(Sender(core, 0), CircuitOpened(number, 0))
        for number, circuit in [(number, end) for number, end in self._ends.items() if end.peer == core]:
            await self._closed(Sender(core, 0), CircuitClosed(number))
            await self._processes.reply(circuit.dispatcher, encode(Lost(circuit.theirs[0])))

    async def _forget(self, circuit: Circuit, theirs: tuple[int, ...]) -> None:
        for port in circuit.ports:
            self._events.forget_inbox(port.inbox)
        await self._take_back(tuple(port.side for port in circuit.ports), circuit.dispatcher, theirs)

    async def _take_back(self, ours: tuple[int, ...], dispatcher: int, theirs: tuple[int, ...]) -> None:
        """The dispatcher's EndPoints first, so that none names a buffer that is used again."""
        for side in theirs:
            with suppress(MultikernelError):  # it has ended meanwhile
                await Invoke(KERNEL, DisconnectLocal(dispatcher, side))
        for side in ours:
            await Invoke(KERNEL, DisconnectLocal(self._events.environment.number, side))
