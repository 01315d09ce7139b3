"""clients: dispatchers on many cores agree on one object at the same time.

    main      boot core         starts a member on each other core, is a client itself, waits until all are done
    member    every other core  makes its calls, says how many were answered, ends

A client keeps some calls under way and draws what to ask for from its core's stream: to a log it appends numbers of its
own, in a store it reads, writes and swaps words of a few keys, as load it tells one number after another.  Over a tree
only the boot core asks, from when all or half of the others, as it draws, are there to take part: it reserves and frees
a few numbers, or has a page taken away that nobody has mapped (`shootdown`).  Where the run is observed each call is
told as it begins and ends (`CallBegun`, `CallEnded`): that is a history.

With `changes` the last core that holds the object is let go and taken in again, so many times, meanwhile: main asks for
that, and for every other change the last client, which holds nothing where some do not.

Parameters: `object` (log), `calls` a client (8), `cores` at most (all), `outstanding` (4), `keys` (3), `patience_us`
after which main no longer waits for who says nothing (500,000), `settle_us` that main stays when all are done (0),
`changes` (0), `tree` (each call draws one).
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from multikernel.errors import LocalMisuse, PeerError
from multikernel.events import CallBegun, CallEnded, Row
from multikernel.system.layout import PAGE
from multikernel.system.monitor.objects import HALF, WORD, read, swap, write
from multikernel.system.monitor.reservations import free, reserve
from multikernel.system.operations import Witness
from multikernel.system.routes import TREES

if TYPE_CHECKING:
    from multikernel.events import Witnessed
    from multikernel.system.channels import Channel
    from multikernel.system.completion import Completion
    from multikernel.system.runtime import Dispatcher, Listener

OBJECTS = ("log", "store", "load", "reservation", "shootdown")
COLUMNS = ("object", "protocol", "clients", "calls", "answered", "cycles_per_call")
SERVICE = "clients"
LOOK_NS = 1_000_000
"""How often main looks whether all are done, at last; at first every FIRST_LOOK_NS."""
FIRST_LOOK_NS = 10_000
MOST_CHANGES = 14
NOWHERE = 1 << 40
"""An address at which and above which this program maps nothing."""


class Work(NamedTuple):
    """What a client is to do; as one number it is a member's argument."""

    object: int
    calls: int
    outstanding: int
    keys: int
    changes: int = 0

    def packed(self) -> int:
        """The argument of `clients-member`."""
        return self.object << 28 | self.calls << 16 | self.changes << 13 | self.outstanding << 8 | self.keys

    @staticmethod
    def unpacked(argument: int) -> Work:
        """The work in a member's argument."""
        object, calls, changes = argument >> 28, argument >> 16 & 0xFFF, argument >> 13 & 7
        return Work(object, calls, argument >> 8 & 0x1F, argument & 0xFF, changes)


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """One row: object, protocol, clients, calls (of all), answered (as told), cycles_per_call (of the boot core, from
    the first call begun anywhere to the last client done)."""
    environment = dispatcher.environment
    name = environment.choice("object", OBJECTS) or OBJECTS[0]
    calls = environment.count("calls", 8, most=0xFFF)
    outstanding = environment.count("outstanding", 4, most=16)
    work = Work(OBJECTS.index(name), calls, outstanding, environment.count("keys", 3, most=0xFF))
    most = environment.count("cores", 0, least=0)
    patience_ns = environment.count("patience_us", 500_000) * 1000
    protocol = next((b.plugin for b in environment.blueprint.bindings if b.slot == f"consistency:{name}"), "")
    if not protocol:
        raise ValueError(f"no protocol is bound for the object {name}")
    tally = Tally(dispatcher)
    dispatcher.spawn(tally.accept(await dispatcher.export(SERVICE)), "accept")
    before = tally.last_cycles = await dispatcher.cycles()
    others = [core.id for core in environment.blueprint.cores if core.id != dispatcher.core]
    others = others[: most - 1 if most else None]
    changes = environment.count("changes", 0, least=0, most=MOST_CHANGES)
    if changes and not environment.routes.holders(name):
        raise ValueError(f"all take part in what is agreed on for {name}: there are no changes of who holds it")
    theirs = changes // 2 if others else 0
    for core in others:
        given = work._replace(changes=theirs) if core == others[-1] else work
        dispatcher.spawn(tally.start(core, given), f"start {core}")
    for number in range(changes - theirs):
        dispatcher.spawn(change(dispatcher, name), f"change {number}")
    client = Client(dispatcher, work, environment.choice("tree", TREES))
    if environment.routes.holders(name):
        await tally.add(await client.run())
    else:  # where a core has died a call is never answered
        await tally.there(len(others) // (1 + await dispatcher.random(2)), len(others), patience_ns)
        dispatcher.spawn(tally.run(client), "client")
    look_ns, told = FIRST_LOOK_NS, -1
    while tally.waits() and await dispatcher.now() - tally.last_ns < patience_ns:
        if client.answered != told:
            told, tally.last_ns = client.answered, await dispatcher.now()
        await dispatcher.sleep(look_ns)
        look_ns = min(2 * look_ns, LOOK_NS)
    cycles = tally.last_cycles - before
    await dispatcher.sleep(environment.count("settle_us", 0, least=0) * 1000)
    per_call = cycles // max(1, tally.answered)
    asked = calls * (tally.started if environment.routes.holders(name) else 1)
    return (Row(COLUMNS, (name, protocol, tally.started, asked, tally.answered, per_call)),)


async def change(dispatcher: Dispatcher, name: str) -> None:
    """The last of those that hold an object is let go and taken in again, or is not, as it died."""
    last = dispatcher.environment.routes.holders(name)[-1]
    with suppress(LocalMisuse):
        await dispatcher.reconfigure(name, last, False)
        await dispatcher.reconfigure(name, last, True)


class Tally:
    """The clients: how many are `started`, how many have told that they are done, and how many calls of theirs were
    answered.  A core that is dead says nothing when it is asked to start one."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._asked = 0
        self._heard = 0
        self._done = 0
        self.started = 1
        self.answered = 0
        self.last_ns = 0
        self.last_cycles = 0

    async def add(self, answered: int) -> None:
        """A client is done."""
        self._done += 1
        self.answered += answered
        self.last_ns = await self._dispatcher.now()
        self.last_cycles = await self._dispatcher.cycles()

    async def run(self, client: Client) -> None:
        """Let `client` make its calls; it is one of those that are started."""
        await self.add(await client.run())

    async def start(self, core: int, work: Work) -> None:
        """Start a member on `core`, which may not be up."""
        self._asked += 1
        with suppress(PeerError):
            await self._dispatcher.spawn_on(core, "clients-member", work.packed())
            self.started += 1
        self._asked -= 1
        self._heard += 1

    async def there(self, count: int, others: int, patience_ns: int) -> None:
        """Returns when `count` of the `others` have been started, or it is known of all whether they can be, or
        `patience_ns` are over."""
        self.last_ns = await self._dispatcher.now()
        end_ns = self.last_ns + patience_ns
        while self.started - 1 < count and self._heard < others and await self._dispatcher.now() < end_ns:
            await self._dispatcher.sleep(FIRST_LOOK_NS)

    def waits(self) -> bool:
        """Whether somebody has yet to tell something."""
        return self._asked > 0 or self._done < self.started

    async def accept(self, listener: Listener) -> None:
        """Hear every client; never returns."""
        while True:
            self._dispatcher.spawn(self._hear(await listener.accept()), "hear")

    async def _hear(self, channel: Channel) -> None:
        with suppress(PeerError):  # its core has died
            await self.add(int.from_bytes(await channel.recv(), "little"))


class Client:
    """The calls of one core, over `tree` where there are trees; over one that each draws where that is empty.
    `answered` is how many were, and accepted."""

    def __init__(self, dispatcher: Dispatcher, work: Work, tree: str = "") -> None:
        self._dispatcher = dispatcher
        self._work = work
        self._tree = tree
        self._name = OBJECTS[work.object]
        self.answered = 0

    async def run(self) -> int:
        """Make all calls; how many were answered."""
        under_way: deque[Completion[bool]] = deque()
        routes = self._dispatcher.environment.routes
        spanned = not routes.holders(self._name)
        if spanned and self._dispatcher.core != routes.boot_core:
            return 0  # over a tree only the boot core begins
        for number in range(1, self._work.calls + 1):
            if len(under_way) == self._work.outstanding:
                self.answered += await under_way.popleft()
            tree = TREES[await self._dispatcher.random(len(TREES))] if spanned and not self._tree else self._tree
            call = self._call(number, await self._value(number), tree or TREES[0])
            under_way.append(self._dispatcher.spawn(call, f"call {number}"))
        while under_way:
            self.answered += await under_way.popleft()
        return self.answered

    async def _call(self, number: int, value: int, tree: str) -> bool:
        core = self._dispatcher.core
        await self._tell(CallBegun(0, core, self._name, number, value))
        try:
            result = await self._dispatcher.agree(self._name, value, tree)
        except LocalMisuse:
            await self._tell(CallEnded(0, core, self._name, number, 0, False))
            return False
        await self._tell(CallEnded(0, core, self._name, number, result, True))
        return True

    async def _value(self, number: int) -> int:
        """What to ask for.  Words differ by who writes them and when, so that a read tells which write it saw."""
        draw, own = self._dispatcher.random, (self._dispatcher.core << 12 | number) % HALF
        if self._name == "reservation":
            return (reserve, free)[await draw(2)](await draw(self._work.keys))
        if self._name == "shootdown":
            return NOWHERE + await draw(self._work.keys) * PAGE
        if self._name != "store":
            return self._dispatcher.core << 32 | number
        key, kind = await draw(self._work.keys), await draw(3)
        if kind == 0:
            return read(key)
        return write(key, own & WORD) if kind == 1 else swap(key, await self._dispatcher.replica("store", key), own)

    async def _tell(self, event: Witnessed) -> None:
        if self._dispatcher.environment.observed:
            await Witness(event)


async def member(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """A client; tells the boot core how many of its calls were answered, then waits for the changes it asked for."""
    work = Work.unpacked(dispatcher.argument)
    changes = [change(dispatcher, OBJECTS[work.object]) for _ in range(work.changes)]
    threads = [dispatcher.spawn(each, f"change {number}") for number, each in enumerate(changes)]
    answered = await Client(dispatcher, work).run()
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, SERVICE)
    await channel.send(answered.to_bytes(8, "little"))
    for thread in threads:
        await thread
    return ()
