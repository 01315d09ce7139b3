"""What the model predicts where its constants are known only as intervals: every figure as [low, high].

    python -m tests.sim.intervals [throughput] [shootdown]

Each constant that no source identifies is in CONSTANTS, with both ends and the reason for each.  Throughput of table 2
and the curves of a shootdown are worked out at every corner of them: each combination of ends, and of what lies
between where a constant is taken at more than two values.  A figure's interval is from the least to the greatest over
the corners.  What is not monotone in a constant may lie outside between two values; nothing is drawn or fitted.

An order is said to hold only if it holds at every corner.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise, product

from mk_sim.parameters import Parameters, derive
from multikernel.blueprint import Blueprint, Interconnect
from tests.sim.machines import LADDER, amd_2x2, amd_4x4, amd_8x4, intel_2x4
from tests.sim.shootdown import PROTOCOLS, curves
from tests.sim.table2 import PUBLISHED, predict_from

MACHINES: tuple[Callable[[int], Blueprint], ...] = (intel_2x4, amd_2x2, amd_4x4, amd_8x4)
TWISTED = (*(link for link in LADDER if link not in ((2, 3), (4, 5))), (2, 5), (3, 4))
"""The ladder with its inner rungs replaced by crosses, the other layout of eight sockets of three links each: as many
links, three hops at most instead of four."""
ORDER = ("numa", "multicast", "unicast", "broadcast")
"""From the fastest, as the literature has it at 32 cores."""


@dataclass(frozen=True)
class Constant:
    """A constant no source identifies: the values it is taken at, the ends first and last, and why these ends."""

    name: str
    values: tuple[int, ...]
    unit: str
    low: str
    high: str


OUTSTANDING = Constant(
    "misses in flight", (1, 2, 3, 4, 8), "",
    "the least possible",
    "eight of the core's predecessor, AMD 25112 chapter 5",
)  # fmt: skip
HOP = Constant(
    "time of a link", (0, 15, 19), "ns",
    "what a board that states none gets",
    "beyond 19 ns the links alone would take longer than a message within a package was measured to; 15 is McCalpin's",
)  # fmt: skip
FETCH = Constant(
    "part of the fetch", (0, 50, 100), "% of both fixed parts",
    "the ownership takes all that links leave",
    "the fetch does",
)  # fmt: skip
CONTROLLER = Constant(
    "a home's memory controller", (0, 90), "ns a transaction",
    "it is never waited for",
    "a message of table 2 is at least two transactions of one home, and 2.77 of them were measured in 1000 cycles",
)  # fmt: skip
RUNGS = Constant(
    "rungs of the ladder", (0, 1), "crossed",
    "plain",
    "the inner two replaced by crosses, a twisted ladder: each socket has as many links either way",
)  # fmt: skip
CONSTANTS = (OUTSTANDING, HOP, FETCH, CONTROLLER, RUNGS)


@dataclass(frozen=True)
class Corner:
    """One value of each constant."""

    outstanding: int
    hop_ns: int
    fetch_percent: int
    controller_ns: int
    crossed: int


FIELDS = dict(zip(Corner.__dataclass_fields__, CONSTANTS, strict=True))
"""The constant behind each field."""


def corners(outstanding: tuple[int, ...] = OUTSTANDING.values) -> Iterator[Corner]:
    """Every combination, for these misses in flight."""
    for values in product(outstanding, *(constant.values for constant in CONSTANTS[1:])):
        yield Corner(*values)


def hop_limit(machine: Callable[[int], Blueprint]) -> int:
    """The most whole nanoseconds a link of a machine may take so that no class's links alone take longer than its
    measured latency; 0 without links."""
    blueprint = machine(1)
    if not blueprint.interconnect.links:
        return 0
    ns = 0
    while not any("links' alone" in note for note in derive(with_hop(blueprint, ns + 1)).assumptions):
        ns += 1
    return ns


def with_hop(blueprint: Blueprint, ns: int) -> Blueprint:
    wires = blueprint.interconnect
    return with_wires(
        blueprint, replace(wires, links=tuple(replace(link, latency_ps=ns * 1000) for link in wires.links))
    )


def with_wires(blueprint: Blueprint, wires: Interconnect) -> Blueprint:
    return replace(blueprint, interconnect=wires)


def at(corner: Corner) -> Parameters:
    """The 8x4 machine's parameters at a corner."""
    blueprint = amd_8x4(corner.outstanding, hop_ns=corner.hop_ns)
    if corner.crossed:
        wires = blueprint.interconnect
        first = wires.links[0]
        links = tuple(replace(first, a=a, b=b) for a, b in TWISTED)
        blueprint = with_wires(blueprint, replace(wires, links=links))
    parameters = derive(blueprint)
    return replace(parameters, fetch_percent=corner.fetch_percent, controller_ps=corner.controller_ns * 1000)


def throughput(machine: Callable[[int], Blueprint], outstanding: int, most: int = 4) -> dict[str, tuple[float, float]]:
    """[low, high] messages in 1000 cycles by class, over the other constants; `most` pairs of each class."""
    figures: dict[str, list[float]] = {}
    limit = hop_limit(machine)
    for ns, percent in product(sorted({0, min(15, limit), limit}), FETCH.values):
        blueprint = with_hop(machine(outstanding), ns)
        parameters = replace(derive(blueprint), fetch_percent=percent)
        for name, (_, rate) in predict_from(parameters, blueprint.kinds[0].mhz, most).items():
            figures.setdefault(name, []).append(rate)
    return {name: (min(rates), max(rates)) for name, rates in figures.items()}


def shootdown(sizes: list[int], outstanding: int) -> list[tuple[Corner, dict[str, list[int]]]]:
    """The curves at every corner with so many misses in flight."""
    return [(corner, curves(at(corner), 2000, sizes)) for corner in corners((outstanding,))]


def spread(found: list[tuple[Corner, dict[str, list[int]]]], protocol: str, size: int) -> tuple[int, int]:
    """[low, high] cycles of a protocol at the `size`th number of cores."""
    cycles = [result[protocol][size] for _, result in found]
    return min(cycles), max(cycles)


def where_not(found: list[tuple[Corner, dict[str, list[int]]]], faster: str, slower: str, size: int) -> str:
    """Where `faster` is not the faster one at the `size`th number of cores: nothing if it is at every corner, else at
    how many it is not, and which values of a constant all of these share where it has others too."""
    wrong = [corner for corner, result in found if result[faster][size] >= result[slower][size]]
    if not wrong:
        return ""
    shared = []
    for field, constant in FIELDS.items():
        values = sorted({getattr(corner, field) for corner in wrong})
        if len(values) < len({getattr(corner, field) for corner, _ in found}):
            shared.append(f"{constant.name} {' or '.join(map(str, values))}")
    return f"not at {len(wrong)} of {len(found)}" + (f", all of {'; '.join(shared)}" if shared else "")


def controller_limit(outstanding: int, step: int = 5) -> int:
    """The most a home's controller may take, in steps of so many ns, -1 for none, for the whole of ORDER to hold at 32
    cores on either ladder, the fixed parts halved and a link at 15 ns."""
    for ns in range(0, CONTROLLER.values[-1] + step, step):
        for crossed in RUNGS.values:
            result = curves(at(Corner(outstanding, 15, 50, ns, crossed)), 2000, [32])
            if any(result[faster] >= result[slower] for faster, slower in pairwise(ORDER)):
                return ns - step if ns else -1
    return CONTROLLER.values[-1]


def show_constants() -> None:
    for constant in CONSTANTS:
        print(f"{constant.name}: {constant.values[0]} to {constant.values[-1]} {constant.unit}".rstrip())
        print(f"    low   {constant.low}\n    high  {constant.high}")


def show_throughput() -> None:
    print("\nmessages in 1000 cycles\nmachine    class       published   1 miss in flight     8 misses in flight")
    for machine in MACHINES:
        one, eight = throughput(machine, 1), throughput(machine, 8)
        for name, (_, rate) in PUBLISHED[machine].items():
            ranges = "".join(f"{f'{low:.2f} to {high:.2f}':>19}" for low, high in (one[name], eight[name]))
            inside = min(one[name][0], eight[name][0]) <= rate <= max(one[name][1], eight[name][1])
            print(f"{machine.__name__:<10} {name:<11} {rate:>9}{ranges}   {'inside' if inside else 'outside'}")


def show_shootdown() -> None:
    sizes = [4, 8, 16, 32]
    print("\ncycles of a shootdown\nmisses  cores" + "".join(f"{protocol:>18}" for protocol in PROTOCOLS))
    for outstanding in OUTSTANDING.values:
        found = shootdown(sizes, outstanding)
        for index, size in enumerate(sizes):
            ranges = [spread(found, protocol, index) for protocol in PROTOCOLS]
            print(f"{outstanding:>6}{size:>7}" + "".join(f"{f'{low} to {high}':>18}" for low, high in ranges))
        for faster, slower in combinations(ORDER, 2):
            exceptions = where_not(found, faster, slower, len(sizes) - 1)
            print(f"        {faster} before {slower} at 32 cores: {exceptions or 'at every corner'}")
        limit = controller_limit(outstanding)
        held = f"a controller up to {limit} ns" if limit >= 0 else "no controller"
        print(f"        the whole order at 32 cores, fixed parts halved, a link at 15 ns: {held}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", nargs="*", choices=["throughput", "shootdown", []], default=[], help="all")
    options = parser.parse_args()
    show_constants()
    if "shootdown" not in options.what or "throughput" in options.what:
        show_throughput()
    if "throughput" not in options.what or "shootdown" in options.what:
        show_shootdown()


if __name__ == "__main__":
    main()
