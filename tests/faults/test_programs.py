"""Programs and monitors that fail: told by where and when, and the kernel outlives a program."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from mk_monitor.monitor import monitor
from multikernel import assemble
from multikernel.errors import ProgramFailed
from multikernel.events import CoreFailed, ProgramRaised, Row
from multikernel.hookspecs import hookimpl
from multikernel.kernel import Multikernel
from multikernel.registry import Registry
from multikernel.spec import MonitorSpec
from multikernel.system.environment import Environment
from multikernel.system.operations import Operation
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot


async def starts(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Has `breaks` run on core 2, and waits."""
    await dispatcher.spawn_on(2, "breaks")
    await dispatcher.sleep(10_000_000)
    return ()


async def breaks(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await dispatcher.compute(5000)

    async def thread() -> None:
        await dispatcher.compute(5000)
        raise KeyError("on purpose")

    dispatcher.spawn(thread(), "careless")
    await dispatcher.sleep(10_000_000)
    return ()


async def forgets(dispatcher: Dispatcher) -> tuple[Row, ...]:
    dispatcher.compute(5000)
    return ()


async def unmapped(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await dispatcher.load(0x1234_5000)
    return ()


PROGRAMS = {"starts": starts, "breaks": breaks, "forgets": forgets, "unmapped": unmapped}


@pytest.mark.parametrize("platform", ["sim", "host"])
def test_what_a_thread_on_another_core_raises_is_told(platform: str) -> None:
    with boot("x86-qemu", PROGRAMS, platform=platform, timeout_ns=20_000_000_000) as kernel:
        with pytest.raises(ProgramFailed, match="KeyError: 'on purpose'") as caught:
            kernel.run("starts")
        failure = caught.value
        assert (failure.program, failure.core, failure.dispatcher) == ("starts", 2, "starts.2/careless")
        (raised,) = (event for event in kernel.events if isinstance(event, ProgramRaised))
        assert raised.at_ns == failure.at_ns > 0
        assert 'raise KeyError("on purpose")' in raised.trace
        assert kernel.run("ping", rounds=1, messages=8).rows, "the kernel outlives the program"


@pytest.mark.parametrize("platform", ["sim", "host"])
def test_an_access_to_what_is_not_mapped_is_told_with_its_address(platform: str) -> None:
    expected = pytest.raises(ProgramFailed, match=r"UnhandledFault: .*address=305418240")
    with boot("x86-qemu", PROGRAMS, platform=platform, timeout_ns=20_000_000_000) as kernel, expected:
        kernel.run("unmapped")


def test_a_forgotten_await_is_warned_of() -> None:
    """Python's warning; under pytest's `filterwarnings = error` it fails the test."""
    with boot("x86-qemu", PROGRAMS) as kernel, pytest.warns(RuntimeWarning, match=r"'Dispatcher\.compute' was never"):
        kernel.run("forgets")


class Mortal:
    """A monitor that raises on core 2 at its `operations`-th operation."""

    multikernel_api = 1

    def __init__(self, core: int, operations: int) -> None:
        self._core = core
        self._operations = operations

    @hookimpl
    def monitors(self) -> Iterator[MonitorSpec]:
        yield MonitorSpec("mortal", "A monitor of a test.", factory=self.main)

    async def main(self, environment: Environment) -> None:
        await Counted(environment, self._operations if environment.core == self._core else -1)


class Counted:
    """The user-mode monitor, for so many operations; a load that the simulator carries out on the spot is none."""

    def __init__(self, environment: Environment, operations: int) -> None:
        self._environment = environment
        self._operations = operations

    def __await__(self) -> Generator[Operation[object], object, None]:
        inner, value, left = monitor(self._environment), None, self._operations
        while left != 0:
            operation = inner.send(value)
            value = yield operation
            left -= 1
        raise OSError("worn out")


@pytest.mark.parametrize("core", [0, 2])
def test_a_monitor_that_dies_is_told(core: int, tmp_path: Path) -> None:
    """Wherever it is: without its monitor a core speaks to nobody."""
    board = tmp_path / "mortal.yaml"
    board.write_text("extends: x86-qemu\nname: mortal\nbind: {monitor: mortal}\n")
    registry = Registry.load(Mortal(core, 2000))
    kernel = Multikernel(assemble(str(board), registry, "sim"), registry).boot("sim")
    text = f"the monitor of core {core} raised at [0-9]+ ns: OSError: worn out"
    with pytest.raises(ProgramFailed, match=text) as caught:
        kernel.run("unmap", pages=30)
    assert (caught.value.program, caught.value.core) == ("monitor", core)
    assert [(event.core, event.reason) for event in kernel.events if isinstance(event, CoreFailed)] == [
        (core, "its monitor has ended")
    ]
    assert {state.id for state in kernel.cores() if state.state == "failed"} == {core}
    kernel.stop()
