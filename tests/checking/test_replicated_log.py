"""Chain replication explored: what it promises under what it withstands, and who waits after a stop of whom."""

from __future__ import annotations

import pytest

from multikernel.checking import Report, check_group
from multikernel.checking.peers import PeerModel
from multikernel.registry import Registry

CHAIN = Registry.load().consistency_protocols.get("replicated-log")


def explored(submitters: tuple[int, ...], *faults: str, cores: int = 3, clients: int = 0) -> Report[PeerModel]:
    """A whole exploration without violation."""
    report = check_group(CHAIN, cores, submitters, faults, clients=clients)
    assert report.violation is None, report.violation
    assert report.whole
    return report


@pytest.mark.parametrize("faults", [(), ("stop",), ("duplicate",)], ids="+".join)
@pytest.mark.parametrize(("submitters", "clients"), [((0, 1), 0), ((2, 2, 2), 0), ((3, 1), 1)], ids=str)
def test_it_keeps_its_promises(submitters: tuple[int, ...], clients: int, faults: tuple[str, ...]) -> None:
    explored(submitters, *faults, clients=clients)


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_chains_of_other_lengths(cores: int) -> None:
    explored((0, cores), "stop", cores=cores, clients=1)


def test_every_step_is_reached() -> None:
    assert explored((0, 1, 3), clients=1).reached == tuple(range(1, len(CHAIN.steps) + 1))


def test_who_waits_is_before_the_one_that_stopped_or_has_an_update_that_it_had_not_passed_on() -> None:
    told = explored((1,), "stop").ends
    waits = {str(fate).split(" ")[2]: set() for fate, _ in told if fate}
    for fate, who in told:
        if fate:
            waits[str(fate).split(" ")[2]].update(who)
    assert waits == {"head": {"middle"}, "middle": set(), "tail": {"middle"}}


def test_the_stop_of_a_client_blocks_nobody() -> None:
    told = explored((3, 1), "stop", clients=1).ends
    assert not any(who for fate, who in told if "client" in str(fate))
