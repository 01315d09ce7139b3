"""What the engine is measured by: programs that are the same in every engine, and the bytes of a core."""

from __future__ import annotations

import pytest

from mk_sim import _engine, engine_python
from tests.benchmarks.engine import memory
from tests.benchmarks.engines import messages, ours, tuned_simpy, with_heapq, with_simpy


@pytest.mark.parametrize("turns", [3, 17])
@pytest.mark.parametrize("program", messages())
def test_every_engine_ends_at_the_same_time(program: str, turns: int) -> None:
    engines = [ours(_engine, digest=False), ours(engine_python, digest=True), with_heapq(), with_simpy(), tuned_simpy()]
    ends = {programs[program](turns) for programs in engines}
    assert len(ends) == 1
    assert ends != {0}


def test_a_core_takes_less_than_a_kilobyte() -> None:
    alone, with_coroutine = memory(512)
    assert 0 < alone < with_coroutine < 1024
