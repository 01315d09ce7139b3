"""What `why` says would change a choice does change it, and nothing else of one fact does."""

from __future__ import annotations

from pathlib import Path

from multikernel.assemble import assemble, know
from multikernel.binding.reasons import reason
from tests.binding.boards import from_text
from tests.binding.fakes import TRANSPORTS, Plugins, registry, transport


def test_the_change_named_is_one_that_works(tmp_path: Path) -> None:
    picky = transport("woken", 'coherent(A, B) & notify(A, B, "sgi")', 1)
    plugins = registry(plugins=Plugins((*TRANSPORTS, picky)))
    board = from_text(tmp_path, add="bind: {}\n")
    told = {(c.added, c.fact): c.chosen for c in reason(know(board, plugins), "transport:0->2").changes}
    assert told == {
        (False, "island(0, 0)"): "ncring",
        (False, "island(2, 0)"): "ncring",
        (True, 'notify_via(0, "sgi")'): "woken",
    }
    woken = from_text(tmp_path, sgi="via: mailbox => via: sgi")
    assert {e.transport for e in assemble(woken, plugins).pair_classes if e.name == "hops:1"} == {"woken"}
    changed = from_text(tmp_path, apart="- {cores: 0-3, regions: [m0, m1]} => - {cores: [0, 1, 3], regions: [m0, m1]}")
    chosen = {entry.name: entry.transport for entry in assemble(changed, plugins).pair_classes}
    assert chosen["island:hops:1"] == "ncring"


def test_what_the_board_names_is_not_up_for_change(tmp_path: Path) -> None:
    board = from_text(tmp_path, add="bind: {transport: {'hops:1': ump}}\n")
    found = reason(know(board, registry()), "transport:0->2")
    assert found.named_at.endswith("board.yaml:28:30")
    assert found.changes == ()


def test_asking_why_changes_nothing(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry())
    before = known.skb.snapshot()
    assert reason(known, "transport:0->4").changes
    assert known.skb.snapshot() is before
