"""What a program holds: its dispatcher, as user-level code sees it.

    async def main(dispatcher):
        frame = await dispatcher.memory.allocate(4 * MiB)
        mapping = await dispatcher.vspace.map(frame)
        done = mapping.unmap()                # started: a completion, not a wait
        ...
        await done

Threads are user-level and local to the dispatcher; a process spans cores by dispatchers of its own on
each (`spawn_on`), which share nothing but channels and frames passed between them.

May not know: the CPU driver, the monitor's insides, platforms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from multikernel.errors import LocalMisuse, PeerError
from multikernel.events import FactAsserted, Message
from multikernel.interfaces import LINE
from multikernel.system.channels import Bell, Channel, PeerBell
from multikernel.system.circuit import CircuitMemory, Port
from multikernel.system.client import MonitorClient
from multikernel.system.completion import Completion
from multikernel.system.environment import CONSOLE, Environment
from multikernel.system.inquiry import Inquiry
from multikernel.system.lmp import LocalEndpoint, LocalMemory
from multikernel.system.memory_service import MEMORY_SERVICE
from multikernel.system.messages import (
    Agree,
    AskReplica,
    AskUp,
    Connect,
    Connected,
    Done,
    Export,
    Lost,
    MemorySent,
    Reconfigure,
    SpawnOn,
    WatchLine,
)
from multikernel.system.names import SERVICE as NAME_SERVICE
from multikernel.system.names import Names
from multikernel.system.operations import (
    Access,
    Clock,
    CompareAndSwap,
    Compute,
    Cycles,
    Draw,
    Invoke,
    Operation,
    Park,
    Reschedule,
    Yield,
)
from multikernel.system.requests import Emit, Notify, OpenWindow
from multikernel.system.routes import TREES
from multikernel.system.vspace import Frame, Memory, VSpace
from multikernel.system.waitset import WaitSet

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from multikernel.blueprint import PairClass
    from multikernel.interfaces import Carrier, Watch
    from multikernel.system.dispatcher import Thread

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue between threads of one dispatcher."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._items: deque[T] = deque()
        self._waiting: deque[Thread] = deque()

    def put(self, item: T) -> None:
        """Never waits."""
        self._items.append(item)
        if self._waiting:
            self._dispatcher.environment.user.wake(self._waiting.popleft())

    async def get(self) -> T:
        """The oldest item; waits for one."""
        while not self._items:
            self._waiting.append(self._dispatcher.environment.user.current())
            await Park()
        return self._items.popleft()


class Listener:
    """A service this dispatcher exports: `accept` gives a channel to each client in turn."""

    def __init__(self, mailbox: Mailbox[Channel]) -> None:
        self._mailbox = mailbox

    async def accept(self) -> Channel:
        """The channel of the next client; waits for one."""
        return await self._mailbox.get()


class Dispatcher:
    """See the module.  `core` is where it runs, `argument` and `parameters` are its own."""

    def __init__(self, environment: Environment, bell: Bell) -> None:
        self.environment = environment
        self.core = environment.core
        self.name = environment.name
        self.argument = environment.argument
        self._waitset = WaitSet(environment.user, bell, self._register, environment.poll_ns)
        self._client = MonitorClient(environment.user, self._waitset)
        self._listener: Mailbox[Channel] = Mailbox(self)
        self._frames: Mailbox[Frame] = Mailbox(self)
        self._incoming: Mailbox[Connected] = Mailbox(self)
        self._client.told(Connected, self._new_client)
        self._client.told(MemorySent, self._new_memory)
        self._client.told(Lost, self._lose)
        self._channels: dict[int, tuple[Channel, Callable[[], None]]] = {}
        self._lost: dict[int, None] = {}
        boot_core = environment.routes.boot_core
        self.memory = Memory(self._client, environment, partial(self.connect, boot_core, MEMORY_SERVICE))
        self.names = Names(self.core, Inquiry(environment.user, partial(self.connect, boot_core, NAME_SERVICE)))
        self.vspace = VSpace(self._client, self.memory, environment)

    async def services(self) -> None:
        """The runtime's own thread; started with the dispatcher."""
        await self._client.listen()

    # Time and threads

    async def compute(self, cycles: int) -> None:
        """Keep the core busy for `cycles`; returns to the driver at the timer."""
        await Compute(cycles)

    async def now(self) -> int:
        """Nanoseconds since boot."""
        return await Clock()

    async def cycles(self) -> int:
        """Cycles of this core since boot."""
        return await Cycles()

    async def random(self, bound: int) -> int:
        """A number from 0 to `bound` - 1, from the core's own seeded stream."""
        return await Draw(bound)

    async def sleep(self, ns: int) -> None:
        """Stop this thread for at least `ns` nanoseconds."""
        await self.environment.user.sleep(ns)

    async def yield_(self) -> None:
        """Let the other runnable threads of this dispatcher go first."""
        await Reschedule()

    async def look(self) -> None:
        """Poll once for messages that other threads of this dispatcher wait for, and let those that have one go first.
        For a thread that works on without ever waiting."""
        await self._waitset.look()
        await Reschedule()

    async def give_way(self) -> bool:
        """Give the rest of the time slice to the core's other dispatchers; whether there was one."""
        return await Yield()

    def spawn(self, code: Coroutine[Operation[object], object, T], name: str = "thread") -> Completion[T]:
        """Start a user-level thread; awaiting the completion joins it."""
        return Completion(code, self.environment.user, name)

    # Memory through the MMU

    async def load(self, address: int) -> int:
        """The 8-byte word at virtual `address`.  UnhandledFault when it is not mapped and nobody mends it."""
        return await Access(address)

    async def store(self, address: int, value: int) -> None:
        """Write an 8-byte word."""
        await Access(address, value)

    async def cas(self, address: int, old: int, new: int) -> bool:
        """Write `new` at `address` if `old` is there; whether it was."""
        return await CompareAndSwap(address, old, new)

    # Other dispatchers

    async def spawn_on(self, core: int, program: str, argument: int = 0) -> int:
        """Start a dispatcher of this process on `core`, running `program`; gives its number there."""
        answer = await self._client.ask(lambda request: SpawnOn(request, core, argument, program))
        if not isinstance(answer, Done) or answer.failed:
            raise PeerError(f"core {core} cannot start {program!r}")
        return answer.value

    async def is_up(self, core: int) -> bool:
        """On the boot core: whether the monitor of `core` has joined.  Elsewhere only about itself."""
        answer = await self._client.ask(lambda request: AskUp(request, core))
        return isinstance(answer, Done) and answer.value == 1

    def agree(self, object: str, value: int, tree: str = "numa") -> Completion[int]:
        """Start an agreement on `value` for a replicated object, by the protocol bound for it.  Its result is the
        object's (`system/monitor/`).  Over a tree it is started on the boot core, among the cores this process has had
        a dispatcher on; among equals anywhere, for the cores that hold the object (`mkit why BOARD group:OBJECT`), and
        `tree` is not looked at.  Any number may be under way; those started before this dispatcher waits are sent
        together.  Awaiting it raises LocalMisuse where it cannot begin.  ValueError for an unknown tree."""
        return Completion(self._agree(object, value, TREES.index(tree)), self.environment.user, "agree")

    async def _agree(self, object: str, value: int, tree: int) -> int:
        answer = await self._client.ask(lambda request: Agree(request, value, tree, object), direct=False)
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(
                f"core {self.core} cannot begin an agreement on {object!r}: not bound, or not the boot core"
            )
        return answer.value

    def reconfigure(self, object: str, core: int, present: bool) -> Completion[int]:
        """Let `core` be one of those that hold `object`, or no longer.  Completes when that is agreed on.  Awaiting it
        raises LocalMisuse where the object's protocol refuses, or the object is not agreed on among equals."""
        return Completion(self._reconfigure(object, core, present), self.environment.user, "reconfigure")

    async def _reconfigure(self, object: str, core: int, present: bool) -> int:
        answer = await self._client.ask(lambda request: Reconfigure(request, core, int(present), object), direct=False)
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(f"who holds {object!r} cannot be changed so: refused, or not agreed on among equals")
        return answer.value

    async def replica(self, object: str, question: int) -> int:
        """What this core's replica of an object says to `question` (`system/monitor/objects.py`), without agreeing: it
        may be behind others.  LocalMisuse where the object is not agreed on among equals."""
        answer = await self._client.ask(lambda request: AskReplica(request, question, object))
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(f"core {self.core} has no replica of {object!r}")
        return answer.value

    async def export(self, service: str) -> Listener:
        """Offer `service` on this core.  LocalMisuse when another dispatcher does."""
        answer = await self._client.ask(lambda request: Export(request, service))
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(f"core {self.core} already has a service {service!r}")
        self.spawn(self._accept(), "accept")
        return Listener(self._listener)

    async def connect(self, core: int, service: str) -> Channel:
        """A channel to `service` on `core`.  PeerError when there is no such service there."""
        answer = await self._client.ask(lambda request: Connect(request, core, service))
        if not isinstance(answer, Connected) or not answer.frame:
            raise PeerError(f"core {core} has no service {service!r}")
        return await self._open(answer)

    async def receive_frame(self) -> Frame:
        """The next Frame another dispatcher gave this one; waits for it."""
        return await self._frames.get()

    async def print(self, text: str) -> None:
        """A line on the console."""
        await Invoke(CONSOLE, Emit(Message(await Clock(), self.core, self.name, text)))

    async def assert_fact(self, predicate: str, *values: int | str) -> None:
        """Tell the system knowledge base what was found out here; `Multikernel.facts` has it."""
        await Invoke(CONSOLE, Emit(FactAsserted(await Clock(), self.core, self.name, predicate, values)))

    # Insides

    async def _register(self, watches: list[tuple[int, Watch]]) -> None:
        for channel, watch in watches:
            await self._client.say(WatchLine(channel + watch.index * LINE, watch.word, int(watch.maintained)))

    async def _give_way(self, local: LocalEndpoint) -> None:
        """A turn for the receiver.  If that made no room, one for this dispatcher's other threads too: the
        receiver may be one of them, or wait for one of them."""
        await Yield()
        if local.refused > 1:
            await self.sleep(self.environment.poll_ns)

    def _new_client(self, item: tuple[object, ...]) -> None:
        if isinstance(item, Connected):
            self._incoming.put(item)

    def _new_memory(self, item: tuple[object, ...]) -> None:
        if isinstance(item, MemorySent) and item.ram:
            self.memory.arrived(item.cptr)
        elif isinstance(item, MemorySent):
            self._frames.put(Frame(item.cptr, item.size))

    def _lose(self, item: tuple[object, ...]) -> None:
        """The other end of a channel has died; perhaps before this side was opened."""
        if not isinstance(item, Lost):
            return
        self._lost[item.channel] = None
        known = self._channels.pop(item.channel, None)
        if known is not None:
            channel, wake = known
            channel.lose()
            wake()

    def _keep(self, key: int, channel: Channel, wake: Callable[[], None]) -> Channel:
        """`wake` lets those go on who wait for the channel."""
        if key in self._lost:
            channel.lose()
        else:
            self._channels[key] = channel, wake
        return channel

    async def _accept(self) -> None:
        while True:
            self._listener.put(await self._open(await self._incoming.get()))

    async def _open(self, told: Connected) -> Channel:
        """This side of a channel the monitors have set up."""
        environment = self.environment
        pair = environment.routes.transport(self.core, told.peer)
        transport = environment.made.transports[pair.transport]
        if pair.scope != "channel":
            return self._open_circuit(told, pair)
        if not told.address:
            local = LocalMemory(environment.user.buffers[told.frame >> 32], told.frame & 0xFFFF_FFFF)
            arrival = partial(self._waitset.local, local.local().buffer)
            turn = partial(self._give_way, local.local())
            return Channel(transport.open(local, pair.slots, told.side), told.peer, None, arrival, turn)
        lines = await Invoke(told.frame, OpenWindow(0, transport.lines(pair.slots)))
        bell = await Invoke(told.bells, OpenWindow(told.bell * LINE, 1))
        shared = environment.routes.same_island(self.core, told.peer)
        peer_bell = PeerBell(bell, shared, partial(_interrupt, told.notify))
        endpoint = transport.open(environment.memory(lines), pair.slots, told.side)

        def message() -> Awaitable[None]:
            return self._waitset.line(told.address, endpoint.watch())

        def room() -> Awaitable[None]:
            return self._waitset.line(told.address, endpoint.room())

        channel = Channel(endpoint, told.peer, peer_bell, message, room)
        return self._keep(told.address, channel, partial(self._waitset.give_up, told.address))

    def _open_circuit(self, told: Connected, pair: PairClass) -> Channel:
        """This side of a channel that the monitors carry: all the way, or over a device that only they may use."""
        buffers = self.environment.user.buffers
        data = Port(buffers[told.frame >> 32], told.frame & 0xFFFF_FFFF)
        control = Port(buffers[told.notify], told.bells)
        memory = CircuitMemory(data, control, told.bell)
        end: Carrier = memory.circuit()
        if pair.scope == "circuit":
            end = self.environment.made.transports[pair.transport].open(memory, told.bell, told.side)
        message, room = partial(self._waitset.local, data.buffer), partial(self._waitset.local, control.buffer)

        def wake() -> None:
            self._waitset.give_up_local(data.buffer)
            self._waitset.give_up_local(control.buffer)

        return self._keep(told.frame, Channel(end, told.peer, None, message, room), wake)


async def _interrupt(cptr: int) -> None:
    await Invoke(cptr, Notify())
