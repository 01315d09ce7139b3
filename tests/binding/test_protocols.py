"""Several protocols serve one object: the least rank is bound, and where ranks are equal the board must choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multikernel.assemble import know
from multikernel.binding.reasons import explained, why_not
from multikernel.errors import BindingError
from multikernel.hookspecs import hookimpl
from multikernel.spec import ConsistencyProtocolSpec
from tests.binding.boards import from_text
from tests.binding.fakes import Plugins, protocol_factory, registry

SLOT = "consistency:shootdown"


class Ranked(Plugins):
    """Protocols with ranks, beside everything else."""

    def __init__(self, **ranks: int) -> None:
        super().__init__()
        self._ranks = ranks

    @hookimpl
    def consistency_protocols(self) -> Iterator[ConsistencyProtocolSpec]:
        for name, rank in self._ranks.items():
            yield ConsistencyProtocolSpec(name, "A protocol.", protocol_factory, ("shootdown",), rank=rank)


def test_the_least_rank_is_bound_and_said(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry(plugins=Ranked(quick=60, slow=70, able=40)))
    found = explained(known, SLOT)
    assert found.chosen == "able"
    assert [(entry.rank, entry.name) for entry in found.candidates] == [(40, "able"), (60, "quick"), (70, "slow")]
    denied = why_not(known, SLOT, "quick")
    assert (denied.lacks, denied.rank, denied.chosen_rank) == (None, 60, 40)


def test_one_that_is_named_goes_before_the_least_rank(tmp_path: Path) -> None:
    board = from_text(tmp_path, add="bind: {consistency: {shootdown: slow}}\n")
    known = know(board, registry(plugins=Ranked(slow=70, able=40)))
    assert explained(known, SLOT).chosen == "slow"


def test_two_of_the_least_rank_are_an_error_that_names_them_alone(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry(plugins=Ranked(quick=40, slow=70, able=40)))
    with pytest.raises(BindingError, match=f"slot {SLOT}: able, quick all serve it and nothing ranks them"):
        known.slots.decide(SLOT)
