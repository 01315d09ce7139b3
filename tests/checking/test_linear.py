"""Histories are judged as trying every order would judge them; planted wrong ones are told, and where."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multikernel.checking.linear import Call, Reservation, SequentialModel, Store, linearizable
from multikernel.errors import UsageError

RANDOM = settings(max_examples=300, deadline=None)


def explains(order: Sequence[Call], model: SequentialModel) -> bool:
    """Whether the calls, one after another, have these results, and none comes before one it ended before."""
    states = {}
    for index, call in enumerate(order):
        part = model.part(call)
        states[part], result = model.apply(states.get(part, model.start()), call.operation, call.argument)
        if call.end is not None and call.result not in (None, result):
            return False
        if any(later.end is not None and later.end < call.begin for later in order[index:]):
            return False
    return True


def by_trying(history: Sequence[Call], model: SequentialModel) -> bool:
    """Every order of the calls that ended and any of those that did not."""
    ended = [call for call in history if call.end is not None]
    pending = [call for call in history if call.end is None]
    return any(
        explains(order, model)
        for count in range(len(pending) + 1)
        for chosen in combinations(pending, count)
        for order in permutations([*ended, *chosen])
    )


def calls(operations: st.SearchStrategy[tuple[str, tuple[int, ...]]]) -> st.SearchStrategy[list[Call]]:
    """Up to five calls at small times, with small results."""
    times = st.tuples(st.integers(0, 8), st.integers(0, 6), st.booleans())

    def call(each: tuple[tuple[str, tuple[int, ...]], tuple[int, int, bool], int | None, int]) -> Call:
        (operation, argument), (begin, length, ends), result, process = each
        return Call(process, operation, argument, result, begin, begin + length if ends or length < 5 else None)

    return st.lists(
        st.tuples(operations, times, st.none() | st.integers(0, 2), st.integers(0, 2)).map(call), max_size=5
    )


words = st.integers(0, 2)
keys = st.integers(0, 1)
STORE = st.one_of(
    st.tuples(st.just("read"), st.tuples(keys)),
    st.tuples(st.just("write"), st.tuples(keys, words)),
    st.tuples(st.just("cas"), st.tuples(keys, words, words)),
)
RESERVATION = st.tuples(st.sampled_from(("reserve", "release")), st.tuples(keys, words))


def agrees(history: list[Call], model: SequentialModel) -> None:
    verdict = linearizable(history, model)
    assert (verdict.outcome == "linearizable") == by_trying(history, model)
    if verdict.outcome == "linearizable":
        assert explains(verdict.witness, model)
        assert {call for call in history if call.end is not None} <= set(verdict.witness)
        return
    assert not by_trying(verdict.prefix, model)
    last = max(call.end for call in verdict.prefix if call.end is not None)
    before = [call._replace(end=None) if call.end == last else call for call in verdict.prefix if call.begin < last]
    assert by_trying(before, model), "it is the shortest"


@RANDOM
@given(calls(STORE))
def test_a_store_is_judged_as_by_trying(history: list[Call]) -> None:
    agrees(history, Store())


@RANDOM
@given(calls(STORE), st.randoms(use_true_random=False), st.integers(0, 3))
def test_an_order_that_is_tried_first_changes_no_verdict(history: list[Call], drawn: Random, less: int) -> None:
    likely = drawn.sample(history, max(0, len(history) - less))
    verdict = linearizable(history, Store(), likely=likely)
    assert (verdict.outcome == "linearizable") == by_trying(history, Store())
    assert verdict.outcome == "violated" or explains(verdict.witness, Store())


@RANDOM
@given(calls(STORE))
def test_a_right_order_that_is_tried_first_is_the_witness(history: list[Call]) -> None:
    """With it nothing is searched: there is no budget for that."""
    verdict = linearizable(history, Store())
    if verdict.outcome == "linearizable":
        assert linearizable(history, Store(), budget=0, likely=verdict.witness) == verdict


@RANDOM
@given(calls(RESERVATION))
def test_reservations_are_judged_as_by_trying(history: list[Call]) -> None:
    agrees(history, Reservation())


@RANDOM
@given(calls(STORE), words)
def test_what_is_still_in_a_store_changes_nothing(history: list[Call], state: int) -> None:
    stays(Store(), history, state)


@RANDOM
@given(calls(RESERVATION), st.none() | words)
def test_what_is_still_among_reservations_changes_nothing(history: list[Call], state: int | None) -> None:
    stays(Reservation(), history, state)


def stays(model: SequentialModel, history: list[Call], state: int | None) -> None:
    for call in history:
        after, result = model.apply(state, call.operation, call.argument)
        if model.still(call) and (call.end is None or call.result in (None, result)):
            assert after == state


WRITE = Call(0, "write", (1, 5), 0, 0, 10)
WRONG = {
    "a read of what was overwritten": (
        Store(),
        [WRITE, Call(0, "write", (1, 6), 5, 11, 20), Call(1, "read", (1,), 5, 21, 30)],
    ),
    "a new word, then the old one again": (
        Store(),
        [WRITE._replace(end=100), Call(1, "read", (1,), 5, 1, 2), Call(2, "read", (1,), 0, 3, 4)],
    ),
    "two swaps of one word both done": (
        Store(),
        [WRITE, Call(1, "cas", (1, 5, 6), 5, 20, 30), Call(2, "cas", (1, 5, 7), 5, 20, 30)],
    ),
    "what nobody wrote": (Store(), [WRITE, Call(1, "read", (1,), 9, 20, 30)]),
    "a resource given twice": (
        Reservation(),
        [Call(0, "reserve", (3, 0), 1, 0, 5), Call(1, "reserve", (3, 1), 1, 2, 7)],
    ),
    "given again before it is released": (
        Reservation(),
        [
            Call(0, "reserve", (3, 0), 1, 0, 5),
            Call(1, "reserve", (3, 1), 1, 6, 7),
            Call(0, "release", (3, 0), 1, 8, 9),
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_planted_wrong_history_is_told(name: str) -> None:
    model, history = WRONG[name]
    innocent = history[0]._replace(argument=(2, *history[0].argument[1:]), begin=50, end=60, result=None)
    verdict = linearizable([*history, innocent], model)
    assert verdict.outcome == "violated"
    assert set(verdict.prefix) <= set(history) | {call._replace(end=None, result=None) for call in history}


def test_two_at_once_come_in_either_order() -> None:
    both = [Call(process, "write", (1, 5 + process), None, 0, 10) for process in (0, 1)]
    for word in (5, 6):
        assert linearizable([*both, Call(2, "read", (1,), word, 20, 30)], Store()).outcome == "linearizable"


def test_a_call_that_was_never_answered_may_or_may_not_have_happened() -> None:
    lost = Call(0, "write", (1, 5), None, 0, None)
    for word in (0, 5):
        assert linearizable([lost, Call(1, "read", (1,), word, 10, 20)], Store()).outcome == "linearizable"
    seen = [lost, Call(1, "read", (1,), 5, 10, 20), Call(1, "read", (1,), 0, 21, 30)]
    assert linearizable(seen, Store()).outcome == "violated"


def test_the_prefix_ends_with_the_call_that_cannot_be() -> None:
    history = [Call(0, "write", (1, turn), turn - 1, 10 * turn, 10 * turn + 5) for turn in range(1, 9)]
    history[4] = history[4]._replace(result=9)
    assert linearizable(history, Store()).prefix == tuple(history[:5])


def test_many_calls_at_once_are_judged_in_little_time() -> None:
    keys_, history = 20, []
    for index in range(2000):
        key, turn = index % keys_, index // keys_
        history.append(Call(index % 7, "write", (key, turn + 1), turn, 10 * index, 10 * index + 190))
    verdict = linearizable(history, Store(), budget=100_000)
    assert verdict.outcome == "linearizable"
    assert len(verdict.witness) == 2000


def test_calls_that_were_never_answered_cost_little() -> None:
    """Two of thirty lost writes are seen; that one of them is seen again after the other is soon found to be wrong."""
    lost = [Call(index, "write", (1, index + 1), None, 0, None) for index in range(30)]
    reads = [Call(40 + turn, "read", (1,), word, 10 + 2 * turn, 11 + 2 * turn) for turn, word in enumerate((7, 7, 12))]
    assert linearizable([*lost, *reads], Store(), budget=2000).outcome == "linearizable"
    wrong = Call(50, "read", (1,), 7, 40, 50)
    assert linearizable([*lost, *reads, wrong], Store(), budget=2000).outcome == "violated"


def test_reads_at_once_cost_little() -> None:
    """Forty of one word, and a swap that never can be."""
    reads = [Call(index, "read", (1,), 5, 1, 100 + index) for index in range(40)]
    history = [WRITE._replace(end=200), *reads, Call(50, "cas", (1, 9, 8), 9, 0, 200)]
    assert linearizable(history, Store(), budget=200).outcome == "violated"


def test_calls_alike_cost_little() -> None:
    """Twenty writes of one word at once, and one that never can be."""
    history = [Call(index, "write", (1, 5), 0 if index == 0 else 5, 0, 10 + index) for index in range(20)]
    assert linearizable(history, Store(), budget=100).outcome == "linearizable"
    wrong = Call(30, "write", (1, 6), 9, 0, 100)
    assert linearizable([*history, wrong], Store(), budget=200).outcome == "violated"


def test_of_calls_alike_the_one_that_ends_first_comes_first() -> None:
    early, late = Call(0, "write", (1, 5), 0, 0, 2), Call(1, "write", (1, 5), 0, 0, 10)
    between = Call(2, "write", (1, 0), 5, 3, 4)
    assert linearizable([late, early, between], Store()).witness == (early, between, late)


@pytest.mark.parametrize("wrong", ["out of time", "another result", "without one", "with one that is not there"])
def test_an_order_that_does_not_explain_the_history_is_not_believed(wrong: str) -> None:
    """Nothing explains these; with an order that is half right neither."""
    write, read, later = WRITE, Call(1, "read", (1,), 0, 11, 20), Call(2, "read", (1,), 5, 21, 30)
    likely = {
        "out of time": (read, write, later),
        "another result": (write, read, later),
        "without one": (write, later),
        "with one that is not there": (write, Call(3, "write", (1, 0), 5, 10, 12), read),
    }[wrong]
    assert linearizable([write, read, later], Store(), likely=likely).outcome == "violated"


def test_a_budget_that_is_over_decides_nothing() -> None:
    history = [Call(index, "write", (1, index), None, 0, 10) for index in range(12)]
    history.append(Call(0, "read", (1,), 99, 20, 30))
    assert linearizable(history, Store(), budget=50).outcome == "undecided"


def test_what_is_no_call_of_the_object_is_refused() -> None:
    with pytest.raises(UsageError, match=r"there is no operation push\(1,\); there are: read \(1 arguments\), write"):
        linearizable([Call(0, "push", (1,), 1, 0, 1)], Store())
    with pytest.raises(UsageError, match="ends before it begins"):
        linearizable([WRITE._replace(end=-1)], Store())
