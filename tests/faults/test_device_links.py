"""Faults of a link that is a device's: nothing is lost, all comes in order, and who waits is woken when it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk_sim.coherence import Coherence
from mk_sim.engine import Engine
from mk_sim.holds import Holds
from mk_sim.parameters import derive
from mk_sim.registers import Windows
from multikernel import assemble
from multikernel.events import Booted, DeviceFault, FaultStruck
from multikernel.kernel import Multikernel
from multikernel.system.layout import Layout
from tests.faults.programs import PROGRAMS, Seen, seen
from tests.promises.kernels import boot
from tests.transports.device_boards import FAR, HOST, dma_board, mailbox_board

US = 1000
COUNT = 12
SLOWEST = 100 * US
"""A message over a device to a core that sleeps, and its way through two monitors, ns."""
TEXTS = {"mailbox": mailbox_board(), "dma": dma_board()}


@pytest.fixture(params=sorted(TEXTS))
def board(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "board.yaml"
    path.write_text(TEXTS[str(request.param)])
    return str(path)


def exchanged(board: str, *faults: str, jitter_ns: int = 0, gap_us: int = 20) -> Multikernel:
    """The two cores, between which there is nothing but the device, have sent each other messages."""
    kernel = boot(board, PROGRAMS, faults=faults, jitter_ns=jitter_ns)
    kernel.run("exchange", a=HOST, b=FAR, count=COUNT, gap_us=gap_us)
    kernel.stop()
    return kernel


def start(board: str) -> int:
    """When the first message is sent, us after the program is asked for."""
    kernel = exchanged(board)
    booted = next(event.at_ns for event in kernel.events if isinstance(event, Booted))
    return (min(message.sent for message in seen(kernel, HOST)) - booted) // US


def all_came(kernel: Multikernel) -> None:
    for core in (HOST, FAR):
        assert [message.number for message in seen(kernel, core)] == list(range(COUNT))


def struck(kernel: Multikernel) -> tuple[int, int]:
    times = [event.at_ns for event in kernel.events if isinstance(event, FaultStruck)]
    assert len(times) == 2, "it is over before all has come"
    return times[0], times[1]


def during(messages: list[Seen], begun: int, over: int) -> list[Seen]:
    return [message for message in messages if begun + US <= message.sent < over - 20 * US]


@pytest.mark.parametrize("ways", [">", "-"], ids=["one", "both"])
def test_what_passes_a_cut_device_is_shown_when_the_link_is_whole(board: str, ways: str) -> None:
    """Who receives sleeps meanwhile, and is interrupted then, not before."""
    kernel = exchanged(board, f"cut:{HOST}{ways}{FAR}@run+{start(board) + 30}us+400us")
    all_came(kernel)
    begun, over = struck(kernel)
    held = during(seen(kernel, FAR), begun, over)
    assert len(held) >= 2
    assert all(over <= message.seen < over + 8 * SLOWEST for message in held)
    back = during(seen(kernel, HOST), begun, over)
    assert back
    assert ways == ">" or all(message.seen >= over for message in back)


def test_a_device_cut_one_way_passes_what_comes_the_other_way(tmp_path: Path) -> None:
    """Of a DMA engine, whose ring has room: a mailbox's one buffer is not seen to be taken."""
    path = tmp_path / "board.yaml"
    path.write_text(TEXTS["dma"])
    kernel = exchanged(str(path), f"cut:{HOST}>{FAR}@run+{start(str(path)) + 30}us+400us")
    all_came(kernel)
    begun, over = struck(kernel)
    assert any(message.seen < over for message in during(seen(kernel, HOST), begun, over))


def test_what_passes_a_late_device_is_late_by_so_much(board: str) -> None:
    kernel = exchanged(board, f"delay:{HOST}>{FAR}@run+{start(board) + 30}us+100us=150us")
    all_came(kernel)
    begun, over = struck(kernel)
    late = during(seen(kernel, FAR), begun, over)
    assert late
    assert 150 * US <= late[0].seen - late[0].sent < 150 * US + 8 * SLOWEST, (
        "a mailbox takes the next when this is taken"
    )


@pytest.mark.parametrize("jitter_ns", [300, 40_000])
def test_devices_are_fifo_whatever_the_jitter(board: str, jitter_ns: int) -> None:
    all_came(exchanged(board, jitter_ns=jitter_ns, gap_us=0))


class Nobody:
    """What a device asks of a platform, in vain."""

    def interrupt(self, core: int, at_ps: int) -> None: ...

    def fault(self, event: DeviceFault) -> None: ...


def test_what_a_device_is_given_later_is_not_shown_before(board: str) -> None:
    """The first is late by 10 us, the second is not; what goes the other way is shown at once."""
    blueprint, engine, told = assemble(board, platform="sim"), Engine(0), list[tuple[str, int]]()
    holds = Holds(engine, blueprint, Layout(blueprint), 0)
    device = Windows(blueprint.devices[0], engine, Coherence(engine, derive(blueprint)), Nobody(), holds)
    holds.begin(HOST, FAR, 0, 5_000_000, 10_000_000)

    def give(what: str, a: int, b: int) -> None:
        device.pass_on(a, b, engine.now, lambda: told.append((what, engine.now)))

    engine.at(1_000_000, lambda _: give("first", HOST, FAR), None)
    engine.at(6_000_000, lambda _: give("second", HOST, FAR), None)
    engine.at(7_000_000, lambda _: give("back", FAR, HOST), None)
    engine.run(20_000_000)
    assert told == [("back", 7_000_000), ("first", 11_000_000), ("second", 11_000_000)]
