"""CPU driver for ARMv8-A."""

from collections.abc import Iterator

from mk_armv8.driver import Armv8Driver
from multikernel.hookspecs import hookimpl
from multikernel.spec import CpuDriverSpec

multikernel_api = 1


@hookimpl
def cpu_drivers() -> Iterator[CpuDriverSpec]:
    yield CpuDriverSpec(
        "armv8-a",
        "ARMv8-A with a 4 KiB granule.",
        factory=Armv8Driver,
        isa="armv8-a",
        requires='mmu(K, "full")',
    )
