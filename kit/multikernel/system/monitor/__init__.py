"""Building blocks of a monitor: the user-mode process of each core that speaks for it to the others.

    events.py      the loop: lines and local messages in, handlers out, idling the core
    links.py       channels to the other monitors, made on first use
    binding.py     export, connect and accept for the dispatchers of this core
    processes.py   dispatchers started here or elsewhere
    agreement.py   consistency protocols run as step functions
    fanout.py      the broadcast channel
    frames.py      memory for the dispatchers of this core, and memory passed on
    memory.py      the memory of this core
    watching.py    lines polled on behalf of blocked dispatchers
    console.py     on the boot core: the boot list, and programs asked for from outside

A monitor plugin composes them; nothing here knows which.  May not know: the CPU driver, platforms.
"""
