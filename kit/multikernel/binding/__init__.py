"""Late binding: what a board leaves open is decided by queries to the SKB.

    board_facts    a board as facts, each with its place in the file
    plugin_facts   what is installed as facts, and each `requires` as a rule
    slots          one decision a slot: chosen plugin, ranked candidates, unmet requirements
    pairs          classes of pairs of cores: transport, home, window
    layout         channels placed in memory, with the address each side sees
    trees          the four multicast trees

`multikernel.assemble` puts them in the order of a boot.

May not know: platforms, any plugin.
"""
