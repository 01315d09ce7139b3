"""The user-mode monitor: the kit's building blocks, composed.

May not know: how any block does its part.
"""

from __future__ import annotations

from functools import partial

from multikernel.system.environment import KERNEL, Environment
from multikernel.system.monitor.agreement import Agreements
from multikernel.system.monitor.binding import Binding
from multikernel.system.monitor.console import Console
from multikernel.system.monitor.events import Events
from multikernel.system.monitor.fanout import Broadcast
from multikernel.system.monitor.frames import Frames
from multikernel.system.monitor.links import Links
from multikernel.system.monitor.memory import ArenaMemory
from multikernel.system.monitor.processes import Processes
from multikernel.system.monitor.watching import Watching
from multikernel.system.operations import Invoke
from multikernel.system.requests import DropPage


async def monitor(environment: Environment) -> None:
    """Runs on each core until it is halted."""
    events = Events(environment)
    arena = ArenaMemory(environment.layout.arena(environment.core))
    links = Links(events, arena)
    processes = Processes(events, links)
    broadcast = Broadcast(events, links)
    Watching(events)
    Binding(events, links, processes)
    Frames(events, links, processes, arena)
    Agreements(events, links, processes, broadcast, {"shootdown": partial(drop_page, processes)})
    if environment.core == environment.routes.boot_core:
        Console(events, links, processes)
    await broadcast.start()
    await links.start()
    await events.run()


async def drop_page(processes: Processes, process: str, address: int) -> None:
    """Take a page out of the address space of every dispatcher of `process` on this core."""
    for number in processes.dispatchers(process):
        await Invoke(KERNEL, DropPage(number, address))
