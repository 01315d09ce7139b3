"""Reservations: numbers, each held by one process at most, on every core that process spans.

    reserve(number), free(number) -> the value to agree on

A replicated object that refuses: a number that is held, or that another agreement under way asks for, cannot be
reserved; only what a process holds it can free.  The result of an agreement is 1 if it was carried out, 0 if not.
What a process holds when it ends stays held.

May not know: which protocol asks, what a number stands for.
"""

from __future__ import annotations

FREE = 1
"""The bit of a value that says the number is freed."""


def reserve(number: int) -> int:
    """The value that reserves `number`, below 2**63."""
    return number << 1


def free(number: int) -> int:
    """The value that frees it."""
    return number << 1 | FREE


class Reservations:
    """One core's replica: see `multikernel.system.monitor.agreement.Replica`."""

    def __init__(self) -> None:
        self._held: dict[int, str] = {}
        self._asked: dict[int, None] = {}

    async def vote(self, process: str, value: int) -> bool:
        """Accepted, the number is out of others' reach until it is applied or released."""
        number = value >> 1
        holder = self._held.get(number)
        accepted = number not in self._asked and holder == (process if value & FREE else None)
        if accepted:
            self._asked[number] = None
        return accepted

    async def release(self, process: str, value: int) -> None:
        """It is as before."""
        del self._asked[value >> 1]

    async def apply(self, process: str, value: int) -> None:
        """It is held by `process`, or by nobody."""
        number = value >> 1
        self._asked.pop(number, None)
        if value & FREE:
            self._held.pop(number, None)
        else:
            self._held[number] = process

    async def completed(self, process: str, value: int, committed: bool) -> int:
        """1 if it was carried out."""
        return int(committed)
