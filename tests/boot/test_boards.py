"""Every shipped board boots, and its cores, digests and failures are what they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest

from multikernel import Multikernel, assemble
from multikernel.board.find import packaged_folder
from multikernel.errors import BootTimeout, LocalMisuse, ProgramFailed, UsageError
from multikernel.events import Assumed, Booted, CoreFailed, CoreUp, MonitorJoined, ProcessStarted, Row
from multikernel.hookspecs import hookimpl
from multikernel.interfaces import BootOptions
from multikernel.registry import GROUP, Registry
from multikernel.spec import API_VERSION, ProgramSpec
from multikernel.system.runtime import Dispatcher

BOARDS = sorted(path.stem for path in packaged_folder().glob("*.yaml"))


def test_no_board_is_left_out() -> None:
    assert {"paper-8x4-amd", "x86-qemu", "zcu102"} <= set(BOARDS)


@pytest.mark.kernel(*BOARDS)
def test_every_core_joins(kernel: Multikernel) -> None:
    kinds = {kind.name: kind for kind in kernel.blueprint.kinds}
    expected = [(core.id, kinds[core.kind].isa, kinds[core.kind].driver, "joined") for core in kernel.blueprint.cores]
    assert [(core.id, core.isa, core.driver, core.state) for core in kernel.cores()] == expected
    assert kernel.stop().channels == len(expected) - 1  # the star of the monitors, and nothing else yet


@pytest.mark.kernel(*BOARDS)
def test_the_boot_is_told_in_the_order_of_time(kernel: Multikernel) -> None:
    times = [event.at_ns for event in kernel.events]
    assert times == sorted(times)
    first, second, *_ = (event for event in kernel.events if not isinstance(event, Assumed))
    assert isinstance(first, CoreUp)
    assert isinstance(second, MonitorJoined)
    assert first.core == second.core == kernel.blueprint.boot_core
    last = kernel.events[-1]
    assert isinstance(last, Booted)
    assert last.members == len(kernel.blueprint.cores)
    up = [event.core for event in kernel.events if isinstance(event, CoreUp)]
    assert sorted(up) == sorted(dict.fromkeys(up)) == [core.id for core in kernel.blueprint.cores]
    started = [event.name for event in kernel.events if isinstance(event, ProcessStarted)]
    assert started == list(kernel.blueprint.boot)


@pytest.mark.determinism
@pytest.mark.parametrize("board", BOARDS)
def test_the_same_seed_gives_the_same_run(board: str) -> None:
    blueprint = assemble(board)

    def digest(seed: int) -> tuple[str, int, object]:
        kernel = Multikernel(blueprint).boot("sim", BootOptions(seed=seed))
        rows = kernel.run("ping", rounds=1, messages=8).rows
        outcome = kernel.stop()
        assert len(outcome.digest) == 64
        return outcome.digest, outcome.virtual_ns, (rows, kernel.events)

    assert digest(1) == digest(1)


def test_a_core_that_fails_is_reported_and_the_rest_boots(broken_board: str) -> None:
    with Multikernel(assemble(broken_board)).boot("sim") as kernel:
        assert [core.state for core in kernel.cores()] == ["joined", "joined", "failed", "joined"]
        assert [event.core for event in kernel.events if isinstance(event, CoreFailed)] == [2]
        tried = kernel.run("conform")
        assert 2 not in tried.column("src") + tried.column("dst")
        measured = kernel.run("ping", rounds=3, messages=32)
        classes = [pair.name for pair in kernel.blueprint.pair_classes]
        assert measured.column("class") == [*classes, "self"]


class Failing:
    """A plugin made in memory: a program that raises."""

    multikernel_api = API_VERSION

    @hookimpl
    def programs(self) -> Iterator[ProgramSpec]:
        yield ProgramSpec("fails", "Fails.", factory=self.main)

    @staticmethod
    async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
        await dispatcher.compute(1000)
        raise ZeroDivisionError("on purpose")


def test_a_program_that_raises_says_where_and_when() -> None:
    registry = Registry.of(*(point.load() for point in entry_points(group=GROUP)), Failing())
    with Multikernel(assemble("x86-qemu", registry), registry).boot("sim") as kernel:
        with pytest.raises(ProgramFailed) as caught:
            kernel.run("fails")
        failure = caught.value
        assert (failure.program, failure.core, failure.exit_code) == ("fails", 0, 7)
        assert failure.dispatcher == "fails.0/main"
        assert failure.at_ns > 1000
        assert "ZeroDivisionError: on purpose" in str(failure)
        assert kernel.run("ping", rounds=1, messages=8).rows, "the kernel outlives the program"


@pytest.mark.kernel("x86-qemu")
@pytest.mark.parametrize(
    ("program", "parameter", "value", "message"),
    [
        ("ping", "rounds", 0, "rounds is 0; give 1 to 4294967295"),
        ("ping", "rounds", 1 << 40, "rounds is 1099511627776; give 1 to 4294967295"),
        ("ping", "messages", -1, "messages is -1; give 1 to"),
        ("ping", "class", "hops:9", "there is no class 'hops:9'; give one of "),
        ("unmap", "pages", -1, "pages is -1; give 1 to"),
        ("unmap", "cores", -1, "cores is -1; give 0 to"),
        ("unmap", "protocol", "nmua", "there is no protocol 'nmua'; give one of broadcast, unicast, multicast, numa"),
        ("conform", "messages", 1 << 40, "messages is 1099511627776; give 1 to"),
    ],
)
def test_a_parameter_out_of_range_fails_its_program_alone(
    kernel: Multikernel, program: str, parameter: str, value: int | str, message: str
) -> None:
    with pytest.raises(ProgramFailed, match=re.escape(f"ValueError: {message}")):
        kernel.run(program, **{parameter: value})
    assert {core.state for core in kernel.cores()} == {"joined"}


@pytest.mark.kernel("x86-qemu")
def test_what_a_kernel_refuses(kernel: Multikernel) -> None:
    with pytest.raises(UsageError, match=r"there is no program 'pnig'.*did you mean ping"):
        kernel.run("pnig")
    with pytest.raises(UsageError, match=r"takes no parameter 'round'.*did you mean rounds"):
        kernel.run("ping", round=1)
    with pytest.raises(UsageError, match="rounds must be an integer, not 'many'"):
        kernel.run("ping", rounds="many")
    with pytest.raises(LocalMisuse, match="already up"):
        kernel.boot()
    first = kernel.stop()
    assert kernel.stop() == first
    with pytest.raises(UsageError, match="stopped"):
        kernel.run("ping")
    cold = Multikernel(kernel.blueprint)
    assert {core.state for core in cold.cores()} == {"off"}
    with pytest.raises(LocalMisuse, match="call boot"):
        cold.run("ping")
    with pytest.raises(UsageError, match=r"no platform 'smi'.*did you mean sim"):
        cold.boot("smi")


def test_a_boot_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(BootTimeout, match="1000000 ns of virtual time"):
        Multikernel(assemble("paper-8x4-amd")).boot("sim", BootOptions(timeout_ns=1_000_000))
