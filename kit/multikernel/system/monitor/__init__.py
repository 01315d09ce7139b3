"""Building blocks of a monitor: the user-mode process of each core that speaks for it to the others.

    events.py         the loop: lines and local messages in, handlers out, idling the core
    links.py          boot, and how the monitors reach each other
    introductions.py  how two of them come to a channel
    doors.py          a line a core, for who has no other way to it
    link.py           a channel to one other monitor
    relay.py          messages to cores that no link joins
    binding.py        export, connect and accept for the dispatchers of this core
    circuits.py       the same between cores on which dispatchers can share no channel
    flow.py           the credits of a circuit
    processes.py      dispatchers started here or elsewhere
    agreement.py      consistency protocols over a tree, run as step functions
    reservations.py   numbers that one process holds, agreed on
    groups.py         consistency protocols among equals
    gathering.py      those that hold an object meet before it is used
    objects.py        a log, a store and loads, agreed on among equals
    fanout.py         the broadcast channel
    frames.py         memory for the dispatchers of this core, and memory passed on
    memory.py         the memory of this core
    watching.py       lines polled on behalf of blocked dispatchers
    console.py        on the boot core: the boot list, and programs asked for from outside

A monitor plugin composes them; nothing here knows which.  May not know: the CPU driver, platforms.
"""
