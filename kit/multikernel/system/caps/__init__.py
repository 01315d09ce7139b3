"""Capabilities of one core: what they are, where they are kept, what may be done with them.

    types.py     the types as a table: sizes, what may become what
    cspace.py    capabilities in the slots of CNodes, and the addresses that name them
    mdb.py       the mapping database: every object and every capability to it on this core
    invoke.py    the one way in: a request on a capability gives an `Outcome`
    copy, retype, delete, mapping: the operations, their steps numbered

Synchronous and without side effects other than on the mapping database: what has to happen to memory
and to TLBs is returned as effects.

May not know: the CPU driver, dispatchers, time, any platform, other cores.
"""
