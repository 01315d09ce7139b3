"""What the boot core's monitor does for the outside: the boot list, then the programs and restarts it is asked for.

May not know: what programs do, who is outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multikernel.errors import MultikernelError
from multikernel.events import Booted, ProgramRaised
from multikernel.system.environment import CONSOLE
from multikernel.system.operations import Clock, Invoke
from multikernel.system.requests import Emit, NextInput, Restart

if TYPE_CHECKING:
    from multikernel.system.monitor.events import Events
    from multikernel.system.monitor.links import Links
    from multikernel.system.monitor.processes import Processes


class Console:
    """See the module.  Only on the boot core."""

    def __init__(self, events: Events, links: Links, processes: Processes) -> None:
        self._events = events
        self._links = links
        self._processes = processes
        self._booted = False
        links.when_settled(self._boot)
        events.before_idle(self._input)

    async def _boot(self) -> None:
        if self._booted:
            return
        self._booted = True
        for program in self._events.environment.blueprint.boot:
            await self._start(program, ())
        await Invoke(CONSOLE, Emit(Booted(await Clock(), self._events.core, len(self._links.members))))

    async def _input(self) -> None:
        while (wanted := await Invoke(CONSOLE, NextInput())) is not None:
            if isinstance(wanted, Restart):
                await self._links.restart(wanted.core)
            else:
                await self._start(wanted.program, wanted.parameters)

    async def _start(self, program: str, parameters: tuple[tuple[str, str], ...]) -> None:
        """A program that cannot be started has failed; the kernel goes on."""
        try:
            await self._processes.start(program, program, 0, parameters)
        except MultikernelError as refusal:
            error = f"{type(refusal).__name__}: {refusal}"
            where = f"{program}.{self._events.core}"
            await Invoke(CONSOLE, Emit(ProgramRaised(await Clock(), self._events.core, program, where, error, "")))
