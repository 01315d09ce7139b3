"""sharing: a table replicated once a core, once a group of cores, or once for all, read and updated by every core.

    main    boot core     forms groups, starts a core of each, wires them, lets them go, compares the replicas
    core    every core    leads its group or belongs to it (sharing_core.py)

Each group has one replica of the table in memory of its leader, which its cores read as they would any memory
(`multikernel.system.shared`).  Updates are messages: to the group's leader, up the tree of leaders to the boot core,
which puts them in one order, and down again to every leader, who writes the replica.  A group of one core is a replica
a core, as in a multikernel without sharing; one group of all is shared memory.

    acknowledged    an update is complete when every replica has it
    eventual        who updates goes on at once; replicas are alike when nothing is under way

Parameters: `group` (1, auto and all, one after another), or one of them, or so many cores; auto is what the board's
policy chose (`mkit why BOARD sharing:0`).  `consistency` (both), `reads` before each update (16), `words` of the table
(56, rounded up to entries of 7), `updates` a core (4), `cores` at most (all).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mk_programs.sharing_core import CONSISTENCIES, GO, SERVICE, Saw, Setup, Tree
from multikernel.errors import PeerError
from multikernel.events import Row
from multikernel.system.routes import TREES
from multikernel.system.shared import WORDS, size

if TYPE_CHECKING:
    from multikernel.system.channels import Channel
    from multikernel.system.environment import Environment
    from multikernel.system.runtime import Dispatcher, Listener

COLUMNS = (
    "reads_per_update", "words", "consistency", "group", "replicas", "cores",
    "cycles_per_operation", "torn", "stale", "differing",
)  # fmt: skip
AUTO, ALL = "auto", "all"
LEAD_NS = 20_000
"""How long before they begin cores are told when, for each core: longer than telling one takes."""


class Asked(NamedTuple):
    """One measurement."""

    group: str
    consistency: int
    reads: int
    entries: int
    updates: int


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of reads_per_update, words, consistency, group (as asked for), replicas, cores, cycles_per_operation (of the
    boot core, from when all begin until all are done and every replica has every update, over what each core does),
    torn (reads of words of two versions), stale (reads of an older version than the core had seen, or had been told is
    everywhere), differing (replicas not like the boot core's in the end)."""
    environment = dispatcher.environment
    wanted = environment.parameter("group", "")
    chosen = environment.choice("consistency", CONSISTENCIES)
    reads = environment.count("reads", 16, least=0, most=0xFFFF)
    entries = -(-environment.count("words", 8 * WORDS, most=1 << 16) // WORDS)
    updates = environment.count("updates", 4, most=0xFFFF)
    most = environment.count("cores", 0, least=0)
    if wanted not in ("", AUTO, ALL) and not (wanted.isdecimal() and int(wanted)):
        raise ValueError(f"there is no group {wanted!r}; give {AUTO}, {ALL} or a number of cores")
    listener = await dispatcher.export(SERVICE)
    rows = []
    for consistency in range(len(CONSISTENCIES)):
        for group in (wanted,) if wanted else ("1", AUTO, ALL):
            if chosen in ("", CONSISTENCIES[consistency]):
                asked = Asked(group, consistency, reads, entries, updates)
                rows.append(await measure(dispatcher, listener, asked, most))
    return tuple(rows)


async def measure(dispatcher: Dispatcher, listener: Listener, asked: Asked, most: int) -> Row:
    """Start every core anew, let them work, and compare."""
    channels = await start(dispatcher, listener, most)
    grouped = groups(dispatcher.environment, tuple(channels), asked.group, asked.entries)
    tree = leaders(dispatcher.environment, grouped)
    total = asked.updates * len(channels)
    for group in grouped:
        below = sum(parent == group[0] for parent in tree.values())
        place = Tree(group[0], tree.get(group[0], group[0]), len(group) - 1, below)
        await channels[group[0]].send(setup(asked, total, place))
    for group in grouped:
        await channels[group[0]].recv()
    for group in grouped:  # all leaders are there, so they can connect
        await channels[group[0]].send(GO)
    for group in grouped:
        for core in group[1:]:
            await channels[core].send(setup(asked, total, Tree(group[0], group[0], 0, 0)))
    for channel in channels.values():
        await channel.recv()  # it is wired
    begun = ended = await dispatcher.now() + LEAD_NS * len(channels)
    torn = stale = 0
    for channel in channels.values():
        await channel.send(begun.to_bytes(8, "little"))
    for channel in channels.values():
        saw = Saw.unpacked(await channel.recv())
        torn, stale, ended = torn + saw.torn, stale + saw.stale, max(ended, saw.ended_ns)
    sums = []
    for channel in channels.values():
        await channel.send(GO)
        sums.append(await channel.recv())
    for channel in channels.values():
        await channel.send(GO)
    differing = sum(each != sums[0] for each in sums)
    work = asked.updates * (asked.reads + 1)
    consistency = CONSISTENCIES[asked.consistency]
    mhz = {kind.name: kind.mhz for kind in dispatcher.environment.blueprint.kinds}
    cycles = (ended - begun) * mhz[dispatcher.environment.routes.core(dispatcher.core).kind] // 1000
    return Row(COLUMNS, (
        asked.reads, asked.entries * WORDS, consistency, asked.group, len(grouped), len(channels),
        cycles // work, torn, stale, differing,
    ))  # fmt: skip


async def start(dispatcher: Dispatcher, listener: Listener, most: int) -> dict[int, Channel]:
    """A dispatcher on each core that is up, `most` at most (0: no limit), by core, the boot core first."""
    first = dispatcher.core
    cores = [first, *(core for core in dispatcher.environment.routes.cores if core != first)]
    channels: dict[int, Channel] = {}
    for core in cores[: most or None]:
        try:
            await dispatcher.spawn_on(core, "sharing-core")
        except PeerError:
            continue  # a core that is not up
        channels[core] = await listener.accept()
    return channels


def setup(asked: Asked, total: int, place: Tree) -> bytes:
    """What a core is told."""
    return Setup(asked.consistency, asked.reads, asked.entries, asked.updates, total, place).packed()


def groups(environment: Environment, cores: tuple[int, ...], wanted: str, entries: int) -> list[tuple[int, ...]]:
    """The cores in groups, each led by its first, the boot core's first.  None goes beyond an island or who sees its
    leader's memory."""
    found: list[list[int]] = []
    policy = {core: index for index, group in enumerate(chosen(environment)) for core in group}
    limit = int(wanted) if wanted.isdecimal() else len(cores)
    routes, layout = environment.routes, environment.layout
    for core in cores:
        for group in found:
            leader = group[0]
            together = wanted != AUTO or policy.get(core, -1) == policy.get(leader, -2)
            sees = layout.sees(core, layout.arena(leader).base, size(entries))
            if len(group) < limit and together and sees and routes.same_island(core, leader):
                group.append(core)
                break
        else:
            found.append([core])
    return [tuple(group) for group in found]


def chosen(environment: Environment) -> list[tuple[int, ...]]:
    """The groups of cores that the blueprint says may share."""
    found = []
    for placement in environment.blueprint.placements:
        if placement.slot.startswith("sharing:"):
            ends = [part.partition("-") for part in str(placement.value).split(",")]
            found.append(tuple(core for first, _, last in ends for core in range(int(first), int(last or first) + 1)))
    return found


def leaders(environment: Environment, grouped: list[tuple[int, ...]]) -> dict[int, int]:
    """For each leader but the first the one above it: the nearest on the way up the tree `numa`, else the first."""
    every = {group[0] for group in grouped}
    root, tree = grouped[0][0], TREES.index("numa")
    above = {}
    for group in grouped[1:]:
        core = environment.routes.member(tree, group[0]).parent
        while core >= 0 and core not in every:
            core = environment.routes.member(tree, core).parent
        above[group[0]] = core if core >= 0 else root
    return above
