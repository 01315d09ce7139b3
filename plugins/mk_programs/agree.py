"""agree: what an agreement costs, one at a time and several under way.

    main      boot core           makes its process span every core, then agrees: on a page that nobody has mapped
                                  (object `shootdown`), on numbers that it reserves (object `reservation`)
    member    every other core    is there, so that its core takes part

Each object is agreed on by the protocol that the board binds for it, with 1 to 16 under way: when one completes the
next begins.  Over a tree it is so over each of the four; objects agreed on among equals (a log, a store, loads) are
updated from the boot core, and those that hold them take part.  Numbers are freed again between two measurements,
outside the time taken.

Parameters: `updates` a row (32), `cores` at most (all), `outstanding` to take one depth only, `protocol` to take one
only, `tree` to take one only, `taken` so many of the numbers are reserved before, so that reserving them is refused
(0).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from multikernel.errors import PeerError
from multikernel.events import Row
from multikernel.system.monitor.objects import KEYS, write
from multikernel.system.monitor.reservations import free, reserve
from multikernel.system.routes import TREES

if TYPE_CHECKING:
    from multikernel.system.completion import Completion
    from multikernel.system.runtime import Dispatcher

COLUMNS = ("protocol", "tree", "cores", "outstanding", "cycles_per_update", "aborted")
DEPTHS = (1, 2, 4, 8, 16)
PAGE, NUMBERS = "shootdown", "reservation"
EQUALS = ("log", "store", "load")
GROUP = "group"
"""What stands for a tree where there is none."""
NOWHERE = 1 << 40
"""An address at which this program maps nothing."""


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of protocol, tree (or `group`), cores (that agree), outstanding (at most), cycles_per_update (mean, of the
    boot core, from the first begun to the last complete), aborted (refused by a core)."""
    environment = dispatcher.environment
    updates = environment.count("updates", 32)
    most = environment.count("cores", 0, least=0)
    depth = environment.count("outstanding", 0, least=0, most=DEPTHS[-1])
    taken = environment.count("taken", 0, least=0, most=updates)
    bound = {
        binding.slot.partition(":")[2]: binding.plugin
        for binding in environment.blueprint.bindings
        if binding.slot in [f"consistency:{name}" for name in (PAGE, NUMBERS, *EQUALS)]
    }
    only = environment.choice("protocol", tuple(bound.values()))
    tree_only = environment.choice("tree", TREES)
    trees = (tree_only,) if tree_only else TREES
    wanted = {name: protocol for name, protocol in bound.items() if only in ("", protocol)}
    spanned = 1 + (await span(dispatcher, most) if PAGE in wanted or NUMBERS in wanted else 0)
    rows: list[Row] = []
    for name, protocol in wanted.items():
        holders = environment.routes.holders(name)
        for tree in (GROUP,) if holders else trees:
            for outstanding in (depth,) if depth else DEPTHS:
                cycles, aborted = await measure(dispatcher, name, tree, outstanding, (updates, taken))
                cores = len(holders) or spanned
                rows.append(Row(COLUMNS, (protocol, tree, cores, outstanding, cycles // updates, aborted)))
    return tuple(rows)


async def span(dispatcher: Dispatcher, most: int) -> int:
    """Start a member on every other core that runs, `most` - 1 at most (0: no limit); how many."""
    started = 0
    for core in dispatcher.environment.blueprint.cores:
        if core.id != dispatcher.core and (not most or started + 1 < most):
            try:
                await dispatcher.spawn_on(core.id, "agree-member")
            except PeerError:
                continue  # a core that is not up
            started += 1
    return started


async def measure(
    dispatcher: Dispatcher, name: str, tree: str, outstanding: int, counts: tuple[int, int]
) -> tuple[int, int]:
    """Cycles of as many updates as the first of `counts`, and how many were aborted."""
    updates, taken = counts if name == NUMBERS else (counts[0], 0)
    values = [value(name, number) for number in range(updates)]
    await pipeline(dispatcher, name, tree, values[:1] * (not taken), 1)  # channels are made on first use
    await pipeline(dispatcher, name, tree, [free(0)] * (name == NUMBERS and not taken), 1)
    await pipeline(dispatcher, name, tree, values[:taken], 1)
    before = await dispatcher.cycles()
    committed = await pipeline(dispatcher, name, tree, values, outstanding)
    cycles = await dispatcher.cycles() - before
    if name != NUMBERS:
        return cycles, 0
    await pipeline(dispatcher, name, tree, [free(number) for number in range(updates)], DEPTHS[-1])
    return cycles, updates - committed


def value(name: str, number: int) -> int:
    """What to agree on for an object as update `number`."""
    match name:
        case "shootdown":
            return NOWHERE
        case "reservation":
            return reserve(number)
        case "store":
            return write(number % KEYS, number)
    return number


async def pipeline(dispatcher: Dispatcher, name: str, tree: str, values: list[int], outstanding: int) -> int:
    """Agree on all `values`, `outstanding` at a time, in order; the sum of what came of them."""
    under_way: deque[Completion[int]] = deque()
    total = 0
    for value in values:
        if len(under_way) == outstanding:
            total += await under_way.popleft()
        under_way.append(dispatcher.agree(name, value, TREES[-1] if tree == GROUP else tree))
    while under_way:
        total += await under_way.popleft()
    return total


async def member(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Nothing: the core belongs to the process from here on, and its monitor takes part."""
    return ()
