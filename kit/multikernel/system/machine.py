"""The machine contract, and the part of it that every Python platform shares.

    run(dcb, until_ns) -> Trap | Faulted | TimerFired | Interrupted
    idle(until_ns)     -> TimerFired | Interrupted
    ipi(core)   knock(core)   start(core, channel, slots)   charge(cost)   install(root)

`run` executes the dispatcher's user half until something needs the CPU driver.  An interrupt or the
timer lands between two operations or inside a divisible one, which is then handed out again when the
context is resumed.  Nothing on a core runs but through its driver.

A platform subclasses `Machine` and gives the hardware operations.  May not know: the driver, monitors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from multikernel.system.dispatcher import Context, PageFault, UserDispatcher
from multikernel.system.operations import Operation, Trap

if TYPE_CHECKING:
    from multikernel.blueprint import CoreEntry, CoreKind
    from multikernel.events import Event
    from multikernel.interfaces import Lines
    from multikernel.system.dispatcher import Poller
    from multikernel.system.requests import Input


@dataclass(frozen=True, slots=True)
class Faulted:
    """An access through the MMU faulted."""

    fault: PageFault


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time given to `run` or `idle` is over."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Another core (or a device) interrupted this one."""


Hardware: TypeAlias = Trap[object] | Faulted | TimerFired | Interrupted
"""What the CPU driver handles: a trap that the dispatcher executed, or what else comes."""


@dataclass(slots=True, eq=False)
class Dcb:
    """Dispatcher control block: what the CPU driver keeps of a dispatcher.

    Exactly one of: running (no area full), preempted enabled (`enabled_area`), preempted disabled
    (`disabled_area`), or waiting for its next run upcall (no area full, not running).  `pending` says that
    a message or wake-up has come since the dispatcher last looked."""

    number: int
    name: str
    user: UserDispatcher
    root: int = 0
    runnable: bool = False
    running: bool = False
    pending: bool = False
    exited: bool = False
    wake_ns: int | None = None
    enabled_area: Context | None = None
    disabled_area: Context | None = None


Handler: TypeAlias = Callable[[Operation[object], UserDispatcher, "int | None"], Awaitable["Hardware | None"]]


class Machine(ABC):
    """The hardware of one core.  `handlers` maps each hardware operation to the method that carries it
    out: it answers the user half and gives None, or gives the event that interrupted it."""

    core: CoreEntry
    kind: CoreKind
    handlers: Mapping[type[Operation[object]], Handler]

    def run(self, dcb: Dcb, until_ns: int | None) -> Awaitable[Hardware]:
        """Run `dcb` until an event for the driver; `until_ns` is the end of its time slice, or None."""
        return self._run(dcb, until_ns)

    async def _run(self, dcb: Dcb, until_ns: int | None) -> Hardware:
        user, handlers = dcb.user, self.handlers
        while True:
            if self.interrupted():
                return Interrupted()
            if until_ns is not None and self.now_ns() >= until_ns:
                return TimerFired()
            operation = user.step()
            if isinstance(operation, Trap):
                return operation
            event = await handlers[type(operation)](operation, user, until_ns)
            if event is not None:
                return event

    def poll_ns(self) -> int:
        """How long to poll before blocking: as long as blocking and waking costs, which is never more than
        twice the better choice (Karlin et al., SOSP 1991)."""
        cycles = next((cost.cycles for cost in self.kind.costs if cost.name == "block_and_wake"), 6000)
        return cycles * 1000 // self.kind.mhz

    @abstractmethod
    def now_ns(self) -> int:
        """Nanoseconds since boot."""

    @abstractmethod
    def interrupted(self) -> bool:
        """An interrupt is pending; asking acknowledges it."""

    @abstractmethod
    async def idle(self, until_ns: int | None) -> Hardware:
        """Halt until an interrupt or `until_ns`."""

    @abstractmethod
    def charge(self, cost: str, times: int = 1) -> None:
        """The CPU driver did work that costs `cost` of the core kind's table, `times` over."""

    @abstractmethod
    def ipi(self, core: int) -> None:
        """Interrupt `core`."""

    @abstractmethod
    def knock(self, core: int) -> None:
        """Interrupt `core` by a vector of its own, which `knocked` tells from others."""

    @abstractmethod
    def knocked(self) -> bool:
        """Whether an interrupt of that vector has come; asking acknowledges it."""

    @abstractmethod
    def start(self, core: int, channel: int, slots: int) -> None:
        """Release `core`, which begins in its CPU driver and finds its boot channel at `channel`."""

    @abstractmethod
    def install(self, root: int) -> None:
        """Switch the address space to the page tables at `root` (0: none)."""

    @abstractmethod
    def invalidate(self, root: int, address: int, size: int) -> None:
        """Drop the translations of `size` bytes from `address` from the TLB."""

    @abstractmethod
    def read(self, address: int, size: int) -> bytes:
        """Physical memory, for the driver's page tables."""

    @abstractmethod
    def write(self, address: int, data: bytes) -> None:
        """Physical memory, for the driver's page tables."""

    def zero(self, address: int, size: int) -> None:
        """Clear physical memory."""
        self.write(address, bytes(size))

    @abstractmethod
    def window(self, address: int, count: int) -> Lines:
        """`count` lines of physical memory at `address` as this core sees them.  LookupError when
        this core's address space does not reach them."""

    def seen(self, address: int, size: int) -> int:
        """The address by which code of this core, untranslated, reaches `size` bytes of physical memory at
        `address`: the same, where a platform ignores views.  LookupError when its space has none."""
        return address

    @abstractmethod
    def poller(self) -> Poller:
        """An empty poll array for a new dispatcher."""

    @abstractmethod
    def next_input(self) -> Input | None:
        """The next thing the outside wants; only the boot core has a console."""

    @abstractmethod
    def emit(self, event: Event) -> None:
        """Report to the outside."""
