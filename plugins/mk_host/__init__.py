"""Cores that are processes of this machine."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.interfaces import Platform
from multikernel.spec import PlatformSpec

multikernel_api = 1


def _platform() -> Platform:
    from mk_host.platform import Host

    return Host()


@hookimpl
def platforms() -> Iterator[PlatformSpec]:
    yield PlatformSpec("host", "A process a core on this machine's CPUs, in real time.", factory=_platform, kind="host")
