"""The table that every core reads and updates: one replica a core, a group of cores, or for all, on every platform."""

from __future__ import annotations

import pytest

from mk_programs.sharing_core import READS, UPDATES
from multikernel import Multikernel
from multikernel.errors import ProgramFailed
from multikernel.events import CallBegun, CallEnded
from multikernel.results import Result
from tests.promises.kernels import boot

REPLICAS = {
    "x86-qemu": {"1": 4, "auto": 4, "all": 1, "2": 2},
    "zcu102": {"1": 6, "auto": 3, "all": 3, "2": 4},
    "paper-4x4-amd": {"1": 16, "auto": 4, "all": 1, "2": 8},
    "xeon-accel": {"1": 22, "auto": 9, "all": 9, "2": 15},
}
"""Of each board by group; cores of two islands never share one, nor do a card's, which is not coherent."""


def judged(rows: Result) -> None:
    """No reader was misled, and in the end all replicas are the same."""
    assert set(rows.column("torn")) == set(rows.column("stale")) == set(rows.column("differing")) == {0}


@pytest.mark.kernel("x86-qemu", "zcu102", timeout=1)
def test_replicas_are_alike_and_nobody_is_misled(kernel: Multikernel) -> None:
    rows = kernel.run("sharing", reads=8, words=7, updates=6)
    assert rows.column("consistency") == ["acknowledged"] * 3 + ["eventual"] * 3
    assert rows.column("group") == ["1", "auto", "all"] * 2
    assert rows.column("replicas") == [REPLICAS[kernel.blueprint.board][group] for group in ("1", "auto", "all")] * 2
    assert set(rows.column("cores")) == {len(kernel.cores())}
    judged(rows)


@pytest.mark.slow
@pytest.mark.kernel("paper-4x4-amd", "xeon-accel", timeout=1)
@pytest.mark.parametrize("group", ["1", "auto", "all", "2"])
def test_a_group_has_one_replica(kernel: Multikernel, group: str) -> None:
    rows = kernel.run("sharing", group=group, consistency="acknowledged", reads=4, updates=2)
    assert rows.replicas == REPLICAS[kernel.blueprint.board][group]
    judged(rows)


@pytest.mark.kernel("x86-qemu", timeout=1)
def test_more_than_one_reads_while_another_writes(kernel: Multikernel) -> None:
    """One entry and hardly a pause, so that reads and writes meet."""
    judged(kernel.run("sharing", group="all", reads=40, words=1, updates=20))


@pytest.mark.kernel("x86-qemu", timeout=1)
def test_sharing_costs_less_than_telling_everyone_where_updates_are_many(kernel: Multikernel) -> None:
    apart, shared = (
        kernel.run("sharing", group=group, consistency="acknowledged", reads=1).cycles_per_operation
        for group in ("1", "all")
    )
    assert shared < apart


@pytest.mark.slow
@pytest.mark.kernel("x86-qemu", platform="host", timeout=60)
def test_it_is_so_on_real_cores(kernel: Multikernel) -> None:
    judged(kernel.run("sharing", reads=20, words=7, updates=20))


@pytest.mark.kernel("x86-qemu", timeout=1)
@pytest.mark.parametrize("group", ["0", "some", "-1"])
def test_a_group_that_is_none_is_refused(kernel: Multikernel, group: str) -> None:
    with pytest.raises(ProgramFailed, match="give auto, all or a number of cores"):
        kernel.run("sharing", group=group)


@pytest.mark.parametrize("group", ["1", "2"])
def test_an_acknowledged_update_is_seen_by_every_read_that_begins_later(group: str) -> None:
    with boot("paper-4x4-amd", {}, observe=True) as kernel:
        kernel.run("sharing", group=group, consistency="acknowledged", reads=8, words=1, updates=3)
        events = kernel.events
    begun = {(event.core, event.object, event.number): event.at_ns for event in events if isinstance(event, CallBegun)}
    ended = [event for event in events if isinstance(event, CallEnded)]
    updates = [(event.at_ns, event.result) for event in ended if event.object == UPDATES]
    reads = [(begun[event.core, event.object, event.number], event.result) for event in ended if event.object == READS]
    assert (len(updates), len(reads)) == (16 * 3, 16 * 3 * 8)
    for start, version in reads:
        assert version >= max((made for at, made in updates if at < start), default=0)
