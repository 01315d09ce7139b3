"""Ordered broadcast explored: what it promises under what it withstands, and whom a stop blocks."""

from __future__ import annotations

import pytest

from multikernel.checking import Report, check_group
from multikernel.checking.peers import PeerModel
from multikernel.registry import Registry

BROADCAST = Registry.load().consistency_protocols.get("ordered-broadcast")


def explored(submitters: tuple[int, ...], *faults: str, cores: int = 3, clients: int = 0) -> Report[PeerModel]:
    """A whole exploration without violation."""
    report = check_group(BROADCAST, cores, submitters, faults, clients=clients)
    assert report.violation is None, report.violation
    assert report.whole
    return report


@pytest.mark.parametrize("faults", [(), ("stop",), ("duplicate",), ("stop", "duplicate")], ids="+".join)
@pytest.mark.parametrize(("submitters", "clients"), [((0, 1), 0), ((1, 2, 1), 0), ((3, 0), 1), ((2, 2, 2), 0)], ids=str)
def test_it_keeps_its_promises(submitters: tuple[int, ...], clients: int, faults: tuple[str, ...]) -> None:
    explored(submitters, *faults, clients=clients)


def test_every_step_is_reached() -> None:
    assert explored((0, 1, 3), clients=1).reached == tuple(range(1, len(BROADCAST.steps) + 1))


def test_the_stop_of_the_sequencer_alone_blocks() -> None:
    told = explored((0, 1), "stop").ends
    assert {who for fate, waits in told for who in waits} == {"member"}
    assert all("sequencer" in str(fate) for fate, waits in told if waits)


def test_a_channel_that_loses_blocks_for_ever() -> None:
    report = check_group(BROADCAST, 3, (1,), ("drop",))
    assert report.violation is None
    assert "drop" not in BROADCAST.withstands
    assert any("member" in waits for _, waits in report.ends)
