"""What peers say on the wire, and that a frozen peer is the same again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multikernel.errors import LocalMisuse, PeerError
from multikernel.system.group import ROOM, GroupEffect, GroupEvent, Peer, pack, size, unpack

NUMBERS = st.lists(st.integers(0, 2**64 - 1), max_size=5)


@given(NUMBERS)
def test_numbers_come_back(numbers: list[int]) -> None:
    packed = pack(numbers)
    assert unpack(packed) == tuple(numbers)
    assert len(packed) == size(numbers)


def test_small_numbers_take_a_byte() -> None:
    assert pack((0, 127, 128)) == b"\x00\x7f\x80\x01"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(LocalMisuse, match=f"60 bytes of numbers in a message: there is room for {ROOM}"):
        pack([2**64 - 1] * 6)
    with pytest.raises(LocalMisuse, match="-1 in a message: numbers are not negative"):
        pack((-1,))


def test_bytes_that_end_amid_a_number_are_none() -> None:
    with pytest.raises(PeerError, match="not a message's numbers: 0180"):
        unpack(b"\x01\x80")


@dataclass
class Counting(Peer):
    """A peer of every kind of field."""

    seen: list[int] = field(default_factory=list)
    by_core: dict[int, int] = field(default_factory=dict)
    last: tuple[int, int] = (0, 0)

    def step(self, event: GroupEvent) -> list[GroupEffect]:
        return []


@given(
    st.lists(st.integers()), st.dictionaries(st.integers(0, 9), st.integers()), st.tuples(st.integers(), st.integers())
)
def test_a_frozen_peer_is_the_same_again(seen: list[int], by_core: dict[int, int], last: tuple[int, int]) -> None:
    peer, other = Counting(3, seen, by_core, last), Counting(3)
    frozen = peer.freeze()
    hash(frozen)
    other.thaw(frozen)
    assert other == peer
    other.seen.append(1)
    other.by_core[77] = 1
    assert peer.freeze() == frozen, "they share nothing"
    assert other.freeze() != frozen


def test_the_order_in_which_a_table_was_filled_is_not_seen() -> None:
    assert Counting(0, by_core={1: 2, 3: 4}).freeze() == Counting(0, by_core={3: 4, 1: 2}).freeze()
