"""The user-mode monitor."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING

from multikernel.hookspecs import hookimpl
from multikernel.spec import MonitorSpec

if TYPE_CHECKING:
    from multikernel.system.environment import Environment
    from multikernel.system.operations import Operation

multikernel_api = 1


def _monitor(environment: Environment) -> Coroutine[Operation[object], object, None]:
    from mk_monitor.monitor import monitor

    return monitor(environment)


@hookimpl
def monitors() -> Iterator[MonitorSpec]:
    yield MonitorSpec(
        "user-mode",
        "A monitor as a user-mode process of each core.",
        factory=_monitor,
        metal=("boot.c", "monitor.c", "wire.c"),
    )
