"""The ARMv7-R half of a CPU driver: its protection regions and what its paths cost.

No measurement of these paths on such a core is at hand: every figure here is an assumption, a round number
for code of that length, and says so.  A board's figures go before these.

May not know: the driver's logic, which is the same for every ISA (`multikernel.system.driver`).
"""

from __future__ import annotations

from multikernel.blueprint import CoreKind, Cost

_CYCLES = (
    ("boot", 20000), ("start_core", 20000), ("trap", 150), ("cap_invoke", 300),
    ("context_switch", 400), ("upcall", 100), ("lmp_send", 100), ("lrpc", 800), ("ipi_send", 100),
    ("ipi_latency", 200), ("ipi_trap", 200), ("timer", 200), ("page_fault", 200), ("page_walk_level", 10),
    ("tlb_invalidate", 20), ("block_and_wake", 1500), ("create_dispatcher", 10_000), ("thread_switch", 50),
    ("message_dispatch", 40), ("protocol_step", 40), ("poll", 6), ("cap_copy", 250), ("cap_mint", 250),
    ("cap_retype", 500), ("cap_delete", 400), ("cap_revoke", 400), ("cap_identify", 60), ("map_page", 120),
    ("map_table", 120), ("unmap_page", 120), ("unmap_table", 120), ("protect_page", 120), ("zero_page", 1024),
)  # fmt: skip
COSTS = tuple(Cost(name, cycles, "assumption: a round number for code of that length") for name, cycles in _CYCLES)


class Armv7rDriver:
    """The model of one kind; see `multikernel.system.driver.CpuDriverModel`."""

    isa = "armv7-r"
    paging = "armv7-r"

    def __init__(self, kind: CoreKind) -> None:
        self.costs = COSTS
