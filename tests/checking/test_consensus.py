"""Consensus explored: what it promises in every order, with each fault it withstands, timers running out anywhere."""

from __future__ import annotations

import pytest

from multikernel.checking import Report, check_group
from multikernel.checking.peers import PeerModel
from multikernel.registry import Registry

CONSENSUS = Registry.load().consistency_protocols.get("consensus")
STEPS = tuple(range(1, len(CONSENSUS.steps) + 1))


def explored(
    submitters: tuple[int, ...],
    *faults: str,
    cores: int = 3,
    timeouts: int = 1,
    lulls: int = 0,
    clients: int = 0,
    reconfigure: bool = False,
) -> Report[PeerModel]:
    """A whole exploration without violation."""
    report = check_group(
        CONSENSUS,
        cores,
        submitters,
        faults,
        timeouts=timeouts,
        lulls=lulls,
        clients=clients,
        reconfigure=reconfigure,
    )
    assert report.violation is None, report.violation
    assert report.whole
    return report


@pytest.mark.parametrize("fault", CONSENSUS.withstands)
@pytest.mark.parametrize("submitter", range(4))
def test_it_keeps_its_promises_and_goes_on(submitter: int, fault: str) -> None:
    explored((submitter,), fault, clients=int(submitter == 3))


@pytest.mark.parametrize("fault", ["stop", "drop", "duplicate"])
def test_so_it_does_with_two_under_way(fault: str) -> None:
    explored((0, 1), fault)


def test_so_it_does_when_one_starts_anew_with_two_under_way() -> None:
    explored((1, 2), "restart", timeouts=0)


@pytest.mark.parametrize(("submitters", "clients"), [((0, 3), 1), ((3, 1), 1), ((1, 0), 0)], ids=str)
def test_so_it_does_while_members_change(submitters: tuple[int, ...], clients: int) -> None:
    explored(submitters, clients=clients, reconfigure=True)


def test_so_it_does_when_two_of_five_stop_or_two_messages_are_lost() -> None:
    explored((1,), "stop", "stop", cores=5, timeouts=0)
    explored((1,), "drop", "drop")


@pytest.mark.parametrize("fault", ["stop", "drop", "duplicate", "restart"])
def test_so_it_does_when_one_fails_while_members_change(fault: str) -> None:
    """Who was added and does not know it yet may be needed to elect a leader."""
    explored((0, 3), fault, timeouts=0, clients=1, reconfigure=True)


@pytest.mark.parametrize("submitter", range(3))
def test_nobody_waits_for_ever_when_one_of_three_stops(submitter: int) -> None:
    assert all(waits == () for _, waits in explored((submitter,), "stop").ends)


@pytest.mark.parametrize("stopped", ["stop", "drop", "restart"])
def test_elections_at_any_time(stopped: str) -> None:
    explored((1,), stopped, timeouts=0, lulls=3)


def test_every_step_is_reached() -> None:
    reports = (
        explored((0,), "stop"),
        explored((1,), "restart"),
        explored((3,), "restart", clients=1),
        explored((0, 3), "stop", timeouts=0, clients=1, reconfigure=True),
        explored((1, 3), "stop", cores=2, timeouts=0, clients=2, reconfigure=True),
        explored((0, 0), cores=1, reconfigure=True),
    )
    reached = {step for report in reports for step in report.reached}
    assert [CONSENSUS.steps[step - 1].text for step in STEPS if step not in reached] == []
