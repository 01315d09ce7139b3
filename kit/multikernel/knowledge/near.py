"""The nearest valid names to a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near(word: str, valid: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """At most `count` of `valid` that look like `word`, nearest first."""
    return tuple(get_close_matches(word, sorted(valid), count, 0.6))
