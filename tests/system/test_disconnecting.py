"""A local connection that is taken back: nothing goes through it, and the monitor's part is used again."""

from __future__ import annotations

import pytest

from multikernel.errors import CapabilityError, LocalMisuse
from multikernel.system.environment import KERNEL
from multikernel.system.invocations import Invocations
from multikernel.system.machine import Dcb
from multikernel.system.requests import ConnectLocal, DisconnectLocal, LocalPair
from tests.system.machines import Core

LOW = 0xFFFF_FFFF


class Joined:
    """A core with a monitor and a program, and the real invocations."""

    def __init__(self) -> None:
        self.core = Core()
        self.monitor, self.program = self.core.add("monitor"), self.core.add("program")
        self.core.driver.monitor = self.monitor
        self.invocations = Invocations(self.core.driver, 0, 1 << 20, lambda number, request: self.program.user)
        self.invocations.adopt(self.monitor, monitor=True)
        self.invocations.adopt(self.program, monitor=False)

    def connect(self) -> LocalPair:
        request = ConnectLocal(self.monitor.number, self.program.number, 4)
        pair = self.invocations.invoke(self.monitor, KERNEL, request)
        assert isinstance(pair, LocalPair)
        return pair

    def disconnect(self, dcb: Dcb, side: int) -> None:
        self.invocations.invoke(self.monitor, KERNEL, DisconnectLocal(dcb.number, side))


def test_what_was_taken_back_sends_nothing() -> None:
    joined = Joined()
    pair = joined.connect()
    target, buffer = joined.invocations.endpoint(joined.program, pair.b & LOW)
    assert (target, buffer) == (joined.monitor, joined.monitor.user.buffers[pair.a >> 32])
    joined.disconnect(joined.program, pair.b)
    with pytest.raises(CapabilityError):
        joined.invocations.endpoint(joined.program, pair.b & LOW)
    assert joined.invocations.endpoint(joined.monitor, pair.a & LOW)[0] is joined.program


def test_the_monitor_s_buffer_and_slot_are_used_again_and_empty() -> None:
    joined = Joined()
    first = joined.connect()
    joined.monitor.user.buffers[first.a >> 32].accept(b"left")
    before = len(joined.monitor.user.buffers)
    for _ in range(600):  # more than a CNode has slots
        joined.disconnect(joined.program, first.b)
        joined.disconnect(joined.monitor, first.a)
        again = joined.connect()
        assert again.a == first.a
        assert again.b != first.b, "a program's own are not: it may still hold them"
        assert not joined.monitor.user.buffers[again.a >> 32].messages
        first = again
    assert len(joined.monitor.user.buffers) == before


def test_only_a_connection_can_be_taken_back() -> None:
    joined = Joined()
    with pytest.raises(CapabilityError):
        joined.disconnect(joined.monitor, KERNEL)
    with pytest.raises(LocalMisuse):
        joined.invocations.invoke(joined.monitor, KERNEL, DisconnectLocal(99, 1))
