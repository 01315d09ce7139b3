"""Every edit that `why` prints does what it says: written as an overlay, loaded, assembled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multikernel.assemble import Knowledge, assembled, know
from multikernel.binding.changes import Change
from multikernel.binding.edits import overlay
from multikernel.binding.reasons import every_slot, explained, reason
from multikernel.blueprint import Blueprint
from multikernel.board.find import packaged_folder
from multikernel.registry import Registry

BOARDS = sorted(path.stem for path in packaged_folder().glob("*.yaml"))
SMALL = 4
"""Cores of a board of which every slot is asked for, and every other choice; of a larger one, for time, one slot of
each kind and the smallest edit, and no other backend, which assembles the board once more for each."""


@pytest.fixture(scope="module")
def installed() -> Registry:
    return Registry.load()


def in_blueprint(blueprint: Blueprint, slot: str) -> str:
    """What fills the slot of a plugin; empty for one that is no plugin's."""
    head, _, name = slot.partition(":")
    ends = name.partition("->")
    if head == "transport" and ends[0].isdecimal():
        cores = {core.id: core for core in blueprint.cores}
        name = blueprint.pair_class(cores[int(ends[0])], cores[int(ends[2])])
        return next(entry.transport for entry in blueprint.pair_classes if entry.name == name)
    return next((entry.plugin for entry in blueprint.bindings if entry.slot == slot), "")


def told(known: Knowledge) -> Iterator[tuple[str, Change]]:
    """The changes of the slots that are asked for."""
    small = len(known.board.topology().cores) <= SMALL
    slots = every_slot(known)
    if not small:
        slots = tuple({slot.partition(":")[0]: slot for slot in slots if slot != "skb"}.values())
    for slot in slots:
        for change in reason(known, slot, small).changes:
            yield slot, change


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_every_edit_of_every_slot_of_every_board(name: str, tmp_path: Path, installed: Registry) -> None:
    known = know(name, installed)
    found = list(told(known))
    assert {slot.partition(":")[0] for slot, _ in found} >= {"cpu-driver", "transport"}
    for number, (slot, change) in enumerate(found):
        file = tmp_path / f"{number}.yaml"
        file.write_text(overlay(known.board, name, change.edits))
        changed = know(str(file), installed)
        what = f"{slot}: {'; '.join(map(str, change.edits))}"
        assert explained(changed, change.slot).chosen == change.chosen, what
        assert change.chosen != explained(known, slot).chosen, what
        assert in_blueprint(assembled(changed), change.slot) in ("", change.chosen), what
        changed.skb.close()
