"""One core of sharing: leads a group, or belongs to one.

    core     waits for its part (`Setup`), is wired, reads and updates, says what it saw, sums up its replica

A leader has the group's replica and a channel to each core of its group, to the leader above and to those below it.
What goes over these is an `Item`: a request goes up to the first leader, who gives it the next version; that update
goes down to every leader.  Where updates are acknowledged a leader that has written it, and heard the same of all
below, says so upwards, and the first leader tells who asked, the way its request came.

Threads: one that reads and one that sends for each channel, so that nobody waits for room before it takes what has
come; the first leader's that puts requests in order; and the core's own, which looks after each access whether any of
these can go on.
"""

from __future__ import annotations

from collections import Counter
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from multikernel.events import CallBegun, CallEnded
from multikernel.system.operations import Witness
from multikernel.system.page_tables import READ
from multikernel.system.runtime import Mailbox
from multikernel.system.shared import WORDS, Replica, size

if TYPE_CHECKING:
    from multikernel.events import Row
    from multikernel.system.channels import Channel
    from multikernel.system.runtime import Dispatcher

CONSISTENCIES = ("acknowledged", "eventual")
ACKNOWLEDGED = 0
SERVICE, LEADS = "sharing", "sharing-leader"
GO = b"go"
READS, UPDATES = "sharing:read", "sharing:update"
"""What calls are told as, where a run is observed: `value` is the entry, `result` the version; an update that nobody
acknowledges is not told to end."""
REQUEST, UPDATE, APPLIED, DONE = range(4)
STEP = 0x9E37_79B9_7F4A_7C15
"""What a word of an entry has more than the one before it: words of two updates never go together."""
MASK = (1 << 64) - 1
_SETUP, _ITEM, _HELLO, _SAW = Struct("<B8I"), Struct("<BIIQQ"), Struct("<II?"), Struct("<3Q")


class Tree(NamedTuple):
    """A core's place: its leader, the leader above that, how many cores its group has besides the leader, and how many
    leaders are right below."""

    leader: int
    up: int
    members: int
    below: int


class Setup(NamedTuple):
    """A core's part: which consistency, so many reads before each of so many updates, `total` updates of all cores."""

    consistency: int
    reads: int
    entries: int
    updates: int
    total: int
    tree: Tree

    def packed(self) -> bytes:
        return _SETUP.pack(*self[:5], *self.tree)

    @staticmethod
    def unpacked(message: bytes) -> Setup:
        consistency, reads, entries, updates, total, *tree = _SETUP.unpack(message[: _SETUP.size])
        return Setup(consistency, reads, entries, updates, total, Tree(*tree))


class Saw(NamedTuple):
    """What a core says of its work: reads torn, reads stale, when it was done."""

    torn: int
    stale: int
    ended_ns: int

    def packed(self) -> bytes:
        return _SAW.pack(*self)

    @staticmethod
    def unpacked(message: bytes) -> Saw:
        return Saw(*_SAW.unpack(message[: _SAW.size]))


class Item(NamedTuple):
    """What goes between leaders and their cores: a request of core `origin` to make `value` of an entry, the update it
    became as `version`, that this is applied, that it is done."""

    kind: int
    origin: int
    entry: int
    value: int
    version: int

    def packed(self) -> bytes:
        return _ITEM.pack(*self)

    @staticmethod
    def unpacked(message: bytes) -> Item:
        return Item(*_ITEM.unpack(message[: _ITEM.size]))


def words(value: int) -> tuple[int, ...]:
    """The words of an entry that is made `value`."""
    return tuple(value + place * STEP & MASK for place in range(WORDS))


class Worker:
    """What a core reads, and how it judges it."""

    def __init__(self, dispatcher: Dispatcher, setup: Setup, replica: Replica) -> None:
        self._dispatcher = dispatcher
        self._setup = setup
        self._replica = replica
        self._seen = Counter[int]()
        self._calls = Counter[str]()
        self.torn = 0
        self.stale = 0

    async def read(self) -> None:
        """Read an entry drawn at random."""
        entry = await self._dispatcher.random(self._setup.entries)
        await self._begins(READS, entry)
        found = await self._replica.read(entry)
        await self._ends(READS, found.version)
        self.torn += found.version > 0 and found.words != words(found.words[0])
        self.stale += found.version < self._seen[entry]
        self._saw(entry, found.version)

    def _saw(self, entry: int, version: int) -> None:
        self._seen[entry] = max(self._seen[entry], version)

    async def draw(self, number: int) -> Item:
        """The request for this core's update `number`."""
        core, entry = self._dispatcher.core, await self._dispatcher.random(self._setup.entries)
        await self._begins(UPDATES, entry)
        return Item(REQUEST, core, entry, core << 32 | number, 0)

    async def complete(self, entry: int, version: int) -> None:
        """An update of this core's is in every replica."""
        self._saw(entry, version)
        await self._ends(UPDATES, version)

    async def _begins(self, what: str, entry: int) -> None:
        if self._dispatcher.environment.observed:
            self._calls[what] += 1
            await Witness(CallBegun(0, self._dispatcher.core, what, self._calls[what], entry))

    async def _ends(self, what: str, version: int) -> None:
        if self._dispatcher.environment.observed:
            await Witness(CallEnded(0, self._dispatcher.core, what, self._calls[what], version, True))

    async def sum(self) -> int:
        """What stands for all entries and their versions."""
        total = 0
        for entry in range(self._setup.entries):
            found = await self._replica.read(entry)
            for word in found:
                total = (total * STEP + (word if isinstance(word, int) else word[0])) & MASK
        return total


class Member:
    """A core that reads its leader's replica."""

    def __init__(self, dispatcher: Dispatcher, setup: Setup) -> None:
        self._dispatcher = dispatcher
        self._setup = setup

    async def wire(self) -> Worker:
        dispatcher = self._dispatcher
        self._channel = await dispatcher.connect(self._setup.tree.leader, LEADS)
        await self._channel.send(_HELLO.pack(dispatcher.core, dispatcher.environment.number, False))
        mapping = await dispatcher.vspace.map(await dispatcher.receive_frame(), READ)
        replica = Replica(dispatcher.load, dispatcher.store, mapping.address, self._setup.entries)
        return Worker(dispatcher, self._setup, replica)

    async def work(self, worker: Worker) -> None:
        """All reads and updates."""
        for number in range(1, self._setup.updates + 1):
            for _ in range(self._setup.reads):
                await worker.read()
            item = await worker.draw(number)
            await self._channel.send(item.packed())
            if self._setup.consistency == ACKNOWLEDGED:
                await worker.complete(item.entry, Item.unpacked(await self._channel.recv()).version)


class Leader:
    """A core that has a replica, writes it and passes updates on."""

    def __init__(self, dispatcher: Dispatcher, setup: Setup, main: Channel) -> None:
        self._dispatcher = dispatcher
        self._setup = setup
        self._main = main
        self._first = setup.tree.up == dispatcher.core
        self._boxes: dict[int, Mailbox[Item]] = {}
        self._below: list[int] = []
        self._via: dict[int, int] = {}
        self._missing: dict[int, int] = {}
        self._origins: dict[int, int] = {}
        self._requests: Mailbox[Item] = Mailbox(dispatcher)
        self._answers: Mailbox[int] = Mailbox(dispatcher)
        self._all: Mailbox[int] = Mailbox(dispatcher)
        self._applied = 0

    async def wire(self) -> Worker:
        dispatcher, setup = self._dispatcher, self._setup
        listener = await dispatcher.export(LEADS)
        frame = await dispatcher.memory.allocate(size(setup.entries))
        mapping = await dispatcher.vspace.map(frame)
        self._replica = Replica(dispatcher.load, dispatcher.store, mapping.address, setup.entries)
        await self._main.send(GO)
        await self._main.recv()  # every leader is there
        if self._first:
            dispatcher.spawn(self._order(), "order")
        else:
            channel = await dispatcher.connect(setup.tree.up, LEADS)
            await channel.send(_HELLO.pack(dispatcher.core, dispatcher.environment.number, True))
            self._add(channel)
        for _ in range(setup.tree.members + setup.tree.below):
            channel = await listener.accept()
            core, number, leads = _HELLO.unpack((await channel.recv())[: _HELLO.size])
            if leads:
                self._below.append(core)
            else:
                await dispatcher.memory.give(frame, core, number)
            self._add(channel)
        return Worker(dispatcher, setup, self._replica)

    async def work(self, worker: Worker) -> None:
        """All reads and updates of its own; ends when it has every core's updates."""
        core = self._dispatcher.core
        for number in range(1, self._setup.updates + 1):
            for _ in range(self._setup.reads):
                await worker.read()
                await self._dispatcher.look()
            item = await worker.draw(number)
            self._ask(core, item)
            if self._setup.consistency == ACKNOWLEDGED:
                await worker.complete(item.entry, await self._answers.get())
            await self._dispatcher.look()
        await self._all.get()

    def _add(self, channel: Channel) -> None:
        box = self._boxes[channel.peer] = Mailbox(self._dispatcher)
        self._dispatcher.spawn(self._send(channel, box), f"to {channel.peer}")
        self._dispatcher.spawn(self._hear(channel), f"from {channel.peer}")

    async def _send(self, channel: Channel, box: Mailbox[Item]) -> None:
        while True:
            await channel.send((await box.get()).packed())

    async def _hear(self, channel: Channel) -> None:
        while True:
            item = Item.unpacked(await channel.recv())
            if item.kind == REQUEST:
                self._ask(channel.peer, item)
            elif item.kind == UPDATE:
                await self._apply(item)
            elif item.kind == APPLIED:
                self._one_less(item.version)
            else:
                self._done(item)

    def _ask(self, via: int, item: Item) -> None:
        """A request, come from core `via`."""
        self._via[item.origin] = via
        (self._requests if self._first else self._boxes[self._setup.tree.up]).put(item)

    async def _order(self) -> None:
        """The first leader's: one request after another becomes an update."""
        version = 0
        while True:
            item = await self._requests.get()
            version += 1
            await self._apply(item._replace(kind=UPDATE, version=version))

    async def _apply(self, item: Item) -> None:
        """Pass an update on, then write it."""
        self._missing[item.version] = len(self._below) + 1
        self._origins[item.version] = item.origin
        for core in self._below:
            self._boxes[core].put(item)
        await self._replica.write(item.entry, item.version, words(item.value))
        self._one_less(item.version)
        self._applied += 1
        if self._applied == self._setup.total:
            self._all.put(1)

    def _one_less(self, version: int) -> None:
        """One more of this leader and those below has written a version."""
        self._missing[version] -= 1
        if self._missing[version]:
            return
        item = Item(APPLIED, self._origins.pop(version), 0, 0, version)
        del self._missing[version]
        if self._setup.consistency == ACKNOWLEDGED and self._first:
            self._done(item._replace(kind=DONE))
        elif self._setup.consistency == ACKNOWLEDGED:
            self._boxes[self._setup.tree.up].put(item)

    def _done(self, item: Item) -> None:
        """Tell who asked."""
        via = self._via[item.origin]
        if via == self._dispatcher.core:
            self._answers.put(item.version)
        else:
            self._boxes[via].put(item)


async def core(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Carry out the part that the boot core tells; see the module."""
    main = await dispatcher.connect(dispatcher.environment.routes.boot_core, SERVICE)
    setup = Setup.unpacked(await main.recv())
    leads = setup.tree.leader == dispatcher.core
    role = Leader(dispatcher, setup, main) if leads else Member(dispatcher, setup)
    worker = await role.wire()
    await main.send(GO)
    begin = int.from_bytes(await main.recv(), "little")
    await dispatcher.sleep(max(0, begin - await dispatcher.now()))
    await role.work(worker)
    await main.send(Saw(worker.torn, worker.stale, await dispatcher.now()).packed())
    await main.recv()  # everybody has everything
    await main.send((await worker.sum()).to_bytes(8, "little"))
    await main.recv()  # nobody looks at this replica any more
    return ()
