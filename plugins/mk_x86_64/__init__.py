"""CPU driver for x86-64."""

from collections.abc import Iterator

from mk_x86_64.driver import X86Driver
from multikernel.hookspecs import hookimpl
from multikernel.spec import CpuDriverSpec

multikernel_api = 1


@hookimpl
def cpu_drivers() -> Iterator[CpuDriverSpec]:
    yield CpuDriverSpec(
        "x86-64",
        "x86-64 with four-level page tables.",
        factory=X86Driver,
        isa="x86-64",
        requires='mmu(K, "full")',
        metal=("apic.c", "boot.S", "calls.c", "console.c", "driver.c", "space.c", "trap.S", "upcall.c"),
    )
