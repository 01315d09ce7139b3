"""Ways around the type checker and the linter: their number is committed and may only fall."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CEILINGS = Path(__file__).with_name("ceilings.txt")


def test_the_ways_around_do_not_grow() -> None:
    """A count above its line in ceilings.txt is refused; one below means the line is to be lowered."""
    sources = [file for part in ("kit", "plugins") for file in sorted((ROOT / part).rglob("*.py"))]
    text = "\n".join(file.read_text() for file in sources)
    ceilings = dict(line.rsplit(": ", 1) for line in CEILINGS.read_text().splitlines())
    assert ceilings
    assert {pattern: str(len(re.findall(pattern, text))) for pattern in ceilings} == ceilings
