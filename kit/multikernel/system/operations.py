"""Every operation code on a core can wait for; the one file in which anything suspends.

An operation is an object that yields itself to whoever drives the coroutine and is answered with its
result.  Three kinds, by who answers:

    user level   the dispatcher itself: `Park`, `Reschedule`; never seen by the machine
    hardware     the machine, without the CPU driver: compute, memory, clock, polling
    traps        the CPU driver: invocations, local messages, yield, block

Every operation costs time where time is simulated; a hardware operation may be interrupted and is
then carried out again from its beginning, or for what remains of it (`Compute`).

May not know: the dispatcher, the driver, any platform.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from multikernel.system.caps.effects import Outcome
from multikernel.system.words import Words

if TYPE_CHECKING:
    from multikernel.events import Witnessed
    from multikernel.system.caps.requests import CapRequest
    from multikernel.system.requests import Request

T_co = TypeVar("T_co", covariant=True)


class Operation(Generic[T_co]):
    """Something to `await`; the result is of type T_co."""

    __slots__ = ()
    level: ClassVar[str] = "hardware"

    def __await__(self) -> Generator[Operation[object], Any, T_co]:
        result: T_co = yield self
        return result


# Hardware


class Compute(Operation[None]):
    """Keep the core busy for `cycles`.  Divisible: the timer can land inside."""

    __slots__ = ("cycles",)

    def __init__(self, cycles: int) -> None:
        self.cycles = cycles


class Spend(Operation[None]):
    """A named cost of the core kind, `times` over: code of the system itself, not divisible."""

    __slots__ = ("name", "times")

    def __init__(self, name: str, times: int = 1) -> None:
        self.name = name
        self.times = times


class Clock(Operation[int]):
    """Nanoseconds since boot."""

    __slots__ = ()


class Cycles(Operation[int]):
    """Cycles of this core since boot."""

    __slots__ = ()


class Draw(Operation[int]):
    """A number below `bound` from the core's own seeded stream."""

    __slots__ = ("bound",)

    def __init__(self, bound: int) -> None:
        self.bound = bound


class LoadLine(Operation[bytes]):
    """The 64 bytes of a line of physical memory at `address`."""

    __slots__ = ("address", "cached")

    def __init__(self, address: int, cached: bool) -> None:
        self.address = address
        self.cached = cached


class StoreLine(Operation[None]):
    """Write a line; visible to other cores later, in order."""

    __slots__ = ("address", "cached", "data")

    def __init__(self, address: int, cached: bool, data: bytes) -> None:
        self.address = address
        self.cached = cached
        self.data = data


class LoadWords(Operation[Words]):
    """A line of physical memory at `address` as the core's loads give it: words of its registers, in its byte
    order.  For cores whose registers are not the wire's (`system/words.py`); refused on others."""

    __slots__ = ("address", "cached")

    def __init__(self, address: int, cached: bool) -> None:
        self.address = address
        self.cached = cached


class StoreWords(Operation[None]):
    """Write a line by stores of the core's words; visible as `StoreLine`.  Refused for a word that does not
    fit the core's registers, and on cores with the wire's own."""

    __slots__ = ("address", "cached", "words")

    def __init__(self, address: int, cached: bool, words: Words) -> None:
        self.address = address
        self.cached = cached
        self.words = words


class Maintain(Operation[None]):
    """Cache maintenance by address: write back (`clean`) or drop this core's view of a line."""

    __slots__ = ("address", "clean")

    def __init__(self, address: int, clean: bool) -> None:
        self.address = address
        self.clean = clean


class Fence(Operation[None]):
    """Wait until every store of this core is visible."""

    __slots__ = ()


class Access(Operation[int]):
    """A load (`value` None) or store of an 8-byte word through the MMU, in the core's byte order; a fault goes
    to the driver and the access is carried out again when the dispatcher is resumed."""

    __slots__ = ("address", "value")

    def __init__(self, address: int, value: int | None = None) -> None:
        self.address = address
        self.value = value


class CompareAndSwap(Operation[bool]):
    """Store `new` at `address` if `old` is there, atomically among the cores of one island."""

    __slots__ = ("address", "new", "old")

    def __init__(self, address: int, old: int, new: int) -> None:
        self.address = address
        self.old = old
        self.new = new


class Audit(Operation[int]):
    """Ask the platform's model of the hardware, which sees all cores at once, on how many of them a
    dispatcher of `process` could still translate `address`.  Free of cost; -1 where there is no model."""

    __slots__ = ("address", "process")

    def __init__(self, process: str, address: int) -> None:
        self.process = process
        self.address = address


class Step(Operation[None]):
    """A consistency protocol is about to carry out `effect`, which came of `cause`: what a platform counts, and where
    it can strike with a fault.  Takes no time.  Said only where `Environment.observed`."""

    __slots__ = ("cause", "effect", "protocol")

    def __init__(self, protocol: str, cause: str, effect: str) -> None:
        self.protocol = protocol
        self.cause = cause
        self.effect = effect


class Witness(Operation[None]):
    """Tell the outside `event`, whose time is when it is told.  Takes no time; said only where `Environment.observed`,
    for who judges a run by what happened in it."""

    __slots__ = ("event",)

    def __init__(self, event: Witnessed) -> None:
        self.event = event


class PollWait(Operation[int]):
    """Spin over the watches armed in this dispatcher's poller until one is true or `until_ns` is
    reached (None: no end of its own).  Answers the key of the watch, -1 at the end."""

    __slots__ = ("until_ns",)

    def __init__(self, until_ns: int | None) -> None:
        self.until_ns = until_ns


# Traps


class Trap(Operation[T_co]):
    """Enters the CPU driver.  A refusal raises the driver's error at the `await`."""

    __slots__ = ()
    level: ClassVar[str] = "trap"


class Yield(Trap[bool]):
    """Give the rest of the time slice away.  Answers whether anybody took it."""

    __slots__ = ()


class Block(Trap[None]):
    """Not runnable until a local message, a wake-up by the monitor or `until_ns`.  Refused (returns
    at once) when a message or wake-up has come since the dispatcher last looked."""

    __slots__ = ("until_ns",)

    def __init__(self, until_ns: int | None) -> None:
        self.until_ns = until_ns


class IdleCore(Trap[bool]):
    """The monitor has nothing to poll for: let the other runnable dispatchers run, or else sleep until an
    interrupt.  Answers whether there were any."""

    __slots__ = ("until_ns",)

    def __init__(self, until_ns: int | None) -> None:
        self.until_ns = until_ns


class SendLocal(Trap[bool]):
    """A local message (LMP) of at most 56 bytes to an EndPoint capability: True when accepted,
    False when its buffer is full.  With `direct` (LRPC) the driver switches to the receiver at once."""

    __slots__ = ("cptr", "direct", "payload")

    def __init__(self, cptr: int, payload: bytes, direct: bool = False) -> None:
        self.cptr = cptr
        self.payload = payload
        self.direct = direct


class Invoke(Trap[T_co]):
    """A capability invocation: `request` (`system/requests.py`) on the capability at `cptr`."""

    __slots__ = ("cptr", "request")

    def __init__(self, cptr: int, request: Request[T_co]) -> None:
        self.cptr = cptr
        self.request = request


class InvokeCap(Trap[Outcome]):
    """A request on a memory capability (`system/caps/requests.py`)."""

    __slots__ = ("cptr", "request")

    def __init__(self, cptr: int, request: CapRequest) -> None:
        self.cptr = cptr
        self.request = request


class Exit(Trap[object]):
    """The dispatcher is done; it is never run again."""

    __slots__ = ()


class RaiseTrap(Trap[None]):
    """A processor exception raised by code (`number`), delivered to the dispatcher's trap entry."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


# User level


class UserLevel(Operation[T_co]):
    """Handled by the dispatcher's own thread scheduler."""

    __slots__ = ()
    level: ClassVar[str] = "user"


class Park(UserLevel[T_co]):
    """Stop this thread until `Dispatcher.wake(thread, value)`; answers `value`."""

    __slots__ = ()


class Reschedule(UserLevel[None]):
    """Let other runnable threads of this dispatcher go first."""

    __slots__ = ()


class Window:
    """`count` lines of physical memory at `address`, and their maintenance by operations: what the simulator
    gives out."""

    __slots__ = ("address", "cached", "coherent", "count")

    def __init__(self, address: int, count: int, cached: bool, coherent: bool) -> None:
        self.address = address
        self.count = count
        self.cached = cached
        self.coherent = coherent

    def _line(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"line {index} of a window of {self.count}")
        return self.address + 64 * index

    def clean(self, index: int) -> Maintain:
        return Maintain(self._line(index), clean=True)

    def invalidate(self, index: int) -> Maintain:
        return Maintain(self._line(index), clean=False)

    def fence(self) -> Fence:
        return Fence()


class WindowLines(Window):
    """A window moved as lines.  See `interfaces.Lines`."""

    __slots__ = ()

    def load(self, index: int) -> LoadLine:
        return LoadLine(self._line(index), self.cached)

    def store(self, index: int, line: bytes) -> StoreLine:
        return StoreLine(self._line(index), self.cached, line)


class WindowWords(Window):
    """A window moved as words of the core's registers.  See `words.WordAccess`."""

    __slots__ = ()

    def load(self, index: int) -> LoadWords:
        return LoadWords(self._line(index), self.cached)

    def store(self, index: int, words: Words) -> StoreWords:
        return StoreWords(self._line(index), self.cached, words)
