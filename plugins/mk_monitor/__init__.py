"""The user-mode monitor."""

from collections.abc import Iterator

from mk_monitor.monitor import monitor
from multikernel.hookspecs import hookimpl
from multikernel.spec import MonitorSpec

multikernel_api = 1


@hookimpl
def monitors() -> Iterator[MonitorSpec]:
    yield MonitorSpec(
        "user-mode",
        "A monitor as a user-mode process of each core.",
        factory=monitor,
        metal=("boot.c", "monitor.c", "wire.c"),
    )
