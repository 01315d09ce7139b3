"""The user-mode monitor."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING

from multikernel.hookspecs import hookimpl
from multikernel.spec import MonitorSpec, OnUse

if TYPE_CHECKING:
    from multikernel.system.environment import Environment
    from multikernel.system.operations import Operation

multikernel_api = 1


_MONITOR: OnUse[Environment, Coroutine[Operation[object], object, None]] = OnUse("mk_monitor.monitor:monitor")


@hookimpl
def monitors() -> Iterator[MonitorSpec]:
    yield MonitorSpec(
        "user-mode",
        "A monitor as a user-mode process of each core.",
        factory=_MONITOR,
        metal=("boot.c", "monitor.c", "wire.c"),
    )
