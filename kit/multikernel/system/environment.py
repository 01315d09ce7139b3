"""What code of the kernel finds on its core: the blueprint, the layout, the code of the plugins.

`Code` is what the blueprint's names stand for, the same on every core; `Made` is what a core made of it for
itself; `Environment` is one dispatcher's.  None holds anything another core could change.

May not know: registry, platforms.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint
    from multikernel.events import Row
    from multikernel.interfaces import ChannelMemory, Lines, Transport
    from multikernel.system.dispatcher import UserDispatcher
    from multikernel.system.driver import CpuDriverModel
    from multikernel.system.group import GroupProtocol
    from multikernel.system.layout import Layout
    from multikernel.system.operations import Operation
    from multikernel.system.protocol import TreeProtocol
    from multikernel.system.routes import Routes
    from multikernel.system.runtime import Dispatcher

KERNEL = 1
"""CPtr of the Kernel capability in a monitor's capability space; 0 is no capability."""
MONITOR = 2
"""CPtr of the EndPoint of the local monitor, in every other dispatcher's."""
RAM = 3
"""CPtr of the RAM capability a dispatcher starts with (a monitor: its core's arena)."""
FIRST_CLIENT = 64
"""Slot of a monitor's root CNode that holds the CNode with the EndPoints of its first dispatchers."""
SELF = 5
"""CPtr of the dispatcher's own Dispatcher capability."""
CONSOLE = 4
"""CPtr that authorises reports to the outside."""


class ProgramMain(Protocol):
    """A program: returns the rows of its result, none for a service."""

    def __call__(self, dispatcher: Dispatcher, /) -> Coroutine[Operation[object], object, tuple[Row, ...]]: ...


class MonitorMain(Protocol):
    """A monitor: runs until its core is halted."""

    def __call__(self, environment: Environment, /) -> Coroutine[Operation[object], object, None]: ...


class MemoryMaker(Protocol):
    """Gives a transport its side of a channel's memory (native ring halves where the platform has them); what
    follows `lines` is for links over a device, see `interfaces.ChannelMemory`."""

    def __call__(self, lines: Lines, device: Lines | None = None, here: int = 0, there: int = 0) -> ChannelMemory: ...


@dataclass(frozen=True, slots=True)
class Code:
    """The factories behind the blueprint's names.  `protocols` by replicated object, `drivers` by core
    kind, `metal` the C facets of everything bound."""

    drivers: Mapping[str, Callable[[], CpuDriverModel]]
    monitor: MonitorMain
    transports: Mapping[str, Callable[[], Transport]]
    protocols: Mapping[str, Callable[[], TreeProtocol | GroupProtocol]]
    programs: Mapping[str, ProgramMain]
    metal: tuple[Path, ...] = ()


class Made:
    """What the factories made for one core of kind `kind`: its half of the CPU driver, transports by name and
    protocols by replicated object."""

    def __init__(self, code: Code, kind: str) -> None:
        self.driver = code.drivers[kind]()
        self.transports: Mapping[str, Transport] = {name: make() for name, make in code.transports.items()}
        self.protocols: Mapping[str, TreeProtocol | GroupProtocol] = {
            name: make() for name, make in code.protocols.items()
        }


@dataclass(frozen=True, slots=True)
class Environment:
    """What one dispatcher knows of where it runs.  `boot_channel` is the physical address of the channel
    to the monitor of its gateway (0 on the boot core, and for all but monitors); `parameters` are the
    program's own; `poll_ns` how long to poll before blocking.  `incarnation` counts how often the core was restarted,
    with nothing it knew; `observed` whether somebody counts protocol steps (`Step`)."""

    core: int
    number: int
    name: str
    blueprint: Blueprint
    layout: Layout
    routes: Routes
    code: Code
    made: Made
    user: UserDispatcher
    memory: MemoryMaker
    poll_ns: int
    boot_channel: int = 0
    boot_slots: int = 0
    argument: int = 0
    parameters: tuple[tuple[str, str], ...] = ()
    incarnation: int = 0
    observed: bool = False

    def parameter(self, name: str, otherwise: str) -> str:
        """The value of the program's parameter `name`."""
        return dict(self.parameters).get(name, otherwise)

    def count(self, name: str, otherwise: int, least: int = 1, most: int = 0xFFFF_FFFF) -> int:
        """Parameter `name` as an integer.  Raises ValueError unless it is one of `least` to `most`."""
        value = int(self.parameter(name, str(otherwise)))
        if not least <= value <= most:
            raise ValueError(f"{name} is {value}; give {least} to {most}")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Parameter `name`, empty where none is given.  Raises ValueError unless it is one of `choices`."""
        value = self.parameter(name, "")
        if value and value not in choices:
            raise ValueError(f"there is no {name} {value!r}; give one of {', '.join(choices)}")
        return value
