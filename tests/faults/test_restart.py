"""A core that is started anew knows nothing, and all others have forgotten it: everything works with it as before."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from multikernel.blueprint import Blueprint
from multikernel.errors import ProgramFailed, UsageError
from multikernel.events import CoreFailed, CoreUp, FaultStruck, Message, MonitorJoined, Row
from multikernel.kernel import Multikernel
from multikernel.system.runtime import Dispatcher
from tests.circuits.boards import CHAIN, HOPS
from tests.faults.programs import PROGRAMS
from tests.promises.kernels import SECOND, boot


async def tells(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Has a dispatcher on each core say how often it was restarted."""
    for core in dispatcher.environment.routes.cores:
        await dispatcher.spawn_on(core, "incarnation")
    await dispatcher.sleep(1_000_000)
    return ()


async def incarnation(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await dispatcher.print(str(dispatcher.environment.incarnation))
    return ()


ALL = {**PROGRAMS, "tells": tells, "incarnation": incarnation}


@cache
def cores_that_unmap(blueprint: Blueprint) -> int:
    """What `unmap` counts where nothing has happened."""
    return Multikernel(blueprint).boot().run("unmap", pages=1).cores


def works(kernel: Multikernel) -> None:
    """Every pair of cores, every transport, every tree."""
    cores = len(kernel.blueprint.cores)
    rows = kernel.run("ping", rounds=2, messages=16, pairs=cores)
    assert len(rows.rows) == len(kernel.blueprint.pair_classes) + 1
    assert kernel.run("conform", messages=64).rows
    rows = kernel.run("unmap", pages=1)
    assert (rows.cores, rows.stale_hits) == (cores_that_unmap(kernel.blueprint), 0)
    kernel.run("reserve")


@pytest.mark.parametrize(
    ("board", "core"),
    [("x86-qemu", 2), ("zcu102", 2), ("zcu102", 5), ("mesh:3x2", 4), ("paper-8x4-amd", 4), (CHAIN, 3)],
)  # zcu102: across islands; paper: the first of its package, whom others hear through; chain: started by core 2
def test_all_works_with_a_core_that_was_started_anew(board: str, core: int) -> None:
    kernel = boot(board, ALL, faults=[f"restart:{core}@run+3ms+100us"])
    with kernel:
        kernel.run("ping", rounds=2, messages=16)  # channels with all of them are there
        while sum(isinstance(event, MonitorJoined) and event.core == core for event in kernel.events) < 2:
            kernel.run("nap")
        assert {one.state for one in kernel.cores()} == {"joined"}
        assert Counter(event.core for event in kernel.events if isinstance(event, CoreUp))[core] == 2
        works(kernel)
        kernel.run("tells")
        told = {
            event.core: event.text for event in kernel.events if isinstance(event, Message) and event.name == "tells"
        }
        assert told == {one.id: str(int(one.id == core)) for one in kernel.blueprint.cores}


def test_a_core_that_was_started_anew_hears_no_old_broadcast() -> None:
    """One that was to be unmapped would be acknowledged again, to a boot core that knows of none."""
    with boot("x86-qemu", ALL, faults=["restart:3@run+4ms+100us"]) as kernel:
        kernel.run("unmap", pages=1)
        while sum(isinstance(event, CoreUp) and event.core == 3 for event in kernel.events) < 2:
            kernel.run("nap")
        kernel.run("nap")
        works(kernel)
        assert {one.state for one in kernel.cores()} == {"joined"}


async def stubborn(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Goes on writing to a channel whose other end died with core 2, and never waits to be told; meanwhile another
    makes one with what core 2 is now."""
    await dispatcher.spawn_on(2, "sink")
    old = await dispatcher.connect(2, "sink")
    await old.send(b"first")
    await dispatcher.spawn_on(0, "fresh")
    begun, written = await dispatcher.now(), 0
    while written < 12:
        if await dispatcher.now() > begun + (12 + 2 * written) * 100_000:
            await old.try_send(b"to nobody")
            written += 1
        await dispatcher.give_way()
    return (Row(("written",), (written,)),)


async def fresh(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await dispatcher.sleep(1_800_000)
    await dispatcher.spawn_on(2, "sink")
    new = await dispatcher.connect(2, "sink")
    for number in range(6):
        await new.send(bytes([number]))
        await dispatcher.print(str((await new.recv())[0]))
        await dispatcher.sleep(300_000)
    return ()


async def sink(dispatcher: Dispatcher) -> tuple[Row, ...]:
    channel = await (await dispatcher.export("sink")).accept()
    for _ in range(6):
        await channel.send(await channel.recv())
    return ()


def test_what_others_write_to_an_earlier_life_harms_nobody() -> None:
    programs = {**ALL, "stubborn": stubborn, "fresh": fresh, "sink": sink}
    with boot("x86-qemu", programs, faults=["restart:2@run+1ms+100us"]) as kernel:
        assert kernel.run("stubborn").written == 12
        kernel.run("nap")
        told = [event.text for event in kernel.events if isinstance(event, Message)]
        assert told == ["0", "1", "2", "3", "4", "5"]
        works(kernel)


def test_two_are_restarted_one_of_them_three_times() -> None:
    faults = ["restart:3@run+1ms+50us", "restart:1@run+2ms+50us", "restart:3@run+3ms+1us", "restart:3@run+4ms+1ms"]
    with boot("x86-qemu", ALL, faults=faults, jitter_ns=500) as kernel:
        for _ in range(6):
            kernel.run("ping", rounds=2, messages=16) if kernel.cores()[3].state == "joined" else kernel.run("nap")
        joined = Counter(event.core for event in kernel.events if isinstance(event, MonitorJoined))
        assert joined == {0: 1, 1: 2, 2: 1, 3: 4}
        works(kernel)


def test_what_was_asked_of_it_is_refused() -> None:
    """ping spawns on core 1 while that has stopped; it is told so when the core is started anew."""
    with boot("x86-qemu", ALL, faults=["restart:1@run+10us+200us"]) as kernel:
        with pytest.raises(ProgramFailed, match="PeerError: core 1 cannot start 'ping-echo'"):
            kernel.run("ping", rounds=2, messages=16)
        works(kernel)


@pytest.mark.parametrize("when", ["0", "300us", "620us", "640us", "1100us"])
def test_a_core_may_be_restarted_while_the_others_boot(when: str) -> None:
    with boot("x86-qemu", ALL, faults=[f"restart:1@{when}+30us"], timeout_ns=2 * SECOND) as kernel:
        kernel.run("nap")
        assert {one.state for one in kernel.cores()} == {"joined"}
        works(kernel)


def test_who_stops_again_before_it_says_hello_is_given_up() -> None:
    with boot("x86-qemu", ALL, faults=["restart:2@run+1ms+50us", "stop:2@run+1060us"], timeout_ns=3 * SECOND) as kernel:
        for _ in range(3):
            kernel.run("nap")
        kernel.run("beat", core=1, beats=255, every_us=4000)
        (failed,) = (event for event in kernel.events if isinstance(event, CoreFailed))
        assert (failed.core, failed.reason) == (2, "no hello within 500 ms")
        assert [one.state for one in kernel.cores()] == ["joined", "joined", "failed", "joined"]
        with pytest.raises(ProgramFailed, match="core 2 cannot start"):
            kernel.run("tells")


def test_a_core_that_stopped_for_ever_is_not_restarted() -> None:
    with boot("x86-qemu", ALL, faults=["stop:2@run+1ms", "restart:2@run+1ms+50us"]) as kernel:
        for _ in range(3):
            kernel.run("nap")
        assert len([event for event in kernel.events if isinstance(event, FaultStruck)]) == 3
        assert kernel.cores()[2].state == "stopped"
        assert [event.core for event in kernel.events if isinstance(event, CoreUp)].count(2) == 1


@pytest.mark.parametrize(
    ("board", "faults", "why"),
    [
        ("x86-qemu", ["restart:0@1ms+1ms"], "core 0 is the boot core, and nobody would start it"),
        ("x86-qemu", ["restart:1@1ms+1ms"] * 4, "core 1 can be restarted 3 times"),
        (CHAIN, ["restart:2@1ms+1ms"], "core 2 is the gateway of cores 3, which cannot be reached without it"),
        (HOPS, ["restart:3@1ms+1ms"], "core 3 is reached over a device"),
        (HOPS, ["delay:0-3@1ms=1us"], "what cores 0 and 3 tell each other passes the monitors of other cores"),
        ("x86-qemu", ["stop:4@1ms"], "there is no core 4; cores are 0 to 3"),
        ("x86-qemu", ["skew:1@0=-500000ppm"] * 2, "the clock of core 1 would stand still"),
        ("x86-qemu", ["cut:0>9@1ms"], "there is no core 9"),
    ],
)
def test_what_cannot_be_is_refused_before_the_boot(board: str, faults: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        boot(board, ALL, faults=faults)


def test_faults_are_simulated_alone() -> None:
    with pytest.raises(UsageError, match="faults and jitter are simulated, on platform sim and not on host"):
        boot("x86-qemu", ALL, platform="host", faults=["stop:1@1ms"])
