"""The user-mode monitor: the kit's building blocks, composed.

May not know: how any block does its part.
"""

from __future__ import annotations

from multikernel.system.environment import KERNEL, Environment
from multikernel.system.monitor.agreement import Agreements, Replica
from multikernel.system.monitor.binding import Binding
from multikernel.system.monitor.circuits import Circuits
from multikernel.system.monitor.console import Console
from multikernel.system.monitor.events import Events
from multikernel.system.monitor.fanout import Broadcast
from multikernel.system.monitor.frames import Frames
from multikernel.system.monitor.groups import Groups
from multikernel.system.monitor.links import Links
from multikernel.system.monitor.memory import ArenaMemory
from multikernel.system.monitor.objects import Load, Log, Store
from multikernel.system.monitor.processes import Processes
from multikernel.system.monitor.reservations import Reservations
from multikernel.system.monitor.watching import Watching
from multikernel.system.operations import Audit, Invoke
from multikernel.system.requests import DropPage


async def monitor(environment: Environment) -> None:
    """Runs on each core until it is halted."""
    events = Events(environment)
    arena = ArenaMemory(environment.layout, environment.core, environment.incarnation)
    links = Links(events, arena)
    processes = Processes(events, links)
    broadcast = Broadcast(events, links)
    Circuits(events, links, processes, Binding(events, links, processes, Watching(events)))
    Frames(events, links, processes, arena)
    replicas: dict[str, Replica] = {"shootdown": Shootdown(environment, processes), "reservation": Reservations()}
    groups = Groups(events, links, processes, {"log": Log(), "store": Store(), "load": Load()})
    Agreements(events, links, processes, broadcast, groups, replicas)
    if environment.core == environment.routes.boot_core:
        Console(events, links, processes)
    await broadcast.start()
    await links.start()
    await events.run()


class Shootdown:
    """A page of a process, gone from every core: see `multikernel.system.monitor.agreement.Replica`.

    Pages are named by their address on the boot core, where agreements begin.  A core to which that address
    means something else, as one of the two does not translate, has not mapped the page there: nothing goes."""

    def __init__(self, environment: Environment, processes: Processes) -> None:
        self._processes = processes
        self._named_alike = environment.routes.same_addresses(environment.core, environment.routes.boot_core)

    async def vote(self, process: str, value: int) -> bool:
        """A page can always be taken away."""
        return True

    async def release(self, process: str, value: int) -> None:
        """Nothing was held for it."""

    async def apply(self, process: str, value: int) -> None:
        """Take the page at `value` out of the address space of every dispatcher of `process` here."""
        if not self._named_alike:
            return
        for number in self._processes.dispatchers(process):
            await Invoke(KERNEL, DropPage(number, value))

    async def completed(self, process: str, value: int, committed: bool) -> int:
        """One more than the cores that could still use the page; 0 where nobody can tell."""
        return await Audit(process, value) + 1
