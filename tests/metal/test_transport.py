"""What every transport must do, done by its C facet between two cores of each class, for several windows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multikernel.events import ProcessStarted, ProgramDone, ProgramRaised
from tests.metal.conftest import Boot
from tests.metal.machines import four_cores, sources


@pytest.mark.parametrize("slots", [1, 2, 3, 16, 512])
def test_messages_arrive_whole_in_order_and_once(boot: Boot, slots: int) -> None:
    base = four_cores()
    blueprint = replace(base, pair_classes=tuple(replace(c, slots=slots) for c in base.pair_classes))
    events, _ = boot(blueprint, sources("carry.c"), "carry")
    assert not [event.error for event in events if isinstance(event, ProgramRaised)]
    assert [e.core for e in events if isinstance(e, ProcessStarted) and e.name == "carry"] == [0, 1, 0, 2]
    assert [event.name for event in events if isinstance(event, ProgramDone)] == ["carry"]
