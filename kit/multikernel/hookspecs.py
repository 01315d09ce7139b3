"""The hooks, in the order of a kernel's life: a board is found, its facts are held, a platform is
chosen, drivers start the cores, monitors join them, messages travel, replicas agree, programs run.

A plugin is a package (or module) named by an entry point of group `multikernel`:

    [project.entry-points.multikernel]
    mk_ump = "mk_ump"

It says `multikernel_api = 1`, and its `__init__` only registers: functions marked `hookimpl` that
yield specs of `multikernel.spec`.  A spec holds a factory, and each core or channel that needs the
thing calls it for itself; nothing it makes is shared.  Registration is all hooks do: none is called
while a kernel runs, none on the path of a message.  Which of the registered things a kernel gets is
decided by name in the board or by a query to the system knowledge base, never by call order.

Each example below is a whole plugin; the tests execute and register every one.

May not know: implementations.  Only this module and `registry` use pluggy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pluggy

from multikernel.spec import (
    BoardDirSpec,
    CommandSpec,
    ConsistencyProtocolSpec,
    CpuDriverSpec,
    MonitorSpec,
    PlatformSpec,
    ProgramSpec,
    SkbBackendSpec,
    TransportSpec,
)

PROJECT = "multikernel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks(Protocol):
    """Every hook takes nothing and gives specs of its kind.  Any plugin may implement any hook."""

    @hookspec
    def board_dirs(self) -> Iterable[BoardDirSpec]: ...

    @hookspec
    def skb_backends(self) -> Iterable[SkbBackendSpec]: ...

    @hookspec
    def platforms(self) -> Iterable[PlatformSpec]: ...

    @hookspec
    def cpu_drivers(self) -> Iterable[CpuDriverSpec]: ...

    @hookspec
    def monitors(self) -> Iterable[MonitorSpec]: ...

    @hookspec
    def transports(self) -> Iterable[TransportSpec]: ...

    @hookspec
    def consistency_protocols(self) -> Iterable[ConsistencyProtocolSpec]: ...

    @hookspec
    def programs(self) -> Iterable[ProgramSpec]: ...

    @hookspec
    def commands(self) -> Iterable[CommandSpec]: ...
