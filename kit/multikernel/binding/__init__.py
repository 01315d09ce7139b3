"""Late binding: what a board leaves open is decided by queries to the SKB.

    board_facts    a board as facts, each with its place in the file
    plugin_facts   what is installed as facts, and each `requires` as a rule
    slots          one decision a slot: chosen plugin, ranked candidates, unmet requirements
    policies       the kit's policies, or what the board names in their place
    reads          what a decision about a pair of cores can depend on, from the rules
    partition      classes of pairs that are decided alike, split where rules tell pairs apart
    pairs          classes of pairs of cores: transport, home, window
    device_facts   devices, caches and memory's places as facts
    placements     drivers, interrupts, PCI windows, sharing groups, memory of cores
    pci            windows packed into apertures
    layout         channels placed in memory, with the address each side sees
    trees          the four multicast trees

`multikernel.assemble` puts them in the order of a boot.

May not know: platforms, any plugin.
"""
