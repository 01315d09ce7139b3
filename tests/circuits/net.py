"""The monitors' circuits and relays of a board, without machines: links are queues, and what happens next a test says.

net = Net(blueprint)
ends = net.connect(0, 3)           a circuit between dispatchers of cores 0 and 3: its two CircuitEndpoints
net.run(0, end.try_send(b""))      an operation of a dispatcher of core 0
net.hop(2, 3)                      core 3's monitor takes the oldest message that core 2's put on their link
net.pump(3)                        core 3's monitor looks at the buffers of its dispatchers
net.settle()                       until nothing is left to do
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from types import SimpleNamespace

from multikernel.blueprint import Blueprint
from multikernel.errors import CapabilityError
from multikernel.system.circuit import CircuitEndpoint, CircuitMemory, Port
from multikernel.system.dispatcher import LocalBuffer
from multikernel.system.messages import Connect, Connected, decode
from multikernel.system.monitor.circuits import Circuits
from multikernel.system.monitor.events import Events, Inbox, Sender
from multikernel.system.monitor.relay import Relay
from multikernel.system.operations import Invoke, SendLocal
from multikernel.system.requests import ConnectLocal, DisconnectLocal, LocalPair
from multikernel.system.routes import Routes

MONITOR = 1


class Desk(Events):
    """The inboxes are taken from when a test says so."""

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        self.inboxes: dict[Inbox, None] = {}

    def inbox(self, inbox: Inbox) -> None:
        self.inboxes[inbox] = None

    def forget_inbox(self, inbox: Inbox) -> None:
        del self.inboxes[inbox]


class Core:
    """One core's monitor, as far as circuits go, and its driver's part in local messages."""

    def __init__(self, net: Net, number: int) -> None:
        self.net, self.number = net, number
        self.buffers: dict[int, list[LocalBuffer]] = {MONITOR: []}
        self.endpoints: dict[tuple[int, int], LocalBuffer] = {}
        self.told: dict[int, list[object]] = {}
        self.refused: list[int] = []
        self.gone: list[Callable[[int], Awaitable[None]]] = []
        self.unreachable: list[Callable[[int, tuple[object, ...]], Awaitable[None]]] = []
        self.lost: list[Callable[[int], Awaitable[None]]] = []
        self.exports: dict[str, int] = {}
        self._cptrs = count(100)
        user = SimpleNamespace(buffers=self.buffers[MONITOR])
        self.events = Desk(SimpleNamespace(core=number, number=MONITOR, user=user, routes=net.routes, incarnation=0))
        self.relay = Relay(self.events, self._post)
        self.connect: list[Callable[[int, Connect], Awaitable[None]]] = []
        self.circuits = Circuits(self.events, self, self, self)

    # What the monitor's other blocks are to it

    async def _post(self, neighbour: int, payloads: Sequence[bytes]) -> None:
        self.net.wires[self.number, neighbour].extend(payloads)

    async def send(self, core: int, payload: bytes) -> None:
        await self.relay.send(core, payload)

    send_long = send

    def carry(self, carry: Callable[[int, Connect], Awaitable[None]]) -> None:
        self.connect.append(carry)

    def when_refused(self, callback: Callable[[int, tuple[object, ...]], Awaitable[None]]) -> None:
        self.unreachable.append(callback)

    def when_lost(self, callback: Callable[[int], Awaitable[None]]) -> None:
        self.lost.append(callback)

    def when_gone(self, callback: Callable[[int], Awaitable[None]]) -> None:
        self.gone.append(callback)

    async def reply(self, number: int, payload: bytes) -> None:
        self.told.setdefault(number, []).append(decode(payload))

    def exporter(self, service: str) -> int:
        return self.exports.get(service, 0)

    async def when_exported(self, service: str, serve: Callable[[], Awaitable[None]]) -> None:
        await serve()

    async def refuse(self, dispatcher: int, request: int) -> None:
        self.refused.append(request)

    # The driver

    def answer(self, holder: int, operation: object) -> object:
        match operation:
            case SendLocal():
                found = self.endpoints.get((holder, operation.cptr))
                if found is None:
                    raise CapabilityError("no EndPoint there")
                return found.accept(operation.payload)
            case Invoke(request=ConnectLocal(a, b, slots)):
                return LocalPair(self._side(a, b, slots), self._side(b, a, slots))
            case Invoke(request=DisconnectLocal(number, side)):
                del self.endpoints[number, side & 0xFFFF_FFFF]
                return None
        return None

    def _side(self, holder: int, other: int, slots: int) -> int:
        """`holder`'s side; the other's buffer is made first for whoever comes first."""
        if holder not in self.buffers or other not in self.buffers:
            raise CapabilityError("a dispatcher that has ended")
        mine = self.buffers[holder]
        mine.append(LocalBuffer(slots))
        if holder != MONITOR:  # both are there now: the monitor's was made just before
            cptr, theirs = next(self._cptrs), self.buffers[other]
            self.endpoints[holder, cptr] = theirs[-1]
            self.endpoints[other, cptr - 1] = mine[-1]
            return cptr | len(mine) - 1 << 32
        return next(self._cptrs) | len(mine) - 1 << 32

    def start(self) -> int:
        """A dispatcher's number."""
        number = next(self.net.numbers)
        self.buffers[number] = []
        return number


class Net:
    """See the module."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.routes = Routes(blueprint)
        self.numbers = count(2)
        self.wires: dict[tuple[int, int], deque[bytes]] = {}
        for core in self.routes.cores:
            for child in self.routes.children(core):
                self.wires[core, child], self.wires[child, core] = deque(), deque()
        self.cores = {core: Core(self, core) for core in self.routes.cores}

    def run(self, core: int, code: Awaitable[object], holder: int = MONITOR) -> object:
        """Drive `code` on `core` to its end; its result."""
        steps = code.__await__()
        try:
            operation = next(steps)
            while True:
                try:
                    result = self.cores[core].answer(holder, operation)
                except CapabilityError as refusal:
                    operation = steps.throw(refusal)
                else:
                    operation = steps.send(result)
        except StopIteration as stop:
            return stop.value

    def hop(self, a: int, b: int) -> None:
        if self.wires[a, b]:
            self.run(b, self.cores[b].events.deliver(Sender(a, 0), self.wires[a, b].popleft()))

    def pump(self, core: int) -> bool:
        """Whether there was anything."""
        found = False
        for inbox in list(self.cores[core].events.inboxes):
            while inbox.buffer.messages and inbox.open():
                found = True
                self.run(core, inbox.take(inbox.buffer.messages.popleft()))
        return found

    def settle(self) -> None:
        while True:
            busy = [wire for wire, messages in self.wires.items() if messages]
            for wire in busy:
                self.hop(*wire)
            found = [self.pump(core) for core in self.cores]
            if not busy and not any(found):
                return

    def ask(self, a: int, b: int, dispatcher: int, service: str) -> None:
        """A dispatcher of `a` asks for a channel to a service of `b`."""
        self.run(a, self.cores[a].connect[0](dispatcher, Connect(7, b, service)))

    def connect(self, a: int, b: int) -> tuple[End, End]:
        """A circuit between new dispatchers of cores `a` and `b`."""
        client, server = self.cores[a].start(), self.cores[b].start()
        self.cores[b].exports[f"service{server}"] = server
        self.ask(a, b, client, f"service{server}")
        self.settle()
        return End(self, a, client), End(self, b, server)

    def end(self, core: int, dispatcher: int) -> None:
        """The dispatcher has ended: its capabilities go, and its monitor hears of it."""
        owner = self.cores[core]
        del owner.buffers[dispatcher]
        for key in [key for key in owner.endpoints if key[0] == dispatcher]:
            del owner.endpoints[key]
        for callback in owner.gone:
            self.run(core, callback(dispatcher))


class End:
    """A dispatcher with one end of a circuit."""

    def __init__(self, net: Net, core: int, dispatcher: int) -> None:
        self.net, self.core, self.dispatcher = net, core, dispatcher
        (told,) = net.cores[core].told[dispatcher]
        assert isinstance(told, Connected)
        self.told = told
        buffers = net.cores[core].buffers[dispatcher]
        data = Port(buffers[told.frame >> 32], told.frame & 0xFFFF_FFFF)
        control = Port(buffers[told.notify], told.bells)
        self.slots = told.bell
        self.carrier: CircuitEndpoint = CircuitMemory(data, control, told.bell).circuit()

    def send(self, payload: bytes) -> bool:
        return bool(self.net.run(self.core, self.carrier.try_send(payload), self.dispatcher))

    def poll(self) -> bytes | None:
        got = self.net.run(self.core, self.carrier.poll(), self.dispatcher)
        assert got is None or isinstance(got, bytes)
        return got

    def read(self) -> list[bytes]:
        """All that has come."""
        got = []
        while (payload := self.poll()) is not None:
            got.append(payload)
        return got

    def finish(self) -> None:
        self.net.end(self.core, self.dispatcher)
