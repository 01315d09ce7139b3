"""The x86-64 half of a CPU driver: its page tables and what its paths cost.

A board's figures go before these.  Costs whose source is an assumption are round numbers for code of that
length; none was chosen by looking at a result.

May not know: the driver's logic, which is the same for every ISA (`multikernel.system.driver`).
"""

from __future__ import annotations

from multikernel.blueprint import CoreKind, Cost

TN9 = "Barrelfish TN-009"
ASSUMED = "assumption"

COSTS = (
    Cost("boot", 100_000, f"{ASSUMED}: descriptor tables, page tables and timer of a core, 50 us at 2 GHz"),
    Cost("start_core", 400_000, "Intel SDM vol. 3A 8.4.4: INIT, 10 ms or less, SIPI, 200 us; the 200 us at 2 GHz"),
    Cost("trap", 800, f"{TN9}: system call, 800 cycles"),
    Cost("cap_invoke", 1200, f"{TN9}: capability invocation, 2000 cycles, less the trap"),
    Cost("context_switch", 1900, f"{TN9}: domain activation, 2000 cycles, less the upcall"),
    Cost("upcall", 100, f"{ASSUMED}: part of the domain activation of {TN9}"),
    Cost("lmp_send", 100, f"{ASSUMED}: copying a message of one line"),
    Cost("lrpc", 1500, "Baumann et al., SOSP 2009, table 1: 757 to 1549 cycles; about its largest two"),
    Cost("ipi_send", 100, f"{ASSUMED}: a write to the local APIC"),
    Cost("ipi_latency", 300, f"{ASSUMED}: through the interconnect, about half a line's message"),
    Cost("ipi_trap", 800, "Baumann et al., SOSP 2009: taking an IPI's trap"),
    Cost("timer", 800, "as ipi_trap"),
    Cost("page_fault", 800, "as trap"),
    Cost("page_walk_level", 10, f"{ASSUMED}: a second-level cache hit a level"),
    Cost("tlb_invalidate", 95, "Baumann et al., SOSP 2009: 95 to 320 cycles; its least"),
    Cost("block_and_wake", 6000, "Baumann et al., SOSP 2009: IPI and context switch of a receiver that blocked"),
    Cost("create_dispatcher", 10_000, f"{ASSUMED}: clearing and filling a control block and a capability space"),
    Cost("thread_switch", 50, f"{ASSUMED}: saving and loading the registers of a user-level thread"),
    Cost("message_dispatch", 30, f"{ASSUMED}: decoding a line and an indirect call"),
    Cost("protocol_step", 30, f"{ASSUMED}: a table look-up and a few stores"),
    Cost("poll", 5, "AMD 40546: 3 cycles load-to-use of a first-level hit, and the compare and branch"),
    Cost("cap_copy", 200, f"{ASSUMED}: an insertion into the mapping database"),
    Cost("cap_mint", 200, "as cap_copy"),
    Cost("cap_retype", 400, f"{ASSUMED}: a range check and an insertion"),
    Cost("cap_delete", 300, f"{ASSUMED}: a look-up and a removal"),
    Cost("cap_revoke", 300, "as cap_delete"),
    Cost("cap_identify", 50, f"{ASSUMED}: a copy of a capability"),
    Cost("map_page", 100, f"{ASSUMED}: checks and one store"),
    Cost("map_table", 100, "as map_page"),
    Cost("unmap_page", 100, "as map_page"),
    Cost("unmap_table", 100, "as map_page"),
    Cost("protect_page", 100, "as map_page"),
    Cost("zero_page", 512, f"{ASSUMED}: 8 bytes a cycle"),
)


class X86Driver:
    """The model of one kind; see `multikernel.system.driver.CpuDriverModel`."""

    isa = "x86-64"
    paging = "x86_64"

    def __init__(self, kind: CoreKind) -> None:
        self.costs = COSTS
