"""What a program's row words mean, as columns.

A program on bare metal tells six integers a row (`w1` to `w6`; see ROW in monitor.h).  `ping`'s become
the columns every platform gives; those of a program not named here keep their names.

Integer arithmetic throughout: the same row gives the same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

from multikernel.blueprint import Blueprint
from multikernel.events import Row

WORDS = tuple(f"w{i}" for i in range(1, 7))


def decimal(numerator: int, denominator: int, digits: int) -> str:
    """The quotient of two positive integers, rounded half up to `digits` after the point."""
    scale = 10**digits
    scaled = (2 * numerator * scale + denominator) // (2 * denominator)
    return f"{scaled // scale}.{scaled % scale:0{digits}}"


def _ping(blueprint: Blueprint, words: tuple[int, ...]) -> Row:
    """class, round trips, sum of times, sum of squares, messages, time they took (ping.c).  One way is
    half a round trip, so its standard deviation is half that of the round trips."""
    number, trips, total, squares, messages, elapsed = words
    pair_class = blueprint.pair_classes[number]
    spread = isqrt((trips * squares - total * total) * 10_000)  # 100 * trips * sd
    return Row(
        ("class", "pairs", "cycles", "sd", "per_kcycle"),
        (
            pair_class.name,
            pair_class.pairs,
            (total + trips) // (2 * trips),
            decimal(spread, 200 * trips, 1),
            decimal(messages * 1000, elapsed, 3),
        ),
    )


def result_row(program: str, blueprint: Blueprint, numbers: Mapping[str, int]) -> Row:
    """The row of `program` whose words are in `numbers`."""
    words = tuple(numbers[name] for name in WORDS)
    return _ping(blueprint, words) if program == "ping" else Row(WORDS, words)
