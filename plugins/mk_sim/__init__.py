"""The deterministic simulator."""

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.interfaces import Platform
from multikernel.spec import PlatformSpec

multikernel_api = 1


def _platform() -> Platform:
    from mk_sim.platform import Simulator

    return Simulator()


@hookimpl
def platforms() -> Iterator[PlatformSpec]:
    yield PlatformSpec("sim", "Deterministic simulator in virtual time.", factory=_platform, kind="sim")
