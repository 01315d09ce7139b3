"""How a boot is shown while it happens, and its tables afterwards.

    open_view(...)          a View: live on a terminal, plain lines elsewhere, nothing when `quiet`
    process_tree(...)       the processes, each with the cores it spans
    result_tables(rows)     a program's rows as text, a table for each set of columns

May not know: rich, unless stdout is a terminal; platforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from multikernel.blueprint import Blueprint
from multikernel.board.units import id_ranges
from multikernel.cli import output
from multikernel.events import (
    Booted,
    CoreFailed,
    CoreUp,
    DeviceFault,
    Event,
    FaultStruck,
    Message,
    MonitorJoined,
    ProcessStarted,
    ProgramDone,
    ProgramRaised,
    Row,
)


class View(Protocol):
    """Shows events as they come.  A context manager: what it draws is there within."""

    def event(self, event: Event) -> None: ...
    def running(self, program: str) -> None: ...
    def __enter__(self) -> View: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_view(blueprint: Blueprint, platform: str, seed: int, quiet: bool) -> View:
    """The view for this stdout."""
    title = (
        f"{blueprint.board} on {platform}: {len(blueprint.cores)} cores, seed {seed}, blueprint {blueprint.hash[:12]}"
    )
    if quiet:
        return Quiet()
    if output.on_terminal():
        from multikernel.cli.bootlive import Live

        return Live(blueprint, title)
    return Plain(blueprint, title)


class Quiet:
    """Shows nothing."""

    def event(self, event: Event) -> None:
        return

    def running(self, program: str) -> None:
        return

    def __enter__(self) -> View:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class Plain(Quiet):
    """A line an event on stdout."""

    def __init__(self, blueprint: Blueprint, title: str) -> None:
        self._tell = Teller(blueprint)
        self._title = title

    def __enter__(self) -> View:
        output.emit(self._title)
        return self

    def event(self, event: Event) -> None:
        if text := self._tell(event):
            output.emit(text)


class Teller:
    """An event as a line, with its time; empty for what is shown in another way."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._cores = len(blueprint.cores)
        self._joined: dict[int, None] = {}

    def __call__(self, event: Event) -> str:
        text = self._text(event)
        return f"[{milliseconds(event.at_ns):>14}] {text}" if text else ""

    def _text(self, event: Event) -> str:
        match event:
            case CoreUp():
                return f"core {event.core} up: {event.isa}, driver {event.driver}"
            case MonitorJoined():
                self._joined[event.core] = None
                return f"core {event.core} joined: {len(self._joined)} of {self._cores}"
            case CoreFailed():
                return output.style(f"core {event.core} failed: {event.reason}", "error")
            case DeviceFault():
                return output.style(f"core {event.core} {event.device}: {event.text}", "error")
            case FaultStruck():
                return output.style(f"core {event.core} fault{' over' if event.over else ''}: {event.text}", "error")
            case Booted():
                return output.style(f"up: {event.members} of {self._cores} cores", "good")
            case ProcessStarted() if event.parent != event.name:
                return f"core {event.core} starts {event.name}"
            case Message():
                return f"core {event.core} {event.name}: {event.text}"
            case ProgramDone():
                return f"core {event.core} {event.name} done"
            case ProgramRaised():
                return output.style(f"core {event.core} {event.dispatcher} raised {event.error}", "error")
            case _:
                return ""


def milliseconds(ns: int) -> str:
    """`6.427176 ms`, exact."""
    return f"{ns // 1_000_000}.{ns % 1_000_000:06d} ms"


def process_tree(blueprint: Blueprint, events: Sequence[Event]) -> list[str]:
    """A line a process, children indented under the process that started them, with the cores it is on."""
    cores: dict[str, list[int]] = {}
    parents: dict[str, str] = {}
    for event in events:
        if isinstance(event, MonitorJoined):
            if event.core not in cores.setdefault("monitor", []):
                cores["monitor"].append(event.core)
        elif isinstance(event, ProcessStarted):
            cores.setdefault(event.name, []).append(event.core)
            if event.parent != event.name:
                parents.setdefault(event.name, event.parent)
    rows: list[tuple[str, list[int]]] = []

    def walk(name: str, depth: int) -> None:
        rows.append(("  " * depth + name, cores[name]))
        for child, parent in parents.items():
            if parent == name:
                walk(child, depth + 1)

    for name in cores:
        if parents.get(name) not in cores:
            walk(name, 0)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {_spread(on)}" for name, on in rows]


def _spread(on: Sequence[int]) -> str:
    places = sorted(set(on))
    where = f"core{'s' if len(places) > 1 else ''} {id_ranges(places)}"
    return where if len(on) == len(places) else f"{where}, {len(on)} dispatchers"


def result_tables(rows: Sequence[Row]) -> list[list[tuple[str, ...]]]:
    """A heading and the rows under it, for each run of rows with the same columns."""
    tables: list[list[tuple[str, ...]]] = []
    for row in rows:
        if not tables or tables[-1][0] != row.columns:
            tables.append([row.columns])
        tables[-1].append(tuple(map(str, row.values)))
    return tables
