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

from collections.abc import Mapping, Sequence

from multikernel.blueprint import Tree, TreeNode
from multikernel.board.topology import Topology
from multikernel.knowledge.skb import Skb


def trees(topology: Topology, skb: Skb) -> tuple[Tree, ...]:
    """All four, every core in each."""
    root = topology.boot_core
    flat = (TreeNode(root, tuple(core.id for core in topology.cores if core.id != root)),)
    packages = {row[0]: row[1] for row in skb.query("close(C, P)").integers()}
    by_package = [core for _, _, core in skb.query("multicast_order(K, P, C)").integers()]
    farthest_first = [core for _, _, core in skb.query("numa_order(K, P, C)").integers()]
    return (
        Tree("broadcast", "root", flat),
        Tree("unicast", "root", flat),
        Tree("multicast", "root", _two_levels(topology, by_package, packages)),
        Tree("numa", "receiver", _two_levels(topology, farthest_first, packages)),
    )


def _two_levels(topology: Topology, leaders: Sequence[int], packages: Mapping[int, int]) -> tuple[TreeNode, ...]:
    """Root -> leaders -> the cores of their packages.  What has no leader hangs under the root, last."""
    root = topology.boot_core
    leader_of = {packages[leader]: leader for leader in leaders}
    members: dict[int, list[int]] = {root: list(leaders), **{leader: [] for leader in leaders}}
    for core in topology.cores:
        if core.id != root and core.id not in members:
            package = packages.get(core.id)
            members[root if package is None else leader_of.get(package, root)].append(core.id)
    return tuple(TreeNode(core, tuple(children)) for core, children in members.items() if children or core == root)
