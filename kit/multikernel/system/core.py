"""The life of a core: whatever the machine reports, the CPU driver handles, one event at a time.

May not know: anything about the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from multikernel.system.driver import CpuDriver
    from multikernel.system.machine import Machine


async def run_core(machine: Machine, driver: CpuDriver) -> NoReturn:
    """Run a core from its first instruction until the platform takes its power away."""
    action = driver.boot()
    while True:
        if action.dcb is None:
            event = await machine.idle(action.until_ns)
        else:
            event = await machine.run(action.dcb, action.until_ns)
        action = driver.handle(event)
