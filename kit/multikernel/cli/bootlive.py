"""The live display of a boot: a cell a core, filling in as cores come up and monitors join.

Drawn in this thread, at most every 40 ms: a platform may fork, so there is no thread of rich's.

May not know: platforms; never imported when stdout is not a terminal.
"""

from __future__ import annotations

import time
from types import TracebackType

import rich.live
from rich.console import Console, Group
from rich.text import Text

from multikernel.blueprint import Blueprint
from multikernel.cli.bootview import Teller
from multikernel.events import (
    CoreFailed,
    CoreUp,
    DeviceFault,
    Event,
    FaultStruck,
    Message,
    MonitorJoined,
    ProgramRaised,
)

REDRAW_S = 0.04
"""25 pictures a second."""
STYLES = {"off": "dim", "up": "yellow", "joined": "bold green", "stopped": "bold red", "failed": "bold red"}


class Live:
    """See the module."""

    def __init__(self, blueprint: Blueprint, title: str) -> None:
        self._title = title
        self._tell = Teller(blueprint)
        self._states = {core.id: "off" for core in blueprint.cores}
        self._now = ""
        self._console = Console()
        self._live = rich.live.Live(console=self._console, auto_refresh=False)
        self._drawn = 0.0

    def __enter__(self) -> Live:
        self._console.print(Text(self._title, style="bold"))
        self._live.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._now = ""
        self._draw()
        self._live.stop()

    def event(self, event: Event) -> None:
        text = self._tell(event)
        match event:
            case CoreUp():
                self._states[event.core] = "up"
            case MonitorJoined():
                self._states[event.core] = "joined"
            case CoreFailed():
                self._states[event.core] = "failed"
            case FaultStruck() if event.stops:
                self._states[event.core] = "stopped"
        if isinstance(event, CoreFailed | DeviceFault | FaultStruck | Message | ProgramRaised):
            self._live.console.print(Text.from_ansi(text))
        if time.monotonic() - self._drawn > REDRAW_S:
            self._draw()

    def running(self, program: str) -> None:
        self._now = f"running {program} ..." if program else ""
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        width = len(str(max(self._states)))
        cells = Text()
        for core, state in self._states.items():
            cells.append(f"{core:>{width}} ", STYLES[state])
        counts = [f"{list(self._states.values()).count(state)} {state}" for state in STYLES]
        parts = [cells, Text(", ".join(count for count in counts if not count.startswith("0 ")), "dim")]
        if self._now:
            parts.append(Text(self._now))
        self._live.update(Group(*parts), refresh=True)
