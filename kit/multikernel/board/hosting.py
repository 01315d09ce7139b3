"""Which cores of a board are the kernel's: those of kinds that host a CPU driver.

A kind may say that its cores host something else: `app-core` (a system of their own, started by somebody
else) or `offload` (work that a driver hands to them).  Such cores are part of the machine and not of the
kernel: it does not start them, has no channel to them and no memory of them.  The board describes them as
any, so that views of memory, firmware's channels and devices may name them.

    of_the_kernel(topology) -> Topology     its `cores` without them; they are `others`

May not know: plugins, which driver.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multikernel.board.topology import Topology

CPU_DRIVER = "cpu-driver"
"""What the kinds of the kernel's cores host."""


def of_the_kernel(topology: Topology) -> Topology:
    """The same machine with the kernel's cores alone in `cores`, groups, nodes, islands and notifications.  Ranks
    of groups and indices of islands stay; a group may be left without cores."""
    hosted = {core.id for core in topology.cores if topology.kind(core.kind).hosts == CPU_DRIVER}
    if len(hosted) == len(topology.cores):
        return topology

    def kept(cores: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(core for core in cores if core in hosted)

    cores = tuple(core for core in topology.cores if core.id in hosted)
    starters = [core.id for core in cores if core.start == "boot"]
    return replace(
        topology,
        cores=cores,
        others=tuple(core for core in topology.cores if core.id not in hosted),
        groups=tuple(replace(group, cores=kept(group.cores)) for group in topology.groups),
        nodes=tuple(replace(node, cores=kept(node.cores)) for node in topology.nodes),
        islands=tuple(replace(island, cores=kept(island.cores)) for island in topology.islands),
        notifications=tuple(replace(row, src=row.src & hosted, dst=row.dst & hosted) for row in topology.notifications),
        boot_core=(starters or [cores[0].id])[0],
    )
