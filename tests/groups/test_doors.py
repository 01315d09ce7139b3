"""Objects that are agreed on among equals need no boot core: who has not met by then comes to a channel without it."""

from __future__ import annotations

import pytest

from multikernel.assemble import assemble
from multikernel.campaign import replay
from multikernel.campaign.trial import Subject
from multikernel.interfaces import LINE
from multikernel.registry import Registry
from multikernel.system.layout import Layout
from multikernel.system.monitor.doors import LONGEST, knock, knocked
from tests.groups.toys import subject

BEFORE, AMID = "stop:0@run+60us", "stop:0@run+141us"
"""When a boot core of sixteen dies: before anybody has been called to meet, and while they do."""


@pytest.mark.parametrize("strike", [BEFORE, AMID, "stop:0@run+216us"])
def test_an_object_is_agreed_on_when_the_boot_core_died_before_it_was_used(strike: str) -> None:
    assert replay("mesh:4x4", "store", seed=5, faults=(strike,), jitter_ns=2000) == ""


@pytest.mark.parametrize("message", range(1, 7))
def test_who_asks_first_is_not_left_waiting(message: int) -> None:
    """The boot core has the question, and dies before it calls anybody."""
    assert replay("mesh:4x4", "store", seed=5, faults=(f"stop:0@run+message:{message}",), jitter_ns=2000) == ""


@pytest.mark.parametrize("strike", [BEFORE, AMID])
def test_another_of_five_may_die_as_well(strike: str) -> None:
    assert replay("mesh:4x4", "store", seed=5, faults=(strike, "stop:1@run+150us"), jitter_ns=2000) == ""


def test_caches_that_are_not_coherent_with_all_do_not_swallow_who_knocks() -> None:
    assert replay("zcu102", "store", seed=60, faults=("stop:0@run+60us",), jitter_ns=2000) == ""


def test_a_boot_core_that_stalls_and_goes_on_introduces_nobody_twice() -> None:
    """It comes back when others have begun to do without it."""
    assert replay("mesh:4x4", "store", seed=3, faults=("stall:0@run+141us+20ms",), jitter_ns=2000) == ""


def test_news_get_around_a_boot_core_that_died_before_the_first() -> None:
    assert replay("mesh:5x1", "load", seed=70, faults=("stop:0@run+70us",), jitter_ns=2000) == ""


def test_a_line_with_parts_of_two_says_nothing() -> None:
    one, other = knock(3, 1, b"a" * LONGEST), knock(4, 1, b"b" * LONGEST)
    assert len(one) == LINE
    assert knocked(one) == (3, b"a" * LONGEST)
    for word in range(8, LINE, 8):
        assert knocked(one[:word] + other[word:]) is None
    assert knocked(bytes(LINE)) is None


def test_who_knocks_again_says_something_new() -> None:
    assert knock(3, 1, b"a") != knock(3, 2, b"a")


@pytest.mark.parametrize("board", ["mesh:3x1", "zcu102", "xeon-accel"])
def test_a_door_is_no_bell(board: str) -> None:
    layout = Layout(assemble(board, Registry.load(), platform="sim"))
    assert not set(layout.doors(0)) & {line for number in (1, 2, 1023) for line in layout.bells(0, number)}
    assert layout.door(0, 1) in layout.doors(0)


def test_boards_whose_cores_hear_each_other_through_others_say_so() -> None:
    assert subject().relays == ()
    assert Subject.of("xeon-accel", "store").relays == (0,)
