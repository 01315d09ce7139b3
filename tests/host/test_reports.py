"""Every event goes through the report format unchanged."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk_host.reports import Counters, decode, decode_call, encode, encode_call
from multikernel.errors import PeerError
from multikernel.events import Event
from multikernel.system.requests import Call

events = st.one_of([st.from_type(kind) for kind in (*get_args(Event), Counters)])


@settings(deadline=None)
@given(events)
def test_an_event_comes_back(event: Event) -> None:
    assert decode(encode(event)) == event


@settings(deadline=None)
@given(events)
def test_an_event_is_one_line(event: Event) -> None:
    assert b"\n" not in encode(event)


@settings(deadline=None)
@given(st.text(), st.lists(st.tuples(st.text(), st.text())))
def test_a_call_comes_back(program: str, parameters: list[tuple[str, str]]) -> None:
    call = Call(program, tuple(parameters))
    assert decode_call(encode_call(call)) == call


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b'["Nonsense"]', b'["CoreUp"]', b'["ProgramDone", 1, 2, "n"]'])
def test_other_bytes_are_the_peers_fault(data: bytes) -> None:
    with pytest.raises(PeerError, match="not an event"):
        decode(data)
