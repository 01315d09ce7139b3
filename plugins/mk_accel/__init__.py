"""CPU driver for cores of accelerators and DSPs that have no MMU, whatever their instruction set."""

from collections.abc import Iterator

from mk_accel.driver import AcceleratorDriver
from multikernel.hookspecs import hookimpl
from multikernel.spec import CpuDriverSpec

multikernel_api = 1


@hookimpl
def cpu_drivers() -> Iterator[CpuDriverSpec]:
    yield CpuDriverSpec(
        "accel",
        "Cores without MMU or MPU, of any instruction set.",
        factory=AcceleratorDriver,
        isa="",
        requires='mmu(K, "none") & hosts(K, "cpu-driver")',
    )
