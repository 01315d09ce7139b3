"""A board's own policies: taken, checked, told with their places, locked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from multikernel import Multikernel
from multikernel.assemble import assemble, know
from multikernel.binding.reasons import explained
from multikernel.errors import BindingError, FileError, KnowledgeError
from multikernel.hookspecs import hookimpl
from multikernel.knowledge.policies import POLICIES, check, shipped
from multikernel.registry import Registry
from multikernel.spec import PolicySpec
from tests.binding.boards import from_text
from tests.binding.fakes import registry

AT_SENDER = """\
# Buffers live at the sender.
at_sender(A, B, R) <= coherent(A, B) & node(A, N) & region_node(R, N) & shares_memory(A, B, R)
(senders[A, B] == min_(R, order_by=R)) <= at_sender(A, B, R)
(anywhere[A, B] == min_(R, order_by=R)) <= shares_memory(A, B, R)
has_senders(A, B) <= at_sender(A, B, _)
home(A, B, "sender", R) <= (senders[A, B] == R)
home(A, B, "region", R) <= (anywhere[A, B] == R) & ~has_senders(A, B)
"""
NAMED = "bind: {policy: {home: mine.dl}}\n"


class Offering:
    multikernel_api = 1

    @hookimpl
    def policies(self) -> Iterator[PolicySpec]:
        yield PolicySpec("at-sender", "Buffers live at the sender.", decides="home", text=AT_SENDER)


def test_each_of_the_kit_defines_what_is_asked_of_it() -> None:
    check([shipped(name) for name in POLICIES])


def test_a_file_beside_the_board_decides(tmp_path: Path) -> None:
    (tmp_path / "mine.dl").write_text(AT_SENDER)
    board = from_text(tmp_path, add=NAMED)
    homes = {entry.name: entry.home for entry in assemble(board, registry()).pair_classes}
    assert homes["hops:1"] == "sender"
    assert homes["island:remote:big->small"] == "region:shared"
    found = explained(know(board, registry()), "home:0->2")
    assert (found.chosen, found.subject) == ("m0", "the buffer of a channel 0->2 lives on the sender's node")
    assert str(found.proofs[0].rule and found.proofs[0].rule.where) == f"{tmp_path}/mine.dl:6"
    told = explained(know(board, registry()), "policy:home")
    assert (told.chosen, told.named_at) == ("mine.dl", f"{tmp_path}/board.yaml:28:23")


def test_what_a_plugin_offers_is_taken_by_name(tmp_path: Path) -> None:
    board = from_text(tmp_path, add="bind: {policy: {home: at-sender}}\n")
    blueprint = assemble(board, registry(Offering()))
    assert {entry.home for entry in blueprint.pair_classes if entry.name == "hops:1"} == {"sender"}
    entry = blueprint.bound("policy:home")
    assert (entry.plugin, entry.distribution) == ("at-sender", "in-memory")


def test_another_text_is_another_kernel(tmp_path: Path) -> None:
    board = from_text(tmp_path, add=NAMED)
    (tmp_path / "mine.dl").write_text(AT_SENDER)
    before = assemble(board, registry())
    assert before.bound("policy:home").hash == hashlib.sha256(AT_SENDER.encode()).hexdigest()
    (tmp_path / "mine.dl").write_text(AT_SENDER + "# said again\n")
    after = assemble(board, registry())
    assert before.bound("policy:home").hash != after.bound("policy:home").hash
    assert before.hash != after.hash


def test_the_kits_own_take_no_slot(tmp_path: Path) -> None:
    slots = [entry.slot for entry in assemble(from_text(tmp_path), registry()).bindings]
    assert not [slot for slot in slots if slot.startswith("policy")]


def test_buffers_at_the_sender_boot(tmp_path: Path) -> None:
    """Through the kernel of the paper's machine."""
    (tmp_path / "mine.dl").write_text(AT_SENDER)
    (tmp_path / "board.yaml").write_text("extends: paper-8x4-amd\nname: at-the-sender\n" + NAMED)
    blueprint = assemble(str(tmp_path / "board.yaml"), Registry.load(), "sim")
    assert {entry.home for entry in blueprint.pair_classes} == {"sender"}
    with Multikernel(blueprint).boot("sim") as kernel:
        assert {core.state for core in kernel.cores()} == {"joined"}
        kernel.run("ping")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("homes(A, B, R) <= shares(A, B, R)\n", "mine.dl:1:1: policy-lacks: the policy home lacks rules for home/4"),
        (AT_SENDER + "close(C, P) <= package(C, P)\n", "mine.dl:8:1: policy-clash: close is already a predicate of"),
        (AT_SENDER + "yonder(A <= core(A, _)\n", "mine.dl:8:7: syntax"),
        (
            AT_SENDER + "yonder(A, B) <= nods(A, N) & node(B, N)\n",
            "mine.dl:8:17: unknown-predicate: no predicate 'nods'",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, rules: str, told: str) -> None:
    (tmp_path / "mine.dl").write_text(rules)
    with pytest.raises(KnowledgeError) as refused:
        assemble(from_text(tmp_path, add=NAMED), registry())
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("bind", "told"),
    [
        ("{hom: mine.dl}", r"board.yaml:28:17: there is no policy 'hom'; there are home"),
        ("{home: at-sendr}", r"board.yaml:28:23: no plugin offers .* 'at-sendr' .*did you mean at-sender\?"),
        ("{tree: at-sender}", r"board.yaml:28:23: no plugin offers .* that decides tree; offered: none"),
    ],
)
def test_a_policy_that_is_not_there(tmp_path: Path, bind: str, told: str) -> None:
    with pytest.raises(BindingError, match=told):
        assemble(from_text(tmp_path, add=f"bind: {{policy: {bind}}}\n"), registry(Offering()))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    board = from_text(tmp_path, add=NAMED)
    with pytest.raises(FileError, match=r"board.yaml:28:23: .*mine.dl: No such file"):
        assemble(board, registry())
    (tmp_path / "mine.dl").write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match=r"mine.dl: not UTF-8"):
        assemble(board, registry())
    (tmp_path / "mine.dl").write_text("#" * 1_000_001)
    with pytest.raises(FileError, match=r"at most 1000000"):
        assemble(board, registry())


def test_a_policy_states_parameters_of_its_own(tmp_path: Path) -> None:
    rules = '+ mine_first("m1", 0)\n' + AT_SENDER.replace("& shares_memory(A, B, R)\n", "& mine_first(R, _)\n", 1)
    (tmp_path / "mine.dl").write_text(rules)
    homes = {entry.name: entry.home for entry in assemble(from_text(tmp_path, add=NAMED), registry()).pair_classes}
    assert homes["hops:1"] == "region:m0", "from 0 to 2 the sender's node has none of mine"
