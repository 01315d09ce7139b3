"""Platform Q: the blueprint as an x86-64 image, run bare under QEMU.  Registers only."""

from __future__ import annotations

from collections.abc import Iterator

from multikernel.hookspecs import hookimpl
from multikernel.interfaces import Platform
from multikernel.spec import PlatformSpec

multikernel_api = 1


def _platform() -> Platform:
    from mk_qemu.platform import QemuPlatform

    return QemuPlatform()


@hookimpl
def platforms() -> Iterator[PlatformSpec]:
    yield PlatformSpec(
        name="qemu",
        summary="Bare metal: an x86-64 image built from the blueprint, run under QEMU.",
        factory=_platform,
        kind="qemu",
    )
