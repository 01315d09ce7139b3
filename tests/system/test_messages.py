"""Typed messages: every kind round-trips, and no bytes are obeyed that are none."""

from __future__ import annotations

from typing import NamedTuple, get_type_hints

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multikernel.errors import LocalMisuse, PeerError
from multikernel.interfaces import PAYLOAD
from multikernel.system import messages
from multikernel.system.messages import NAME, Hello, Small, Spawn, decode, encode, message

KINDS = [
    kind
    for kind in vars(messages).values()
    if isinstance(kind, type) and issubclass(kind, tuple) and kind.__module__ == messages.__name__
]
NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8")).filter(lambda t: len(t.encode()) <= NAME)


def fields(kind: type) -> st.SearchStrategy[tuple[object, ...]]:
    hints = get_type_hints(kind, include_extras=True).values()
    small, large = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
    return st.tuples(*(NAMES if hint is str else small if hint == Small else large for hint in hints))


def test_all_kinds_are_found() -> None:
    assert len(KINDS) > 20
    assert {Hello, Spawn} <= set(KINDS)


@settings(deadline=None)
@given(st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), fields(kind))))
def test_round_trip(item: tuple[type, tuple[object, ...]]) -> None:
    kind, values = item
    sent = kind(*values)
    payload = encode(sent)
    assert len(payload) <= PAYLOAD
    received = decode(payload)
    assert type(received) is kind
    assert received == sent


@settings(deadline=None)
@given(st.binary(max_size=PAYLOAD + 8))
@example(b"")
@example(encode(Spawn(1, 2, "p", "q")).replace(b"p", b"\xff"))
def test_bytes_that_are_no_message_are_the_peers_fault(payload: bytes) -> None:
    try:
        item = decode(payload)
    except PeerError:
        return
    assert len(encode(item)) == len(payload)


@settings(deadline=None)
@given(st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), fields(kind))), st.data())
def test_a_message_cut_short_or_longer_is_refused(item: tuple[type, tuple[object, ...]], data: st.DataObject) -> None:
    payload = encode(item[0](*item[1]))
    cut = data.draw(st.integers(0, len(payload) - 1))
    for wrong in (payload[:cut], payload + b"\0"):
        with pytest.raises(PeerError):
            decode(wrong)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (Spawn(1, 2, "x" * (NAME + 1), "y"), "longer than the 20 bytes of a name"),
        (Spawn(1, 2, "ö" * 11, "y"), "longer than the 20 bytes of a name"),
        (Spawn(2**32, 2, "x", "y"), "does not fit its message"),
        (Spawn(-1, 2, "x", "y"), "does not fit its message"),
        (Hello(2**64), "does not fit its message"),
    ],
)
def test_what_does_not_fit(item: tuple[int | str, ...], text: str) -> None:
    with pytest.raises(LocalMisuse, match=text):
        encode(item)


def test_numbers_are_not_taken_twice_nor_lines_overfilled() -> None:
    with pytest.raises(LocalMisuse, match="message 1 is taken"):

        @message(1)
        class Again(NamedTuple):
            core: int

    with pytest.raises(LocalMisuse, match=r"too long \(61 bytes\)"):

        @message(250)
        class Long(NamedTuple):
            a: str
            b: str
            c: str
