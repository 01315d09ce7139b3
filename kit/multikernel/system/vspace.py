"""Memory at user level: RAM asked of the monitor, page tables built by capability invocations.

    frame = await memory.allocate(size)          a Frame capability
    mapping = await vspace.map(frame)            at the next free address; tables are made as needed
    completion = mapping.unmap(tree)             on every core the process spans, by agreement

On a core that does not translate a frame is at one address, where its core sees it; see `VSpace.map`.

The root table and those under it are capabilities of this dispatcher like any other.  Each dispatcher of
a process has tables of its own; mapping the same frames in the same order gives the same addresses.

May not know: the CPU driver, page-table formats beyond their levels.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.requests import Copy, Delete, Map, MapTable, Retype
from multikernel.system.caps.types import TYPES, CapType
from multikernel.system.completion import Completion
from multikernel.system.environment import SELF, Environment
from multikernel.system.inquiry import Inquiry, Turns
from multikernel.system.layout import PAGE
from multikernel.system.memory_service import RamGranted, WantRam
from multikernel.system.messages import (
    UNSEEN,
    WITHHELD,
    Agree,
    AllocateRam,
    ClaimPool,
    Done,
    SendMemory,
    decode,
    encode,
)
from multikernel.system.operations import Invoke, InvokeCap, Park
from multikernel.system.page_tables import READ, WRITE, RegionFormat, TableFormat, format_of
from multikernel.system.requests import AddressOf, Seen, SetRoot
from multikernel.system.routes import TREES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from multikernel.system.channels import Channel
    from multikernel.system.client import MonitorClient
    from multikernel.system.dispatcher import Thread

BASE = 1 << 30
"""Virtual address of the first mapping on cores that translate: 1 GiB, clear of page 0."""
ENTRIES = 512
"""Entries of a page table, of every format with levels (`page_tables.TableFormat`)."""
SLOTS = (96, 240)
"""The slots of a dispatcher's capability space that the runtime fills itself."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A Frame capability of `size` bytes at `cptr`."""

    cptr: int
    size: int


@dataclass(slots=True)
class SlotCounter:
    """The next free slot of this dispatcher's own."""

    next: int = SLOTS[0]
    free: list[int] = field(default_factory=list)

    def give(self, slot: int) -> None:
        self.free.append(slot)

    def take(self) -> int:
        if self.free:
            return self.free.pop()
        if self.next >= SLOTS[1]:
            raise LocalMisuse("the dispatcher's capability slots are used up")
        self.next += 1
        return self.next - 1


class Memory:
    """RAM and frames."""

    def __init__(
        self, client: MonitorClient, environment: Environment, connect: Callable[[], Awaitable[Channel]]
    ) -> None:
        self._client = client
        self._environment = environment
        self._slots = SlotCounter()
        self._server = Inquiry(environment.user, connect)
        self._turns = Turns(environment.user)
        self._arrived: deque[int] = deque()
        self._waiting: Thread | None = None
        self._pages: dict[int, list[int]] = {}

    async def ram(self, size: int) -> int:
        """A RAM capability of `size` bytes, rounded up to pages; its CPtr.  LocalMisuse when there is none left."""
        rounded = -(-size // PAGE) * PAGE
        answer = await self._client.ask(lambda request: AllocateRam(request, rounded))
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(f"no {rounded} bytes of memory left on this core")
        return answer.value

    async def make(self, kind: CapType, size: int = 0) -> int:
        """An object of `kind` made of new RAM; its CPtr."""
        ram = await self.ram(size or TYPES[kind].granule)
        slot = self._slots.take()
        await InvokeCap(ram, Retype(slot, kind, size))
        return slot

    async def allocate(self, size: int, near: int | None = None) -> Frame:
        """A zeroed frame of `size` bytes, rounded up to pages: of this core's own memory or, with `near`, of
        the memory server's, on the node of core `near` or else the nearest that has them.  LocalMisuse when
        there is none; PeerError when there is no memory server."""
        rounded = -(-size // PAGE) * PAGE
        if near is None:
            return Frame(await self.make(CapType.FRAME, rounded), rounded)
        async with self._turns:
            ram = await self._served(rounded, near)
        slot = self._slots.take()
        await InvokeCap(ram, Retype(slot, CapType.FRAME, rounded))
        return Frame(slot, rounded)

    async def _served(self, size: int, near: int) -> int:
        """RAM of the memory server; its CPtr.  Whoever asks has the turn: what arrives next is for this request."""
        environment = self._environment
        node = environment.routes.core(near).node
        want = WantRam(size, node & 0xFFFF_FFFF, environment.core, environment.number)
        answer = decode(await self._server.ask(encode(want)))
        if not isinstance(answer, RamGranted) or not answer.size:
            left = answer.largest if isinstance(answer, RamGranted) else 0
            raise LocalMisuse(f"no {size} bytes of memory near core {near}; the largest piece left has {left} bytes")
        while not self._arrived:
            self._waiting = self._environment.user.current()
            await Park()
        return self._arrived.popleft()

    def arrived(self, cptr: int) -> None:
        """The memory server's RAM is at `cptr`."""
        self._arrived.append(cptr)
        if self._waiting is not None:
            thread, self._waiting = self._waiting, None
            self._environment.user.wake(thread)

    async def alias(self, frame: Frame) -> Frame:
        """Another capability to the same memory, as one capability is mapped in one place."""
        slot = self._slots.take()
        await InvokeCap(frame.cptr, Copy(slot))
        return Frame(slot, frame.size)

    async def part(self, frame: Frame) -> int:
        """The CPtr of an alias to map part of `frame` by; it goes when the frame is freed."""
        alias = await self.alias(frame)
        self._pages.setdefault(frame.cptr, []).append(alias.cptr)
        return alias.cptr

    async def give(self, frame: Frame, core: int, number: int) -> None:
        """Give `frame` to dispatcher `number` of `core` too, with the rights it has here.  CapabilityError `rights`
        without the right to send it."""
        await self._send(frame.cptr, core, number, ram=0)

    async def give_ram(self, cptr: int, core: int, number: int) -> None:
        """Give the RAM at `cptr` to dispatcher `number` of `core`: it is the giver's to forget its own."""
        await self._send(cptr, core, number, ram=1)

    async def _send(self, cptr: int, core: int, number: int, ram: int) -> None:
        answer = await self._client.ask(lambda request: SendMemory(request, cptr, core, number, ram))
        if isinstance(answer, Done) and answer.failed == UNSEEN:
            raise LocalMisuse(f"core {core} does not see the memory of the capability at {cptr:#x}")
        if isinstance(answer, Done) and answer.failed == WITHHELD:
            refuse("rights", right="be sent")
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(f"the capability at {cptr:#x} is no memory to give away")

    async def claim_pool(self, index: int) -> int:
        """The RAM of pool `index` of the layout; its CPtr.  For the memory server alone."""
        answer = await self._client.ask(lambda request: ClaimPool(request, index))
        if not isinstance(answer, Done) or answer.failed:
            raise LocalMisuse(f"pool {index} is not this dispatcher's to claim")
        return answer.value

    def slot(self) -> int:
        """The CPtr of an empty slot."""
        return self._slots.take()

    async def drop(self, cptr: int) -> None:
        """Delete the capability at `cptr`, a slot of `slot`'s."""
        await InvokeCap(cptr, Delete())
        self._slots.give(cptr)

    async def free(self, frame: Frame) -> None:
        """Delete the Frame, which `allocate` or `alias` gave; what is mapped is unmapped on this core."""
        for page in self._pages.pop(frame.cptr, []):
            await self.drop(page)
        await self.drop(frame.cptr)


class Mapping:
    """A frame mapped at virtual `address`."""

    def __init__(self, space: VSpace, address: int, size: int) -> None:
        self.address = address
        self.size = size
        self._space = space

    def unmap(self, tree: str = "numa") -> Completion[int]:
        """Start taking it out of the address space of the process on every core; completes when no core
        can use it any more.  `tree` is how the cores are reached: one of `routes.TREES`.  The result is
        how many cores the platform's model found that still could, -1 where it has none.  LocalMisuse on
        a core without MMU and MPU.  Cores for which the address means something else, as one does not
        translate, have the frame elsewhere and keep it; see `Routes.same_addresses`."""
        return self._space.start_unmap(self, tree)


class VSpace:
    """This dispatcher's address space."""

    def __init__(self, client: MonitorClient, memory: Memory, environment: Environment) -> None:
        self._client = client
        self._memory = memory
        self._environment = environment
        paging = environment.made.driver.paging
        self._format = format_of(paging)
        self._kinds = [kind for kind, row in sorted(TYPES.items()) if row.isa == paging]
        self._tables: dict[tuple[int, ...], int] = {}
        self._next = BASE
        self._region = 0
        self._turns = Turns(environment.user)

    async def map(self, frame: Frame, rights: int = READ | WRITE, at: int = 0) -> Mapping:
        """Map all of `frame`, at virtual address `at` (0: the next free one); tables are made of new RAM as
        needed.  Refused for a frame that is mapped.

        On a core that does not translate the address is the one at which its space has the frame, and any
        other is a LocalMisuse, as is a frame the space does not reach.  With protection regions a frame
        takes one of them: a power of two of pages, aligned to its size; LocalMisuse when none is left.
        Without MMU or MPU nothing is protected: all of memory can be read and written, mapped or not, with
        whatever `rights`, and a frame may be mapped any number of times."""
        async with self._turns:  # two threads must not make the same table
            if not isinstance(self._format, TableFormat):
                return await self._map_where_it_is(frame, rights, at)
            address = at or self._next
            self._next = max(self._next, address + frame.size)
            mapped = 0
            while mapped < frame.size:
                mapped += await self._map_pages(frame, address + mapped, mapped, rights)
            return Mapping(self, address, frame.size)

    async def _map_pages(self, frame: Frame, address: int, offset: int, rights: int) -> int:
        """Map what is left of `frame` from `offset` on, as far as one table of pages reaches; how many bytes."""
        assert isinstance(self._format, TableFormat)
        path = tuple(address >> level.shift & 511 for level in self._format.levels)
        for depth in range(len(path)):
            if path[:depth] not in self._tables:
                table = await self._memory.make(self._kinds[depth])
                if depth == 0:
                    await Invoke(SELF, SetRoot(table))
                else:
                    await InvokeCap(table, MapTable(self._tables[path[: depth - 1]], path[depth - 1]))
                self._tables[path[:depth]] = table
        count = min((frame.size - offset) // PAGE, ENTRIES - path[-1])
        capability = frame.cptr if count * PAGE == frame.size else await self._memory.part(frame)
        await InvokeCap(capability, Map(self._tables[path[:-1]], path[-1], rights, offset, count))
        return count * PAGE

    async def _map_where_it_is(self, frame: Frame, rights: int, at: int) -> Mapping:
        """On a core that does not translate: at the address where the core sees it."""
        where = await Invoke(frame.cptr, AddressOf())
        if at not in (0, where.address):
            raise LocalMisuse(
                f"core {self._environment.core} does not translate addresses: the frame is at {where.address:#x} "
                f"and cannot be mapped at {at:#x}"
            )
        if isinstance(self._format, RegionFormat):
            await self._map_region(frame, where, rights, self._format.entries)
        return Mapping(self, where.address, frame.size)

    async def _map_region(self, frame: Frame, where: Seen, rights: int, regions: int) -> None:
        """Let the frame through by one of the `regions`, whichever is free: an unmapping on another core's
        behalf frees one without a word to this dispatcher."""
        if where.physical != where.address:
            raise LocalMisuse(
                f"core {self._environment.core} sees physical address {where.physical:#x} at {where.address:#x}; "
                "a protection region holds only memory that is seen where it is"
            )
        if () not in self._tables:
            self._tables[()] = await self._memory.make(self._kinds[0])
            await Invoke(SELF, SetRoot(self._tables[()]))
        for turn in range(regions):
            number = (self._region + turn) % regions
            try:
                await InvokeCap(frame.cptr, Map(self._tables[()], number, rights, 0, frame.size // PAGE))
            except CapabilityError as refusal:
                if refusal.code != "entry-taken":
                    raise
            else:
                self._region = (number + 1) % regions
                return
        raise LocalMisuse(f"all {regions} protection regions of core {self._environment.core} are in use; free a frame")

    def start_unmap(self, mapping: Mapping, tree: str) -> Completion[int]:
        if self._format is None:
            raise LocalMisuse(f"core {self._environment.core} has no MMU: nothing mapped there can be taken away")
        return Completion(self._unmap(mapping, TREES.index(tree)), self._environment.user, "unmap")

    async def _unmap(self, mapping: Mapping, tree: int) -> int:
        left = 0
        for page in range(mapping.address, mapping.address + mapping.size, PAGE):
            answer = await self._client.ask(partial(_agree, page, tree))
            if not isinstance(answer, Done) or answer.failed:
                raise LocalMisuse(f"core {self._environment.core} cannot begin an agreement: it is not the boot core")
            found = answer.value - 1  # 0 says that the platform has no model
            left = -1 if found < 0 or left < 0 else left + found
        return left


def _agree(page: int, tree: int, request: int) -> Agree:
    return Agree(request, page, tree, "shootdown")
