"""Agreements that can be refused: a number is reserved on every core or on none, however many are under way."""

from __future__ import annotations

import pytest

from multikernel import Multikernel
from multikernel.errors import LocalMisuse
from multikernel.events import Message, Row
from multikernel.system.monitor.reservations import free, reserve
from multikernel.system.routes import TREES
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot

BOARDS = ("x86-qemu", "zcu102")
GROUPS = ("consensus", "eventual", "ordered-broadcast")
"""What the boards bind for the objects that are agreed on among equals."""


@pytest.mark.kernel(*BOARDS, timeout=0.2)
def test_every_protocol_over_every_tree_and_in_every_group(kernel: Multikernel) -> None:
    rows = kernel.run("agree", updates=8, outstanding=4, taken=3)
    assert sorted(zip(rows.column("protocol"), rows.column("tree"), strict=True)) == sorted(
        [
            *((protocol, tree) for protocol in ("one-phase", "two-phase") for tree in TREES),
            *((protocol, "group") for protocol in GROUPS),
        ]
    )
    cores = dict(zip(rows.column("protocol"), rows.column("cores"), strict=True))
    assert cores == {**dict.fromkeys(cores, len(kernel.cores())), "consensus": 3 if len(kernel.cores()) < 5 else 5}
    aborted = dict(zip(rows.column("protocol"), rows.column("aborted"), strict=True))
    assert aborted == {**dict.fromkeys(aborted, 0), "two-phase": 3}


@pytest.mark.kernel("x86-qemu", timeout=0.2)
def test_one_tree_or_one_protocol_alone(kernel: Multikernel) -> None:
    rows = kernel.run("agree", updates=2, outstanding=1, tree="unicast", protocol="one-phase")
    assert (*rows.column("protocol"), *rows.column("tree")) == ("one-phase", "unicast")
    assert [*kernel.run("agree", updates=2, outstanding=1, protocol="consensus").column("tree")] == ["group"]


@pytest.mark.kernel("x86-qemu", timeout=0.2)
def test_updates_under_way_together_cost_less_than_one_by_one(kernel: Multikernel) -> None:
    for protocol in ("one-phase", "two-phase"):
        one, many = (
            kernel.run("agree", updates=16, outstanding=depth, protocol=protocol).column("cycles_per_update")
            for depth in (1, 16)
        )
        assert all(isinstance(a, int) and isinstance(b, int) and b < 0.8 * a for a, b in zip(one, many, strict=True))


async def reserves(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """A number twice, freed, freed again; then another by several agreements at once."""
    for core in (1, 2, 3):
        await dispatcher.spawn_on(core, "agree-member")
    found = [await dispatcher.agree("reservation", value) for value in (reserve(5), reserve(5), free(5), free(5))]
    started = [dispatcher.agree("reservation", reserve(6), tree) for tree in TREES]
    return as_rows([*found, sum([await completion for completion in started])])


async def keeps(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Reserve 7."""
    return as_rows([await dispatcher.agree("reservation", reserve(7))])


async def wants(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Reserve and free what another process holds, on more cores than that has."""
    await dispatcher.spawn_on(1, "agree-member")
    return as_rows([await dispatcher.agree("reservation", value) for value in (reserve(7), free(7), reserve(8))])


async def elsewhere(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """An object that is not there."""
    try:
        await dispatcher.agree("crown", 1)
    except LocalMisuse as refusal:
        await dispatcher.print(str(refusal))
    return ()


def as_rows(found: list[int]) -> tuple[Row, ...]:
    """A row of column `found` for each."""
    return tuple(Row(("found",), (value,)) for value in found)


def test_a_number_is_held_once() -> None:
    programs = {"reserves": reserves, "keeps": keeps, "wants": wants, "elsewhere": elsewhere}
    with boot("x86-qemu", programs) as kernel:
        assert kernel.run("reserves").column("found") == [1, 0, 1, 0, 1], "of four at once one was accepted"
        assert kernel.run("keeps").found == 1
        assert kernel.run("wants").column("found") == [0, 0, 1], "the boot core's replica refuses"
        kernel.run("elsewhere")
        told = [event.text for event in kernel.events if isinstance(event, Message)]
    assert told == ["core 0 cannot begin an agreement on 'crown': not bound, or not the boot core"]
