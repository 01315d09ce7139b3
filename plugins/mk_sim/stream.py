"""A seeded stream of integers: splitmix64.

Every simulated core owns one, seeded by (seed, number), so what one core draws never depends on
what another drew.  Algorithm: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014, with the constants of Vigna's splitmix64.c.

Interface: `Stream(seed, number)`, `next()`, `below(bound)`.
Invariant: the same (seed, number) gives the same integers on every Python and platform.
May not know: the engine, `random`.
"""

from __future__ import annotations

from multikernel.errors import LocalMisuse

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Stream:
    """A stream of 64-bit integers, uniform, without any state outside itself."""

    __slots__ = ("_state",)

    def __init__(self, seed: int, number: int) -> None:
        # Mixing each half keeps streams of neighbouring numbers from being shifts of one another.
        self._state = _mix(_mix(seed & _MASK) ^ ((number + 1) * _GOLDEN & _MASK))

    def next(self) -> int:
        """The next integer, 0 <= n < 2**64."""
        self._state = (self._state + _GOLDEN) & _MASK
        return _mix(self._state)

    def below(self, bound: int) -> int:
        """An integer, 0 <= n < bound, without bias.  Raises LocalMisuse for a bound below 1."""
        if bound < 1:
            raise LocalMisuse(f"below({bound}): the bound must be at least 1")
        limit = (1 << 64) - (1 << 64) % bound
        while (value := self.next()) >= limit:
            pass
        return value % bound
