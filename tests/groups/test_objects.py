"""Objects that are agreed on among equals, against what they say they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from multikernel.system.monitor.objects import DIGEST, HALF, Load, Log, Store, parts, read, swap, write

KEY, WORD, SMALL = st.integers(0, 3), st.integers(0, 2**48 - 1), st.integers(0, 3)
STORE = st.one_of(
    st.builds(read, KEY), st.builds(write, KEY, WORD), st.builds(write, KEY, SMALL), st.builds(swap, KEY, SMALL, SMALL)
)


def test_a_log_gives_each_value_its_place() -> None:
    log = Log()
    assert [log.execute(0, number, value) for number, value in enumerate((7, 7, 9), 1)] == [1, 2, 3]
    assert [log.ask(place) for place in (0, 1, 2, 3)] == [3, 7, 7, 9]
    assert log.ask(4) == 3, "there is none: how many there are"


@given(st.lists(STORE, max_size=30))
def test_a_store_is_a_table(values: list[int]) -> None:
    store, table = Store(), dict.fromkeys(range(4), 0)
    for number, value in enumerate(values, 1):
        operation, key, words = parts(value)
        before = table[key]
        if operation == 1:
            table[key] = words
        elif operation == 2 and before == words // HALF:
            table[key] = words % HALF
        assert store.execute(0, number, value) == before
    assert [store.ask(key) for key in range(4)] == list(table.values())


@given(st.permutations([(core, version, 10 * core + version) for core in range(3) for version in (1, 2, 3)]))
def test_loads_are_the_newest_of_each_in_any_order(told: list[tuple[int, int, int]]) -> None:
    load, in_order = Load(), Load()
    for entry in told:
        load.execute(*entry)
    for entry in sorted(told):
        total = in_order.execute(*entry)
    assert load.ask(DIGEST) == in_order.ask(DIGEST)
    assert [load.ask(core) for core in range(3)] == [3, 13, 23]
    assert total == 39


@given(st.lists(st.integers(0, 9), max_size=6), st.lists(st.integers(0, 9), max_size=6))
def test_digests_tell_logs_apart(one: list[int], other: list[int]) -> None:
    logs = Log(), Log()
    for log, values in zip(logs, (one, other), strict=True):
        for number, value in enumerate(values, 1):
            log.execute(0, number, value)
    assert (logs[0].ask(DIGEST) == logs[1].ask(DIGEST)) == (one == other)


def test_stores_that_hold_the_same_have_one_digest() -> None:
    one, other = Store(), Store()
    for value in (write(1, 5), write(2, 6)):
        one.execute(0, 1, value)
    for value in (write(2, 6), write(1, 7), swap(1, 7, 5)):
        other.execute(0, 1, value)
    assert one.ask(DIGEST) == other.ask(DIGEST)
    other.execute(0, 1, write(3, 1))
    assert one.ask(DIGEST) != other.ask(DIGEST)
