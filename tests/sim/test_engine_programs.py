"""The programs the engine is measured by are the same in every engine: they end at the same virtual time."""

from __future__ import annotations

import pytest

from mk_sim import engine_python
from mk_sim.engine import FOUND
from tests.benchmarks.engines import messages, ours, tuned_simpy, with_heapq, with_simpy


@pytest.mark.parametrize("turns", [3, 17])
@pytest.mark.parametrize("program", messages())
def test_every_engine_ends_at_the_same_time(program: str, turns: int) -> None:
    engines = [ours(engine_python, digest=True), with_heapq(), with_simpy(), tuned_simpy()]
    if FOUND.module is not None:
        engines += [ours(FOUND.module, digest=False)]
    ends = {programs[program](turns) for programs in engines}
    assert len(ends) == 1
    assert ends != {0}
