"""The ARMv8-A half of a CPU driver: its page tables and what its paths cost.

No measurement of these paths on such a core is at hand: every figure here is an assumption, a round number
for code of that length, and says so.  A board's figures go before these.

May not know: the driver's logic, which is the same for every ISA (`multikernel.system.driver`).
"""

from __future__ import annotations

from multikernel.blueprint import CoreKind, Cost

_CYCLES = (
    ("boot", 60000), ("start_core", 60000), ("trap", 300), ("cap_invoke", 400),
    ("context_switch", 800), ("upcall", 100), ("lmp_send", 100), ("lrpc", 1200), ("ipi_send", 100),
    ("ipi_latency", 200), ("ipi_trap", 400), ("timer", 400), ("page_fault", 400), ("page_walk_level", 20),
    ("tlb_invalidate", 100), ("block_and_wake", 3000), ("create_dispatcher", 10_000), ("thread_switch", 50),
    ("message_dispatch", 40), ("protocol_step", 40), ("poll", 6), ("cap_copy", 250), ("cap_mint", 250),
    ("cap_retype", 500), ("cap_delete", 400), ("cap_revoke", 400), ("cap_identify", 60), ("map_page", 120),
    ("map_table", 120), ("unmap_page", 120), ("unmap_table", 120), ("protect_page", 120), ("zero_page", 1024),
)  # fmt: skip
COSTS = tuple(Cost(name, cycles, "assumption: a round number for code of that length") for name, cycles in _CYCLES)


class Armv8Driver:
    """The model of one kind; see `multikernel.system.driver.CpuDriverModel`."""

    isa = "armv8-a"
    paging = "aarch64"

    def __init__(self, kind: CoreKind) -> None:
        self.costs = COSTS
