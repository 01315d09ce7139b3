"""The processes of an instance: a zygote forked from the caller, and a core forked from it for each place.

    cores = Cores(places, body)     body(core, report) runs in the core's own process, pinned
    cores.next(timeout_ns)          -> Report | Exited | None, in the order things happened
    cores.stop()                    everything is gone when it returns; idempotent

The zygote is the one thread that forks, so cores start in about half a millisecond with all imports done,
and it stays to watch them.  Whoever dies, nobody is left:

    a core              the zygote sees its pidfd and reports Exited; the others go on
    the zygote          the kernel kills the cores (PR_SET_PDEATHSIG); `next` gives Exited for each
    the caller          its end of the socket closes; the zygote kills the cores and ends
    Ctrl-C              only the caller sees it: zygote and cores ignore SIGINT

One socket pair joins all: cores and the zygote write datagrams, the caller reads them, and its shutting
down is the order to end.  The last process to go closes the other end, so the end of file proves that
nothing is left.  A report waits while the caller does not read and some 200 KB are under way.

May not know: what cores do, what they report.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import struct
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn, TypeAlias

from multikernel.errors import LocalMisuse

PART = 60_000
"""Bytes of a datagram; it has to fit the socket's buffer (net.core.wmem_default, 212992).  A longer
report is sent in parts."""
GRACE_NS = 5_000_000_000
"""How long `stop` waits for the zygote to end its cores before it kills it."""
_PR_SET_PDEATHSIG = 1
"""include/uapi/linux/prctl.h"""
_HEAD = struct.Struct("<BI")
"""Of a datagram: what it is, and the core it is about."""
_PART, _REPORT, _RAISED, _EXITED = range(4)

_libc = ctypes.CDLL(None, use_errno=True)


class Place(NamedTuple):
    """Core number `core` runs on CPU `cpu`.  Several cores may share a CPU."""

    core: int
    cpu: int


class Report(NamedTuple):
    """What a core handed to its `report`."""

    core: int
    data: bytes


class Exited(NamedTuple):
    """The process of `core` is gone; `reason` is empty when its body returned, `trace` the traceback
    when it raised."""

    core: int
    reason: str
    trace: str = ""


ReportFunction: TypeAlias = Callable[[bytes], None]
Body: TypeAlias = Callable[[int, ReportFunction], None]


def places(cores: Sequence[int]) -> tuple[Place, ...]:
    """The cores dealt over the CPUs this process may use, in order."""
    cpus = sorted(os.sched_getaffinity(0))
    return tuple(Place(core, cpus[index % len(cpus)]) for index, core in enumerate(cores))


class Cores:
    """See the module.  Making one forks."""

    def __init__(self, where: Sequence[Place], body: Body) -> None:
        self._left = dict.fromkeys(place.core for place in where)
        self._found: deque[Report | Exited] = deque()
        self._parts: dict[int, bytes] = {}
        self._traces: dict[int, str] = {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            self.zygote = _fork()
            if self.zygote == 0:
                _zygote(where, body, theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._socket: socket.socket | None = ours

    def __enter__(self) -> Cores:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> tuple[int, ...]:
        """The cores whose end has not been read yet."""
        return tuple(self._left)

    def fileno(self) -> int:
        """For `select`: readable when `next` has something."""
        if self._socket is None:
            raise LocalMisuse("the cores are stopped")
        return self._socket.fileno()

    def next(self, timeout_ns: int) -> Report | Exited | None:
        """What happened next; None when nothing did in that time, or nothing ever will again."""
        if self._found:
            return self._found.popleft()
        if self._socket is None:
            return None
        if not select.select([self._socket], [], [], timeout_ns / 1_000_000_000)[0]:
            return None
        if found := self._read(self._socket):
            return found
        self._end()
        return self._found.popleft() if self._found else None

    def stop(self) -> None:
        """Kill what still runs and wait until it is gone.  What was reported stays to be read."""
        ours = self._socket
        if ours is None:
            return
        end = time.monotonic_ns() + GRACE_NS
        try:
            ours.shutdown(socket.SHUT_WR)
            ours.settimeout(GRACE_NS / 1_000_000_000)
            while time.monotonic_ns() < end and (found := self._read(ours)):
                self._found.append(found)
        except TimeoutError:
            pass
        finally:
            self._end()

    def _read(self, ours: socket.socket) -> Report | Exited | None:
        while True:
            try:
                data = ours.recv(PART + _HEAD.size)
            except ConnectionResetError:
                return None
            if not data:
                return None
            kind, core = _HEAD.unpack_from(data)
            if kind == _PART:
                self._parts[core] = self._parts.get(core, b"") + data[_HEAD.size :]
                continue
            if kind == _REPORT:
                return Report(core, self._parts.pop(core, b"") + data[_HEAD.size :])
            text = data[_HEAD.size :].decode(errors="replace")
            if kind == _EXITED:
                self._left.pop(core, None)
                trace = self._traces.pop(core, "")
                return Exited(core, f"raised {trace.splitlines()[-1]}" if trace else text, trace)
            self._traces[core] = text

    def _end(self) -> None:
        """The other end is closed, or is not believed in any more: the zygote goes, its cores with it."""
        try:
            os.kill(self.zygote, signal.SIGKILL)
            status = os.waitpid(self.zygote, 0)[1]
        except (ProcessLookupError, ChildProcessError):
            status = 0
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for core in self._left:
            self._found.append(Exited(core, f"its zygote was {_reason(status) or 'gone'}"))
        self._left.clear()


def _fork() -> int:
    with warnings.catch_warnings():
        # Since 3.12 a fork among threads warns: the child could wait for a lock another thread held.
        # The zygote takes none of the caller's: it reads no stream, logs nothing and never returns.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _reason(status: int) -> str:
    """A wait status in words, empty for an orderly end."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with status {code}" if code else ""


def _zygote(where: Sequence[Place], body: Body, theirs: socket.socket) -> NoReturn:
    """Fork the cores, watch them, end with the last."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _keep_only(theirs.fileno())
        gc.freeze()
        _watch(where, body, theirs)
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        pass  # the caller is gone; our end takes the cores along
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _keep_only(descriptor: int) -> None:
    """Close whatever else came with the fork: an end of another instance's socket held open here would
    keep that instance from noticing a death.  Input is empty, output goes where errors go."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2 if _is_open(2) else null, 1)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _watch(where: Sequence[Place], body: Body, theirs: socket.socket) -> None:
    poll = select.poll()
    poll.register(theirs, select.POLLIN)
    watched: dict[int, tuple[int, Place]] = {}

    def gone(place: Place, reason: str) -> None:
        theirs.send(_HEAD.pack(_EXITED, place.core) + reason.encode())

    zygote = os.getpid()
    for place in where:
        try:
            child = os.fork()
        except OSError as error:
            gone(place, f"not started: {error.strerror}")
            continue
        if child == 0:
            _core(place, body, theirs, zygote)
        descriptor = os.pidfd_open(child)
        watched[descriptor] = child, place
        poll.register(descriptor, select.POLLIN)
    while watched:
        for descriptor, _ in poll.poll():
            if descriptor == theirs.fileno():  # the caller shut down or is gone
                poll.unregister(descriptor)
                for victim in watched:
                    signal.pidfd_send_signal(victim, signal.SIGKILL)
            else:
                child, place = watched.pop(descriptor)
                poll.unregister(descriptor)
                os.close(descriptor)
                gone(place, _reason(os.waitpid(child, 0)[1]))


def _core(place: Place, body: Body, theirs: socket.socket, zygote: int) -> NoReturn:
    status = 1
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != zygote:  # it died before it could be told to take us along
            os._exit(status)
        os.sched_setaffinity(0, {place.cpu})
        part, last = _HEAD.pack(_PART, place.core), _HEAD.pack(_REPORT, place.core)

        def report(data: bytes) -> None:
            while len(data) > PART:
                theirs.send(part + data[:PART])
                data = data[PART:]
            theirs.send(last + data)

        body(place.core, report)
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        pass  # the caller is gone and the zygote about to kill us
    except BaseException:
        with suppress(OSError):
            theirs.send(_HEAD.pack(_RAISED, place.core) + traceback.format_exc().encode()[-PART:])
    finally:
        os._exit(status)
