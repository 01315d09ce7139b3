"""The four multicast trees, rooted at the boot core.

    broadcast    one buffer at the root, polled by all; the root writes once
    unicast      a channel to each core; the root writes to each
    multicast    to one core of each package, which hands on inside it
    numa         the same, the farthest package first, buffers at the receiver

Source: Baumann et al., SOSP 2009, 5.1.  Which core leads a package and who is farther is policy
(`knowledge/policies/tree.dl`).

May not know: transports, memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.blueprint import Tree, TreeNode
from multikernel.board.topology import Topology
from multikernel.knowledge.skb import Skb


def trees(topology: Topology, skb: Skb) -> tuple[Tree, ...]:
    """All four, every core in each."""
    root = topology.boot_core
    flat = (TreeNode(root, tuple(core.id for core in topology.cores if core.id != root)),)
    by_package = [core for _, _, core in skb.query("multicast_order(K, P, C)").rows]
    farthest_first = [core for _, _, core in skb.query("numa_order(K, P, C)").rows]
    return (
        Tree("broadcast", "root", flat),
        Tree("unicast", "root", flat),
        Tree("multicast", "root", _two_levels(topology, [c for c in by_package if isinstance(c, int)])),
        Tree("numa", "receiver", _two_levels(topology, [c for c in farthest_first if isinstance(c, int)])),
    )


def _two_levels(topology: Topology, leaders: Sequence[int]) -> tuple[TreeNode, ...]:
    """Root -> leaders -> the cores of their packages.  What has no leader hangs under the root, last."""
    root = topology.boot_core
    leader_of = {topology.core(leader).package: leader for leader in leaders}
    members: dict[int, list[int]] = {root: list(leaders), **{leader: [] for leader in leaders}}
    for core in topology.cores:
        if core.id != root and core.id not in members:
            members[leader_of.get(core.package, root)].append(core.id)
    return tuple(TreeNode(core, tuple(children)) for core, children in members.items() if children or core == root)
