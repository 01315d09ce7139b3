"""The simulation engine in Python: integer time, one queue, one actor a simulated core.  Oracle of the one in C.

    engine = Engine(seed=1)
    actor = engine.actor(0)
    actor.start(program(actor))      # a coroutine
    engine.run()                     # until nothing is left to happen

Time is integer picoseconds (a cycle of 2.66 GHz is no whole number of nanoseconds).  There are two
clocks: `engine.now`, the time of the event being handled, and `actor.clock`, a core's own time, which
runs ahead of it: `spend` only advances the clock, at no event.  A core touches what it shares with
others only where the two agree: after `sync`, `wait` or `block`.

Queue: a window of 2**_SHIFT picoseconds is a list, appended to and stable-sorted once when its turn
comes; the windows that exist stand in a heap of integers.  What falls into the window being handled
is inserted behind its equals.  Hence events of one time are handled in the order they were queued.

Invariants: events are handled in order of (time, order of queueing); nothing is queued in the past;
no set, `id()`, float or shared generator decides anything, so a seed determines the run.

May not know: memory, messages' meaning, the kernel above, real time.
"""

from __future__ import annotations

from bisect import insort_right
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from hashlib import sha256
from heapq import heappop, heappush
from operator import itemgetter
from struct import Struct
from types import coroutine
from typing import NoReturn, TypeAlias, TypeVar

from mk_sim.engine_errors import EngineError, raised
from mk_sim.stream import Stream
from multikernel.errors import LocalMisuse

_SHIFT = 16
"""log2 of a window's width in ps: 66 ns, about the least latency between cores of any board.  Order does not depend
on it, speed does: measured best among 14 to 18 (tests/benchmarks/engine.py)."""
_BATCH = 1024
"""Deliveries hashed at a time."""
_HEADER = Struct("<QIII")
"""A delivery in the digest: time in ps, source (its low 32 bits), target, bytes of data; then the data."""
_LOW = 0xFFFF_FFFF

_T = TypeVar("_T")
_Event: TypeAlias = tuple[int, Callable[..., None], object]
_Trace: TypeAlias = Callable[[int, int, int, bytes], None]
_time = itemgetter(0)


class _Halt(Exception):
    """Ends `run`; raised by an event, so never seen by code on a core."""


def _halt(_: int) -> None:
    raise _Halt


def _ended(_: object) -> NoReturn:
    """What an actor without a coroutine runs."""
    raise LocalMisuse("no coroutine runs on this core, there is nothing to resume")


class Engine:
    """The queue, the global clock and the digest.  `trace`, if set, is called with every delivery:
    (time in ps, source, target, data).  `events` counts the events handled by runs that have returned,
    `deliveries` those so far."""

    __slots__ = (
        "_actors", "_batch", "_current", "_hash", "_order", "_window", "_windows",
        "deliveries", "events", "now", "seed", "trace",
    )  # fmt: skip

    def __init__(self, seed: int, digest: bool = True) -> None:
        self.seed = seed
        self.now = 0
        self.deliveries = 0
        self.events = 0
        self.trace: _Trace | None = None
        self._actors: dict[int, Actor] = {}
        self._windows: dict[int, list[_Event]] = {}
        self._order: list[int] = []
        self._window = -1
        self._current: list[_Event] = []
        self._hash = sha256() if digest else None
        self._batch: list[bytes] = []

    def actor(self, number: int) -> Actor:
        """The actor of this number, made on first use."""
        found = self._actors.get(number)
        if found is None:
            found = self._actors[number] = Actor(self, number)
        return found

    def at(self, time: int, call: Callable[[_T], None], argument: _T) -> None:
        """Call `call(argument)` when global time is `time` ps, after what is already queued for that
        time.  Raises LocalMisuse for a time before `now`."""
        if time < self.now:
            raise LocalMisuse(f"event queued at {time} ps, which is before now, {self.now} ps")
        window = time >> _SHIFT
        if window in self._windows:
            self._windows[window].append((time, call, argument))
        elif window != self._window:
            self._windows[window] = [(time, call, argument)]
            heappush(self._order, window)
        else:
            insort_right(self._current, (time, call, argument), key=_time)

    def run(self, until: int | None = None) -> None:
        """Handle events until none is left, `stop` was called, or global time is `until`: then every
        event before `until` was handled, none at or after it, and `now` is `until`.  May be called again.
        Raises EngineError when code on a core raised; the run may be continued without that core."""
        if until is not None:
            if until < self.now:
                raise LocalMisuse(f"run until {until} ps, which is before now, {self.now} ps")
            halt: _Event = (until, _halt, 0)
            self._windows.setdefault(until >> _SHIFT, []).insert(0, halt)
            heappush(self._order, until >> _SHIFT)
        order, windows = self._order, self._windows
        remaining = iter(self._current)
        try:
            while order:
                window = heappop(order)
                events = windows.pop(window, None)
                if events is None:  # pushed twice by `until`
                    continue
                if len(events) > 1:
                    events.sort(key=_time)
                self.events += len(self._current)
                self._window, self._current = window, events
                remaining = iter(events)  # a list's iterator sees what is inserted behind it
                for time, call, argument in remaining:
                    self.now = time
                    call(argument)
        except _Halt:
            pass
        finally:
            self._put_back(list(remaining), until)

    def _put_back(self, events: list[_Event], until: int | None) -> None:
        """Queue again what an interrupted window had left, ahead of nothing else, and forget `until`."""
        self.events += len(self._current) - len(events)
        window, self._window, self._current = self._window, -1, []
        events = [event for event in events if event[1] is not _halt]
        if events:
            self._windows[window] = events
            heappush(self._order, window)
        if until is not None:
            ahead = self._windows.get(until >> _SHIFT, [])
            ahead[:] = [event for event in ahead if event[1] is not _halt or event[0] != until]

    def stop(self) -> None:
        """End `run` when the events already queued for this very time are handled."""
        self.at(self.now, _halt, 0)

    def delivered(self, source: int, target: int, data: bytes) -> None:
        """Feed (now, source, target, data) to the digest and the trace."""
        self.deliveries += 1
        if self.trace is not None:
            self.trace(self.now, source, target, data)
        if self._hash is not None:
            batch = self._batch
            batch.append(_HEADER.pack(self.now, source & _LOW, target, len(data)))
            batch.append(data)
            if len(batch) >= 2 * _BATCH:
                self._hash.update(b"".join(batch))
                batch.clear()

    @property
    def keeps_digest(self) -> bool:
        """Whether deliveries are hashed or traced."""
        return self._hash is not None or self.trace is not None

    @property
    def digest(self) -> str:
        """SHA-256 over every delivery so far, in hex; empty if the engine keeps none."""
        if self._hash is None:
            return ""
        self._hash.update(b"".join(self._batch))
        self._batch.clear()
        return self._hash.hexdigest()

    def waiting(self) -> tuple[int, ...]:
        """Numbers of the actors whose coroutine has not ended, ascending.  After `run` returned with
        nothing left to happen they wait for ever."""
        return tuple(number for number, actor in sorted(self._actors.items()) if actor.alive)


class Actor:
    """One simulated core: a coroutine, a clock that runs ahead, a random stream.  Made by the engine."""

    __slots__ = ("_alarm", "_deadline", "_pending", "_send", "_waiting", "clock", "engine", "number", "random")

    def __init__(self, engine: Engine, number: int) -> None:
        self.engine = engine
        self.number = number
        self.clock = 0
        self.random = Stream(engine.seed, number)
        self._send: Callable[[object], object] = _ended
        self._waiting = False
        self._pending = 0
        self._deadline: int | None = None
        self._alarm: int | None = None

    @property
    def alive(self) -> bool:
        """A coroutine was started and has not ended."""
        return self._send is not _ended

    def start(self, program: Coroutine[object, object, object]) -> None:
        """Run `program` from now.  Raises LocalMisuse while another runs."""
        if self.alive:
            raise LocalMisuse(f"core {self.number} already runs a coroutine")
        self._send = program.send
        self.engine.at(self.engine.now, self.resume, None)

    def spend(self, ps: int) -> None:
        """Run ahead: the clock advances, nothing else happens (`clock += ps` is as good)."""
        self.clock += ps

    def resume(self, value: object) -> None:
        """Continue the coroutine, which is in `block`, with `value`, now.  Called by events only."""
        now = self.engine.now
        if self.clock < now:
            self.clock = now
        try:
            self._send(value)
        except StopIteration:
            self._send = _ended
        except Exception as error:  # code of a core is a plugin's
            self._raised(error)

    def _raised(self, error: Exception) -> NoReturn:
        """The coroutine ended in an exception: say where and when, and pass it on."""
        self._send = _ended
        if isinstance(error, EngineError):
            raise error
        raise raised(self.number, self.clock, error)

    @coroutine
    def block(self) -> Generator[None, object, object]:
        """Suspend until an event calls `resume`; returns its value.  Pokes do not end it."""
        return (yield)

    @coroutine
    def sync(self) -> Generator[None, object, None]:
        """Suspend until global time has reached the clock: then shared state may be touched."""
        if self.clock > self.engine.now:
            self.engine.at(self.clock, self.resume, None)
            yield

    @coroutine
    def wait(self, deadline: int | None) -> Generator[None, object, int]:
        """Suspend until poked or until `deadline` ps, and in any case until global time has reached the
        clock.  Returns the values poked since the last wait, or-ed, or 0 at the deadline."""
        engine = self.engine
        if self.clock > engine.now or not (self._pending or (deadline is not None and deadline <= engine.now)):
            self._deadline = deadline
            self._waiting = True
            if self._pending:
                engine.at(self.clock, self._check, 0)
            elif deadline is not None:
                due = max(deadline, self.clock)
                if self._alarm is None or due < self._alarm:
                    self._alarm = due
                    engine.at(due, self._ring, due)
            yield
        pending, self._pending = self._pending, 0
        return pending

    def poke(self, value: int, time: int) -> None:
        """Wake the actor at `time` ps, with `value` (not 0).  If it does not wait then, its next wait
        returns at once.  Raises LocalMisuse for a value of 0 or a time before now."""
        if not value:
            raise LocalMisuse("a poke's value must not be 0")
        self.engine.at(time, self._poked, value)

    def _poked(self, value: int) -> None:
        self._pending |= value
        self._check(0)

    def _check(self, _: int) -> None:
        """Wake if there is a reason to; if the clock is ahead, when global time has reached it."""
        if not self._waiting:
            return
        now = self.engine.now
        if self.clock > now:
            self.engine.at(self.clock, self._check, 0)
        elif self._pending or (self._deadline is not None and self._deadline <= now):
            self._waiting = False
            self.resume(None)

    def _ring(self, due: int) -> None:
        """The alarm.  There is one in the queue at a time, if deadlines only grow: it sets the next."""
        if self._alarm == due:
            self._alarm = None
        self._check(0)
        if self._waiting and self._deadline is not None and self._alarm is None:
            self._alarm = max(self._deadline, self.clock, due + 1)
            self.engine.at(self._alarm, self._ring, self._alarm)


class Port:
    """Where messages for an actor arrive, each after a latency its sender states: no memory, no window.
    For programs of the bare engine; a simulated core's channels are lines of its memory.

    `send` and `take`, ps, are what a message costs the core that sends it, before it leaves, and the core that takes
    it: the overhead of LogP (Culler et al., PPoPP 1993)."""

    __slots__ = ("_arrived", "_engine", "_logs", "_receive", "_send", "_take", "_waiting", "actor")

    def __init__(self, actor: Actor, send: int = 0, take: int = 0) -> None:
        self.actor = actor
        self._send = send
        self._take = take
        self._engine = actor.engine
        self._arrived: deque[tuple[int, bytes]] = deque()
        self._waiting = False
        self._logs = actor.engine.keeps_digest
        self._receive: Callable[..., None] = self._logged if self._logs else self._plain

    def send(self, port: Port, message: bytes, latency: int) -> None:
        """Send `message` to `port`, to arrive `latency` ps, at least 0, after the sender's clock, which advances by
        what sending takes.  Never waits."""
        engine = self._engine
        self.actor.clock += self._send
        time = self.actor.clock + latency
        event: _Event = (time, port._receive, (self.actor.number, message) if self._logs else message)
        window = time >> _SHIFT  # `Engine.at`, written out: this is the hot path
        windows = engine._windows
        if window in windows:
            windows[window].append(event)
        elif window != engine._window:
            windows[window] = [event]
            heappush(engine._order, window)
        else:
            insort_right(engine._current, event, key=_time)

    def _logged(self, arrival: tuple[int, bytes]) -> None:
        source, message = arrival
        self._engine.delivered(source, self.actor.number, message)
        self._plain(message)

    def _plain(self, message: bytes) -> None:
        now = self._engine.now
        if not self._waiting:
            self._arrived.append((now, message))
            return
        self._waiting = False
        actor = self.actor
        if actor.clock < now:
            actor.clock = now
        try:
            actor._send(message)  # `Actor.resume`, written out
        except StopIteration:
            actor._send = _ended
        except Exception as error:  # as in `resume`
            actor._raised(error)

    def __await__(self) -> Generator[None, bytes, bytes]:
        """The next message, in order of arrival; the clock is then at least its arrival and what taking it takes.
        The message is handled at the clock, which may run ahead of global time."""
        if self._arrived:
            arrival, message = self._arrived.popleft()
            if arrival > self.actor.clock:
                self.actor.clock = arrival
        else:
            self._waiting = True
            message = yield
        self.actor.clock += self._take
        return message
