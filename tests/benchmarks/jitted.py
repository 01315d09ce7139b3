"""The programs of engines.py compiled whole by Numba: queue, cores and messages are arrays, no Python is left.

    programs()   by name; ImportError where Numba is not installed (`pip install 'multikernel-kit[bench]'`)

What it is measured for: how far an engine that runs coroutines is from a program that is one loop.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tests.benchmarks.engines import CORES, DEPTH, LATENCY, SEND, TAKE, UNEVEN, WORK, Program, calls

ROOM = 1 << 12
"""Events that can be queued: more than messages are ever under way."""


@njit
def push(heap, count, time, sequence, what, core, other):
    """Queue an event; an entry is (time, order of queueing, what, core, other)."""
    at = count
    while at > 0:
        above = (at - 1) >> 1
        if heap[above, 0] < time or (heap[above, 0] == time and heap[above, 1] < sequence):
            break
        for column in range(5):
            heap[at, column] = heap[above, column]
        at = above
    heap[at, 0], heap[at, 1], heap[at, 2], heap[at, 3], heap[at, 4] = time, sequence, what, core, other
    return count + 1


@njit
def drop(heap, count):
    """Take the first event away."""
    count -= 1
    time, sequence = heap[count, 0], heap[count, 1]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= count:
            break
        if below + 1 < count and (
            heap[below + 1, 0] < heap[below, 0]
            or (heap[below + 1, 0] == heap[below, 0] and heap[below + 1, 1] < heap[below, 1])
        ):
            below += 1
        if time < heap[below, 0] or (time == heap[below, 0] and sequence < heap[below, 1]):
            break
        for column in range(5):
            heap[at, column] = heap[below, column]
        at = below
    for column in range(5):
        heap[at, column] = heap[count, column]
    return count


@njit
def shootdown(turns):
    heap, clock = np.zeros((ROOM, 5), np.int64), np.zeros(CORES, np.int64)
    count, sequence, acks, done = 0, 0, CORES - 1, -1
    while True:
        if acks == CORES - 1:
            acks = 0
            done += 1
            if done == turns:
                return clock[0]
            for core in range(1, CORES):
                clock[0] += SEND
                sequence += 1
                count = push(heap, count, clock[0] + LATENCY, sequence, 0, core, 0)
        now, what, core = heap[0, 0], heap[0, 2], heap[0, 3]
        count = drop(heap, count)
        if what == 0:
            clock[core] = max(clock[core], now) + WORK
            sequence += 1
            count = push(heap, count, clock[core] + LATENCY, sequence, 1, 0, 0)
        else:
            clock[0] = max(clock[0], now) + TAKE
            acks += 1


@njit
def commit(turns):
    heap, clock = np.zeros((ROOM, 5), np.int64), np.zeros(CORES, np.int64)
    missing, voting = np.zeros(DEPTH, np.int64), np.zeros(DEPTH, np.int64)
    count, sequence, begun, tell = 0, 0, 0, -1
    while True:
        if begun < min(DEPTH, turns):
            tell, begun = begun, begun + 1
            voting[tell] = 1
        if tell >= 0:
            missing[tell] = CORES - 1
            for core in range(1, CORES):
                clock[0] += SEND
                sequence += 1
                count = push(heap, count, clock[0] + LATENCY, sequence, 0, core, tell)
            tell = -1
            if begun < min(DEPTH, turns):
                continue
        if count == 0:
            return clock[0]
        now, what, core, slot = heap[0, 0], heap[0, 2], heap[0, 3], heap[0, 4]
        count = drop(heap, count)
        if what == 0:
            clock[core] = max(clock[core], now) + WORK + UNEVEN * core
            sequence += 1
            count = push(heap, count, clock[core] + LATENCY, sequence, 1, 0, slot)
            continue
        clock[0] = max(clock[0], now) + TAKE
        missing[slot] -= 1
        if missing[slot] == 0:
            if voting[slot]:
                voting[slot], tell = 0, slot
            elif begun < turns:
                begun, voting[slot], tell = begun + 1, 1, slot


@njit
def rpc(table):
    half, turns = table.shape[0], table.shape[1]
    heap, clock = np.zeros((ROOM, 5), np.int64), np.zeros(2 * half, np.int64)
    done = np.zeros(half, np.int64)
    count, sequence = 0, 0
    for core in range(half):
        sequence += 1
        count = push(heap, count, LATENCY, sequence, 0, half + table[core, 0, 0], core)
    while count:
        now, what, core, other = heap[0, 0], heap[0, 2], heap[0, 3], heap[0, 4]
        count = drop(heap, count)
        sequence += 1
        if what == 0:
            clock[core] = max(clock[core], now) + WORK
            count = push(heap, count, clock[core] + LATENCY, sequence, 1, other, core)
            continue
        clock[core] = max(clock[core], now) + table[core, done[core], 1]
        done[core] += 1
        if done[core] < turns:
            count = push(heap, count, clock[core] + LATENCY, sequence, 0, half + table[core, done[core], 0], core)
    return clock[:half].max()


def programs() -> dict[str, Program]:
    """The three, compiled."""
    tables = dict[int, np.ndarray]()

    def table(turns: int) -> np.ndarray:
        if turns not in tables:
            tables[turns] = np.array(calls(turns, CORES), np.int64)
        return tables[turns]

    result: dict[str, Program] = {
        "shootdown": lambda turns: int(shootdown(turns)),
        "commit": lambda turns: int(commit(turns)),
        "rpc": lambda turns: int(rpc(table(turns))),
    }
    for program in result.values():
        program(2)
    return result
