"""Making one core: its CPU driver, its capability space, its monitor; what a platform calls per core.

    driver = bring_up(machine, kernel, made, memory, channel, slots)
    await run_core(machine, driver)

May not know: platforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from multikernel.errors import LocalMisuse
from multikernel.events import ProgramDone
from multikernel.system.channels import Bell
from multikernel.system.dispatcher import UserDispatcher
from multikernel.system.driver import CpuDriver
from multikernel.system.environment import CONSOLE, Environment, Made
from multikernel.system.invocations import Invocations
from multikernel.system.operations import Block, Clock, Invoke
from multikernel.system.requests import Emit
from multikernel.system.runtime import Dispatcher

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint
    from multikernel.system.environment import Code, MemoryMaker, ProgramMain
    from multikernel.system.layout import Layout
    from multikernel.system.machine import Machine
    from multikernel.system.requests import CreateDispatcher
    from multikernel.system.routes import Routes


@dataclass(frozen=True, slots=True)
class Kernel:
    """What every core of an instance has in common: the blueprint and what follows from it, and code; whether protocol
    steps are `observed`."""

    blueprint: Blueprint
    layout: Layout
    routes: Routes
    code: Code
    observed: bool = False


def bring_up(
    machine: Machine,
    kernel: Kernel,
    made: Made,
    memory: MemoryMaker,
    boot_channel: int,
    boot_slots: int,
    incarnation: int = 0,
) -> CpuDriver:
    """The CPU driver of `machine`'s core, its monitor about to run.  `made` is the core's own, and no other's;
    `memory` makes a transport's side of a channel; `boot_channel` is the physical address of the channel to
    the monitor of the core's gateway; `incarnation` how often the core was restarted."""
    driver = CpuDriver(machine, made.driver, kernel.routes)
    arena = kernel.layout.arena(machine.core.id)
    load = partial(_load, machine, kernel, made, memory, incarnation)
    driver.invocations = Invocations(driver, arena.base, arena.size, load)
    user = UserDispatcher("monitor", machine.poller())
    user.waiting = _Never()
    environment = Environment(
        core=machine.core.id, number=1, name="monitor", blueprint=kernel.blueprint, layout=kernel.layout,
        routes=kernel.routes, code=kernel.code, made=made, user=user, memory=memory, poll_ns=machine.poll_ns(),
        boot_channel=boot_channel, boot_slots=boot_slots, incarnation=incarnation, observed=kernel.observed,
    )  # fmt: skip
    user.spawn("monitor", kernel.code.monitor(environment))
    driver.monitor = driver.create("monitor", user)
    driver.invocations.adopt(driver.monitor, monitor=True)
    driver.make_runnable(driver.monitor)
    return driver


def _load(
    machine: Machine,
    kernel: Kernel,
    made: Made,
    memory: MemoryMaker,
    incarnation: int,
    number: int,
    request: CreateDispatcher,
) -> UserDispatcher:
    """The user half of a dispatcher that runs a program."""
    program = kernel.code.programs.get(request.program)
    if program is None:
        raise LocalMisuse(f"no program {request.program!r}")
    user = UserDispatcher(request.name, machine.poller())
    environment = Environment(
        core=machine.core.id, number=number, name=request.name, blueprint=kernel.blueprint, layout=kernel.layout,
        routes=kernel.routes, code=kernel.code, made=made, user=user, memory=memory, poll_ns=machine.poll_ns(),
        argument=request.argument, parameters=request.parameters, incarnation=incarnation, observed=kernel.observed,
    )  # fmt: skip
    lines = [machine.window(address, 1) for address in kernel.layout.bells(machine.core.id, number)]
    dispatcher = Dispatcher(environment, Bell(lines, kernel.routes.one_island))
    user.spawn("services", dispatcher.services())
    user.spawn("main", _main(program, dispatcher, user, request.leader))
    return user


async def _main(program: ProgramMain, dispatcher: Dispatcher, user: UserDispatcher, leader: bool) -> None:
    rows = await program(dispatcher)
    if leader:
        await Invoke(CONSOLE, Emit(ProgramDone(await Clock(), dispatcher.core, dispatcher.name, tuple(rows))))
    user.exited = True


class _Never:
    """The monitor's one thread never parks, so its scheduler never waits."""

    up = False

    async def block(self) -> None:
        await Block(None)

    async def awake(self) -> None:
        return
