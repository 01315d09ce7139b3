"""The paper's machines as blueprints that hold only what the coherence model reads.

Latencies: Baumann et al., SOSP 2009, table 2.  Links: its section 4.1; where it says only "square" or "ladder"
the plain one is taken.  Bandwidth: HyperTransport at 1 GHz, 16 bits, two transfers a clock: 4000 MB/s each way.
Time of a link: 15 ns, half of what one link more to the farthest node adds to a miss on a four-socket Barcelona
(McCalpin, "AMD Opteron Memory Latency Chart", 2010: 100 and 130 ns).
"""

from __future__ import annotations

from multikernel.blueprint import (
    SCHEMA,
    Blueprint,
    CoreEntry,
    CoreKind,
    Interconnect,
    Island,
    Latency,
    Link,
    Memory,
)

NODE_LINES = 1 << 20
SQUARE = ((0, 1), (1, 3), (3, 2), (2, 0))
LADDER = ((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (2, 4), (4, 6), (1, 3), (3, 5), (5, 7))


def machine(
    *,
    nodes: int,
    per_node: int,
    mhz: int,
    latencies: dict[str, int],
    links: tuple[tuple[int, int], ...] = (),
    protocol: str = "probe-broadcast",
    level: str = "L3",
    group: int = 0,
    outstanding: int = 1,
    store_buffer: int = 44,
    bandwidth_mbs: int = 4000,
    hop_ns: int = 15,
    islands: int = 1,
) -> Blueprint:
    """`latencies` in cycles by class; `group` cores share a cache (0: those of a node); memory of node n begins
    at line n * NODE_LINES."""
    group = group or per_node
    count = nodes * per_node
    return Blueprint(
        schema=SCHEMA,
        board="test",
        board_hash="",
        bindings=(),
        kinds=(CoreKind("c", "x86-64", mhz, 64, "little", "full", "", (), -1, store_buffer, outstanding),),
        cores=tuple(_core(core, per_node, group, core * islands // count) for core in range(count)),
        memory=tuple(
            Memory(f"dram{node}", "dram", node * NODE_LINES * 64, NODE_LINES * 64, node) for node in range(nodes)
        ),
        views=(),
        interconnect=Interconnect(
            groups=(level,) * (count // group),
            nodes=tuple(range(nodes)),
            links=tuple(Link(a, b, "ht", bandwidth_mbs, hop_ns * 1000) for a, b in links),
            distances=(),
            islands=(Island(protocol, 64, ()),) * islands,
            latencies=tuple(
                Latency(name, cycles * 1_000_000 // mhz, 0, "published", "SOSP 2009, table 2")
                for name, cycles in latencies.items()
            ),
        ),
        pair_classes=(),
        channels=(),
        trees=(),
        boot_core=0,
        boot=(),
    )


def _core(core: int, per_node: int, group: int, island: int) -> CoreEntry:
    node, shared = core // per_node, core // group
    return CoreEntry(core, "c", "phys", node, island, node, shared, core, "boot", "", (shared,))


def intel_2x4(outstanding: int = 1) -> Blueprint:
    return machine(
        nodes=1, per_node=8, mhz=2660, group=2, level="L2", protocol="bus", outstanding=outstanding,
        latencies={"shared:L2": 180, "hops:0": 570},
    )  # fmt: skip


def amd_2x2(outstanding: int = 1) -> Blueprint:
    return machine(
        nodes=2, per_node=2, mhz=2800, level="die", links=((0, 1),), outstanding=outstanding,
        latencies={"shared:die": 450, "hops:1": 532},
    )  # fmt: skip


def amd_4x4(outstanding: int = 1) -> Blueprint:
    return machine(
        nodes=4, per_node=4, mhz=2500, links=SQUARE, outstanding=outstanding,
        latencies={"shared:L3": 448, "hops:1": 545, "hops:2": 558},
    )  # fmt: skip


def amd_8x4(outstanding: int = 1, bandwidth_mbs: int = 4000, hop_ns: int = 15) -> Blueprint:
    return machine(
        nodes=8, per_node=4, mhz=2000, links=LADDER, outstanding=outstanding, bandwidth_mbs=bandwidth_mbs,
        hop_ns=hop_ns,
        latencies={"shared:L3": 538, "hops:1": 613, "hops:2": 618},
    )  # fmt: skip
