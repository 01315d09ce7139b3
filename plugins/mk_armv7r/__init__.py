"""CPU driver for ARMv7-R."""

from collections.abc import Iterator

from mk_armv7r.driver import Armv7rDriver
from multikernel.hookspecs import hookimpl
from multikernel.spec import CpuDriverSpec

multikernel_api = 1


@hookimpl
def cpu_drivers() -> Iterator[CpuDriverSpec]:
    yield CpuDriverSpec(
        "armv7-r",
        "ARMv7-R with protection regions.",
        factory=Armv7rDriver,
        isa="armv7-r",
        requires='mmu(K, "mpu")',
    )
