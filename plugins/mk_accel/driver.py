"""The half of a CPU driver for a core without MMU or MPU: an accelerator's, a DSP's.

There is nothing to translate and nothing to protect, so nothing here depends on the instruction set: virtual
addresses are those the core's space has, dispatchers are kept apart by convention alone, and capabilities
say what a dispatcher may do, not what it can reach.

No measurement of these paths on such a core is at hand: every figure here is an assumption, a round number
for code of that length on a core with few registers to save and no address space to switch, and says so.
A board's figures go before these.

May not know: the driver's logic, which is the same for every ISA (`multikernel.system.driver`).
"""

from __future__ import annotations

from multikernel.blueprint import CoreKind, Cost

_CYCLES = (
    ("boot", 10000), ("start_core", 20000), ("trap", 100), ("cap_invoke", 300),
    ("context_switch", 200), ("upcall", 100), ("lmp_send", 100), ("lrpc", 500), ("ipi_send", 100),
    ("ipi_latency", 200), ("ipi_trap", 150), ("timer", 150), ("page_fault", 150), ("page_walk_level", 0),
    ("tlb_invalidate", 0), ("block_and_wake", 1000), ("create_dispatcher", 10_000), ("thread_switch", 50),
    ("message_dispatch", 40), ("protocol_step", 40), ("poll", 6), ("cap_copy", 250), ("cap_mint", 250),
    ("cap_retype", 500), ("cap_delete", 400), ("cap_revoke", 400), ("cap_identify", 60), ("map_page", 0),
    ("map_table", 0), ("unmap_page", 0), ("unmap_table", 0), ("protect_page", 0), ("zero_page", 1024),
)  # fmt: skip
NOTHING = "assumption: there is no table to write and no translation to drop"
CODE = "assumption: a round number for code of that length"
COSTS = tuple(Cost(name, cycles, CODE if cycles else NOTHING) for name, cycles in _CYCLES)


class AcceleratorDriver:
    """The model of one kind; see `multikernel.system.driver.CpuDriverModel`."""

    paging = "none"

    def __init__(self, kind: CoreKind) -> None:
        self.isa = kind.isa
        self.costs = COSTS
