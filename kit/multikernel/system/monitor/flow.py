"""Credits of one end of a virtual circuit, as step functions over plain data.

A message holds a credit from when the dispatcher at one end sent it until the dispatcher at the other has read it,
so that no more than a window is ever under way, wherever it waits.  The dispatchers count for themselves
(`system/circuit.py`); these functions are what their monitors let through, whatever the dispatchers do.

    send(flow)            may a message of this end's dispatcher go?
    receive(flow)         may a message from the other end be handed over?
    read(flow, count)     this end's dispatcher has read so many: how many credits that gives the other
    credit(flow, count)   the other end gives credits: how many of them are true

May not know: messages, links, dispatchers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Flow:
    """`credits`: how many more messages may go.  `unread`: how many came that have not been read."""

    slots: int
    credits: int
    unread: int = 0


def begin(slots: int) -> Flow:
    """An end with a window of `slots` messages each way."""
    return Flow(slots, slots)


def send(flow: Flow) -> bool:
    """False when a window is under way: then the message waits."""
    if flow.credits == 0:
        return False
    flow.credits -= 1
    return True


def receive(flow: Flow) -> bool:
    """False when the other end sends more than a window: then the message is dropped."""
    if flow.unread == flow.slots:
        return False
    flow.unread += 1
    return True


def read(flow: Flow, count: int) -> int:
    """No more than came."""
    count = min(count, flow.unread)
    flow.unread -= count
    return count


def credit(flow: Flow, count: int) -> int:
    """No more than were sent."""
    count = min(count, flow.slots - flow.credits)
    flow.credits += count
    return count
