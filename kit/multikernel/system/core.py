"""The life of a core: whatever the machine reports, the CPU driver handles, one event at a time.

May not know: anything about the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multikernel.system.driver import Action, CpuDriver
    from multikernel.system.machine import Machine


async def run_core(machine: Machine, driver: CpuDriver) -> None:
    """Run a core from its first instruction until its driver halts it."""
    action: Action | None = driver.boot()
    while action is not None:
        if action.dcb is None:
            event = await machine.idle(action.until_ns)
        else:
            event = await machine.run(action.dcb, action.until_ns)
        action = driver.handle(event)
