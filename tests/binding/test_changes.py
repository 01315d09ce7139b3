"""What `why` says would change a choice does change it; asking changes nothing."""

from __future__ import annotations

from pathlib import Path

from multikernel.assemble import assemble, know
from multikernel.binding.changes import trial
from multikernel.binding.edits import Edit, apply, content, overlay
from multikernel.binding.reasons import explained, reason
from multikernel.board import load_board
from tests.binding.boards import from_text
from tests.binding.fakes import TRANSPORTS, Plugins, registry, transport


def test_the_smallest_edit_for_each_other_choice(tmp_path: Path) -> None:
    picky = transport("woken", 'coherent(A, B) & notify(A, B, "sgi")', 1)
    plugins = registry(plugins=Plugins((*TRANSPORTS, picky)))
    board = from_text(tmp_path, add="bind: {}\n")
    told = {
        c.chosen: [str(edit) for edit in c.edits] for c in reason(know(board, plugins), "transport:0->2", True).changes
    }
    assert told == {
        "ncring": ["coherence[0].cores: 0-3 -> 1-3"],
        "woken": ["notify[0].via: mailbox -> sgi"],
    }
    woken = from_text(tmp_path, sgi="via: mailbox => via: sgi")
    assert {e.transport for e in assemble(woken, plugins).pair_classes if e.name == "hops:1"} == {"woken"}


def test_what_the_board_names_may_be_left_to_the_policies(tmp_path: Path) -> None:
    slow = transport("slow", "coherent(A, B)", 90)
    plugins = registry(plugins=Plugins((*TRANSPORTS, slow)))
    board = from_text(tmp_path, add="bind: {transport: {'hops:1': slow}}\n")
    found = reason(know(board, plugins), "transport:0->2")
    assert found.named_at.endswith("board.yaml:28:30")
    assert [str(edit) for edit in found.changes[0].edits] == ["bind.transport.hops:1: slow -> auto"]
    assert found.changes[0].chosen == "ump"


def test_one_name_for_all_is_kept_for_the_others(tmp_path: Path) -> None:
    slow = transport("slow", "", 90)
    plugins = registry(plugins=Plugins((*TRANSPORTS, slow)))
    board = from_text(tmp_path, add="bind: {transport: slow}\n")
    change = next(c for c in reason(know(board, plugins), "transport:hops:1", True).changes if c.chosen == "ump")
    (tmp_path / "edit.yaml").write_text(overlay(board, "board.yaml", change.edits))
    chosen = {e.name: e.transport for e in assemble(load_board(str(tmp_path / "edit.yaml")), plugins).pair_classes}
    assert chosen.pop("hops:1") == "ump"
    assert set(chosen.values()) == {"slow"}


PAIR = """\
schema: board/1
name: pair
summary: Two cores with a cache each.
kinds: {k: {isa: x86-64, mhz: 1000}}
cores: [{ids: 0-1, kind: k}]
regions: [{id: m, size: 16M, base: 0x1000000}]
coherence: [{cores: 0, regions: [m]}, {cores: 1, regions: []}]
latency:
  method: made up
  classes: [{cls: 'island:remote', mean: 9, sd: 0, status: assumed, source: nobody}]
"""


def test_what_is_said_of_a_class_that_goes_goes_too(tmp_path: Path) -> None:
    board = from_text(tmp_path, PAIR)
    (change,) = reason(know(board, registry()), "transport:island:remote").changes
    assert change.chosen == "ump"
    assert [(edit.path, edit.new) for edit in change.edits] == [
        (("coherence", 1, "cores"), []),
        (("coherence", 0, "cores"), "0-1"),
        (("latency", "classes", 0), None),
    ]
    assert [e.name for e in assemble(apply(board, change.edits), registry()).pair_classes] == ["remote"]


def test_asking_why_changes_nothing(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry())
    before, proof = known.skb.snapshot(), explained(known, "transport:0->2").proofs
    assert reason(known, "transport:0->2").changes
    assert known.skb.snapshot() is before
    assert explained(known, "transport:0->2").proofs == proof
    assert [fact.source.where for fact in known.skb.snapshot().facts if fact.source.where == "supposed"] == []


def test_within_a_trial_the_edited_board_is_known(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry())
    edit = Edit(("coherence", 0, "cores"), "0-3", "1-3")
    with trial(known, [edit]) as (edits, then):
        assert edits == (edit,)
        assert not then.skb.query("island(0, I)")
        assert then.slots.decide("transport:hops:1", (0, 2)).chosen == "ncring"
    assert known.skb.query("island(0, I)").rows == ((0,),)
    assert known.slots.decide("transport:hops:1", (0, 2)).chosen == "ump"


def test_the_content_of_a_board_makes_the_same_board(tmp_path: Path) -> None:
    board = from_text(tmp_path)
    assert apply(board, ()).hash == board.hash
    assert content(board)["cores"] == [{"ids": "0-3", "kind": "big"}, {"ids": "4-5", "kind": "small", "space": "side"}]
    (tmp_path / "whole.yaml").write_text(overlay(board, "", ()))
    assert load_board(str(tmp_path / "whole.yaml")).hash == board.hash
