"""What capability invocations do on one core: the requests of `requests.py` and of `caps/requests.py`.

    invoke(dcb, cptr, request)     the result; raises CapabilityError when it is refused
    endpoint(dcb, cptr)            the dispatcher and buffer an EndPoint capability names

The driver's own memory (capability spaces, dispatchers) is the upper part of the core's arena, the lower
is the monitor's RAM.  Every dispatcher's capability space has a root CNode and one CNode of slots, where
`environment.py` says what it starts with.

May not know: scheduling, how hardware does its part, what programs mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.system.caps.cspace import CSpace, cptr, root_cptr
from multikernel.system.caps.effects import InvalidateTlb, ObjectGone, Outcome
from multikernel.system.caps.invoke import boot_cspace, drop, endow, hold, invoke, release
from multikernel.system.caps.mdb import Capability, Mdb
from multikernel.system.caps.refusals import refuse
from multikernel.system.caps.requests import CapRequest
from multikernel.system.caps.types import ALL_RIGHTS, CNODE_SLOTS, GRANT, TYPES, CapType
from multikernel.system.dispatcher import LocalBuffer, UserDispatcher
from multikernel.system.environment import CONSOLE, FIRST_CLIENT, KERNEL, MONITOR, RAM, SELF
from multikernel.system.layout import BELLS, PAGE, RESERVED
from multikernel.system.messages import Gone, encode
from multikernel.system.page_tables import READ, WRITE
from multikernel.system.requests import (
    AddressOf,
    ConnectLocal,
    CreateDispatcher,
    DisconnectLocal,
    DropPage,
    Emit,
    GiveFrame,
    GiveNotify,
    GiveRam,
    KnockCore,
    LocalPair,
    MemoryRange,
    NextInput,
    Notify,
    NotifyCore,
    OpenRaw,
    OpenWindow,
    RangeOf,
    Request,
    RunDispatcher,
    Seen,
    SetRoot,
    StartCore,
    WakeDispatcher,
)

if TYPE_CHECKING:
    from multikernel.interfaces import Lines
    from multikernel.system.driver import CpuDriver
    from multikernel.system.machine import Dcb
    from multikernel.system.requests import Input

FIRST_GIVEN = CNODE_SLOTS
"""First slot for capabilities that others put there: the driver makes CNodes for them as needed, from slot 1
of the root on."""
FLUSH_PAGES = 33
"""From this many pages on the whole TLB is flushed instead, at no more than their cost: Linux's ceiling on x86
(`tlb_single_page_flush_ceiling`)."""
CLIENT_SLOTS = 32
"""Messages in the buffer between a dispatcher and its monitor, each way."""

Load = Callable[[int, CreateDispatcher], UserDispatcher]
"""Makes the user half of a new dispatcher, given its number: loads its program."""


@dataclass(slots=True)
class Holding:
    """What the driver keeps for a dispatcher besides its control block."""

    cspace: CSpace
    base: int
    root: Capability | None = None
    next_slot: int = FIRST_GIVEN
    buffers: list[LocalBuffer] = field(default_factory=list)
    to_monitor: LocalBuffer | None = None
    spare: list[tuple[int, int]] = field(default_factory=list)


class Invocations:
    """See the module.  `load` makes a new dispatcher's user half."""

    def __init__(self, driver: CpuDriver, base: int, size: int, load: Load) -> None:
        self._driver = driver
        self._machine = driver.machine
        self._load = load
        self._mdb = Mdb()
        self._holdings: dict[int, Holding] = {}
        self._by_base: dict[int, Dcb] = {}
        self._free = base + size // 2 // PAGE * PAGE
        self._end = base + size
        self._cnodes: list[int] = []
        self._ram = (base + RESERVED, self._free - base - RESERVED)
        anybodys: dict[type[Request[object]], Callable[..., object]] = {
            OpenWindow: self._open_window, AddressOf: self._address_of, Notify: self._notify, SetRoot: self._set_root,
            Emit: self._emit, NextInput: self._next_input,
        }  # fmt: skip
        monitors: dict[type[Request[object]], Callable[..., object]] = {
            StartCore: self._start_core, OpenRaw: self._open_raw, NotifyCore: self._notify_core,
            KnockCore: self._knock_core,
            GiveFrame: self._give_memory, GiveRam: self._give_memory, GiveNotify: self._give_notify,
            RangeOf: self._range_of, CreateDispatcher: self._create, RunDispatcher: self._wake,
            WakeDispatcher: self._wake, ConnectLocal: self._connect, DisconnectLocal: self._disconnect,
            DropPage: self._drop_page,
        }  # fmt: skip
        self._anybodys = anybodys
        self._monitors = monitors

    # For the driver

    def adopt(self, dcb: Dcb, monitor: bool) -> None:
        """Give a new dispatcher its capability space and what it starts with."""
        space = boot_cspace(self._mdb, self._take_cnode())
        endow(self._mdb, space.slot(root_cptr(0)), CapType.CNODE, self._take_cnode())
        base = self._take(TYPES[CapType.DISPATCHER].granule)
        self._holdings[dcb.number] = Holding(space, base)
        self._by_base[base] = dcb
        endow(self._mdb, space.slot(SELF), CapType.DISPATCHER, base)
        endow(self._mdb, space.slot(CONSOLE), CapType.ID, CONSOLE)
        if monitor:
            endow(self._mdb, space.slot(KERNEL), CapType.KERNEL, self._machine.core.id)
            endow(self._mdb, space.slot(RAM), CapType.RAM, *self._ram)

    def endpoint(self, dcb: Dcb, address: int) -> tuple[Dcb, LocalBuffer]:
        """CapabilityError unless `address` names an EndPoint."""
        what = self._capability(dcb, address, CapType.END_POINT).resource
        target = self._by_base[what.base]
        return target, self._holdings[target.number].buffers[what.badge - 1]

    def bury(self, dcb: Dcb) -> None:
        """`dcb` has ended: give up its address space and its capabilities, tell the monitor in its name.  Its
        number and its Dispatcher object are not used again, so that no EndPoint or bell names another."""
        holding = self._holdings[dcb.number]
        for held in (holding.root, holding.cspace.root):
            if held is not None and held.alive:
                outcome = release(self._mdb, self._machine, held)
                self._settle(outcome)
                gone = (effect for effect in outcome.effects if isinstance(effect, ObjectGone))
                self._cnodes.extend(effect.base for effect in gone if effect.type is CapType.CNODE)
        if holding.to_monitor is not None:
            holding.to_monitor.messages.append(encode(Gone(dcb.number)))

    def memory_request(self, dcb: Dcb, address: int, request: CapRequest) -> Outcome:
        """A request on a memory capability; page tables, TLB and costs are taken care of."""
        outcome = invoke(self._holdings[dcb.number].cspace, self._mdb, self._machine, address, request)
        self._settle(outcome)
        return outcome

    def invoke(self, dcb: Dcb, address: int, request: Request[object]) -> object:
        """Carry out `request`.  Raises CapabilityError or LocalMisuse when it is refused."""
        self._machine.charge("cap_invoke")
        kind = type(request)
        if kind in self._anybodys:
            return self._anybodys[kind](dcb, address, request)
        self._capability(dcb, address, CapType.KERNEL)
        if kind not in self._monitors:
            raise LocalMisuse(f"not a request: {request!r}")
        return self._monitors[kind](request)

    # For any dispatcher

    def _open_window(self, dcb: Dcb, address: int, request: OpenWindow) -> Lines:
        frame = self._capability(dcb, address, CapType.FRAME)
        if not frame.rights & READ or not frame.rights & WRITE:
            refuse("rights", right="load and store")
        what, (offset, count) = frame.resource, (request.offset, request.count)
        if offset < 0 or offset + 64 * count > what.size:
            raise LocalMisuse(f"{count} lines from byte {offset} are not inside a frame of {what.size} bytes")
        return self._window(what.base + offset, count)

    def _address_of(self, dcb: Dcb, address: int, request: AddressOf) -> Seen:
        what = self._capability(dcb, address, CapType.FRAME).resource
        try:
            return Seen(what.base, self._machine.seen(what.base, what.size))
        except LookupError as problem:
            raise LocalMisuse(str(problem)) from None

    def _notify(self, dcb: Dcb, address: int, request: Notify) -> None:
        self._machine.charge("ipi_send")
        self._machine.ipi(self._capability(dcb, address, CapType.IRQ).resource.base)

    def _set_root(self, dcb: Dcb, address: int, request: SetRoot) -> None:
        self._capability(dcb, address, CapType.DISPATCHER)
        holding = self._holdings[dcb.number]
        found = holding.cspace.capability(request.table)
        info = found.resource.info
        if info.isa != self._driver.model.paging or info.level != 0:
            raise CapabilityError(f"{info.name} is no root table of {self._driver.model.isa}", code="wrong-type")
        if holding.root is not None:
            self._settle(release(self._mdb, self._machine, holding.root))
        holding.root = hold(found)
        dcb.root = found.resource.base
        self._machine.charge("context_switch")
        self._machine.install(dcb.root)

    def _emit(self, dcb: Dcb, address: int, request: Emit) -> None:
        self._capability(dcb, address, CapType.ID)
        self._machine.emit(request.event)

    def _next_input(self, dcb: Dcb, address: int, request: NextInput) -> Input | None:
        self._capability(dcb, address, CapType.ID)
        return self._machine.next_input()

    # For the monitor

    def _start_core(self, request: StartCore) -> None:
        if not self._driver.routes.known(request.core):
            raise LocalMisuse(f"core {request.core} is not in the core table")
        self._machine.charge("start_core")
        self._machine.start(request.core, request.channel, request.slots)

    def _open_raw(self, request: OpenRaw) -> Lines:
        return self._window(request.address, request.count)

    def _notify_core(self, request: NotifyCore) -> None:
        self._machine.charge("ipi_send")
        self._machine.ipi(request.core)

    def _knock_core(self, request: KnockCore) -> None:
        self._machine.charge("ipi_send")
        self._machine.knock(request.core)

    def _give_memory(self, request: GiveFrame | GiveRam) -> int:
        kind = CapType.FRAME if isinstance(request, GiveFrame) else CapType.RAM
        return self._give(request.holder, kind, request.base, request.size, request.rights)

    def _give_notify(self, request: GiveNotify) -> int:
        return self._give(request.holder, CapType.IRQ, request.core, 0, ALL_RIGHTS)

    def _range_of(self, request: RangeOf) -> MemoryRange:
        kind = CapType.RAM if request.ram else CapType.FRAME
        memory = self._capability(self._driver.dispatcher(request.holder), request.cptr, kind)
        if not memory.rights & GRANT:
            refuse("rights", right="be sent")
        return MemoryRange(memory.resource.base, memory.resource.size, memory.rights)

    def _wake(self, request: RunDispatcher | WakeDispatcher) -> None:
        self._driver.make_runnable(self._driver.dispatcher(request.number))

    def _drop_page(self, request: DropPage) -> None:
        holding = self._holdings.get(request.number)
        root = holding.root if holding is not None else None
        if root is not None and root.alive:
            self._settle(drop(root, self._machine, request.address))

    def _create(self, request: CreateDispatcher) -> int:
        if self._driver.next_number >= BELLS:
            raise LocalMisuse(f"core {self._machine.core.id} has bells for {BELLS - 1} dispatchers")
        self._machine.charge("create_dispatcher")
        monitor = self._driver.monitor
        if monitor is None:
            raise LocalMisuse("a dispatcher before the monitor")
        dcb = self._driver.create(request.name, self._load(self._driver.next_number, request))
        self.adopt(dcb, monitor=False)
        # Buffer 0 of every dispatcher is the monitor's; the monitor's buffer for it has its number.
        buffer = self._buffer(monitor, CLIENT_SLOTS)
        self._holdings[dcb.number].to_monitor = self._holdings[monitor.number].buffers[buffer]
        self._place_endpoint(dcb, MONITOR, monitor, buffer)
        cnode, number = divmod(dcb.number, CNODE_SLOTS)
        self._need_cnode(monitor, FIRST_CLIENT + cnode)
        address = cptr(FIRST_CLIENT + cnode, number)
        self._place_endpoint(monitor, address, dcb, self._buffer(dcb, CLIENT_SLOTS))
        return dcb.number

    def _connect(self, request: ConnectLocal) -> LocalPair:
        """Each gets a buffer and an EndPoint of the other's; the CPtr's upper half is the own buffer."""
        a, b = self._driver.dispatcher(request.a), self._driver.dispatcher(request.b)
        (own_a, to_b), (own_b, to_a) = self._side(a, request.slots), self._side(b, request.slots)
        self._place_endpoint(a, to_b, b, own_b)
        self._place_endpoint(b, to_a, a, own_a)
        return LocalPair(to_b | own_a << 32, to_a | own_b << 32)

    def _side(self, dcb: Dcb, slots: int) -> tuple[int, int]:
        """A buffer of `slots` messages and an empty slot: of a connection that was taken back, or new."""
        holding = self._holdings[dcb.number]
        if not holding.spare:
            return self._buffer(dcb, slots), self._slot(dcb)
        number, address = holding.spare.pop()
        holding.buffers[number] = dcb.user.buffers[number] = LocalBuffer(slots)
        return number, address

    def _disconnect(self, request: DisconnectLocal) -> None:
        dcb, side = self._driver.dispatcher(request.number), request.side
        address = side & 0xFFFF_FFFF
        self._settle(release(self._mdb, self._machine, self._capability(dcb, address, CapType.END_POINT)))
        if dcb is self._driver.monitor:
            self._holdings[dcb.number].spare.append((side >> 32, address))

    # Helpers

    def _capability(self, dcb: Dcb, address: int, kind: CapType) -> Capability:
        found = self._holdings[dcb.number].cspace.capability(address)
        if found.resource.type is not kind:
            raise CapabilityError(
                f"the capability at {address:#x} is {found.resource.info.name}, not {TYPES[kind].name}",
                code="wrong-type",
            )
        return found

    def _window(self, base: int, count: int) -> Lines:
        try:
            return self._machine.window(base, count)
        except LookupError as problem:
            raise LocalMisuse(str(problem)) from None

    def _take(self, size: int) -> int:
        """Driver memory."""
        base = -(-self._free // size) * size if size & size - 1 == 0 else self._free
        if base + size > self._end:
            raise LocalMisuse(f"core {self._machine.core.id}: the driver's memory is used up")
        self._free = base + size
        return base

    def _slot(self, dcb: Dcb) -> int:
        holding = self._holdings[dcb.number]
        cnode, number = divmod(holding.next_slot, CNODE_SLOTS)
        self._need_cnode(dcb, cnode)
        holding.next_slot += 1
        return cptr(cnode, number)

    def _need_cnode(self, dcb: Dcb, number: int) -> None:
        """See to it that slot `number` of the dispatcher's root holds a CNode."""
        space = self._holdings[dcb.number].cspace
        if number not in space.root.resource.slots:
            endow(self._mdb, space.slot(root_cptr(number)), CapType.CNODE, self._take_cnode())

    def _take_cnode(self) -> int:
        """Memory for a CNode: one whose owner has ended, or new."""
        return self._cnodes.pop() if self._cnodes else self._take(TYPES[CapType.CNODE].granule)

    def _give(self, holder: int, kind: CapType, base: int, size: int, rights: int) -> int:
        dcb = self._driver.dispatcher(holder)
        address = self._slot(dcb)
        self._machine.charge("cap_copy")
        endow(self._mdb, self._holdings[holder].cspace.slot(address), kind, base, size, rights)
        return address

    def _buffer(self, dcb: Dcb, slots: int) -> int:
        buffer = LocalBuffer(slots)
        holding = self._holdings[dcb.number]
        holding.buffers.append(buffer)
        dcb.user.buffers.append(buffer)
        return len(holding.buffers) - 1

    def _place_endpoint(self, holder: Dcb, address: int, target: Dcb, buffer: int) -> None:
        slot = self._holdings[holder.number].cspace.slot(address)
        endow(self._mdb, slot, CapType.END_POINT, self._holdings[target.number].base, badge=buffer + 1)

    def _settle(self, outcome: Outcome) -> None:
        for charge in outcome.costs:
            self._machine.charge(charge.name, charge.times)
        for effect in outcome.effects:
            if isinstance(effect, InvalidateTlb):
                self._machine.charge("tlb_invalidate", min(-(-effect.size // PAGE), FLUSH_PAGES))
                self._machine.invalidate(effect.root, effect.va, effect.size)
