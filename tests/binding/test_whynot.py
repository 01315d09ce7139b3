"""`mkit why-not`: the first unmet requirement, the rank that goes before, the edit; and unknown names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from multikernel.assemble import assemble, know
from multikernel.binding.offers import OFFERS
from multikernel.binding.reasons import mending, why_not
from multikernel.cli import root
from multikernel.errors import BindingError, UsageError
from multikernel.registry import Registry
from tests.binding.boards import from_text
from tests.binding.fakes import TRANSPORTS, Plugins, registry, transport


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `mkit`."""
    code = root.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_what_is_unmet_is_followed_through_rules(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "why-not", "zcu102", "transport:0->4=ump")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "transport:0->4: ump needs coherent(0, 4), where island(4, 0) does not hold; ncring fills it"
    rule = "by multikernel/knowledge/policies/pairs.dl:4: coherent(A, B) <= island(A, I) & island(B, I)"
    assert f"coherent(0, 4), unmet: island(4, 0) {rule}" in lines
    assert any(line.startswith("island(4, 1) asserted boards/zcu102.yaml:") for line in lines)
    assert lines[-1].endswith("coherence[0].cores: 0-3 -> 0-4 => ump for transport:0->4")


def test_a_plugin_that_serves_is_told_what_goes_before_it(tmp_path: Path) -> None:
    slow = transport("slow", "coherent(A, B)", 90)
    known = know(from_text(tmp_path), registry(plugins=Plugins((*TRANSPORTS, slow))))
    found = why_not(known, "transport:0->1", "slow")
    assert (found.lacks, found.chosen, found.chosen_rank, found.rank) == (None, "ump", 10, 90)
    ((change),) = found.changes
    assert [str(edit) for edit in change.edits] == ["bind.transport.shared:package: auto -> slow"]


def test_what_is_outranked_and_lacks_something_needs_both_edits(tmp_path: Path) -> None:
    last = transport("last", 'coherent(A, B) & notify(A, B, "sgi")', 90)
    plugins = registry(plugins=Plugins((*TRANSPORTS, last)))
    known = know(from_text(tmp_path), plugins)
    (change,) = why_not(known, "transport:0->1", "last").changes
    assert [str(edit) for edit in change.edits] == [
        "notify[0].via: mailbox -> sgi",
        "bind.transport.shared:package: auto -> last",
    ]


def test_what_no_edit_brings_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "why-not", "paper-2x2-amd", "transport:0->1=lmp")
    assert code == 0
    assert "lmp needs same_core(0, 1), which is not of the form same_core(A, A)" in out
    assert out.splitlines()[-1] == "no edit of one or two values of the board was found after which it does"


def test_a_plugin_that_fills_the_slot_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "why-not", "paper-2x2-amd", "monitor=user-mode")
    assert (code, out) == (1, "monitor: user-mode does fill it; see mkit why\n")


def test_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "why-not", "zcu102", "transport:0->4=mailbox", "--json")
    assert code == 0
    said = json.loads(out)
    assert (said["schema_version"], said["plugin"], said["chosen"], said["serves"]) == (1, "mailbox", "ncring", True)
    assert (said["chosen_rank"], said["rank"], said["lacks"]) == (30, 40, None)
    (change,) = said["changes"]
    assert change["chosen"] == "mailbox"
    (edit,) = change["edits"]
    assert (edit["path"], edit["was"], edit["value"]) == ("bind.transport.island:remote:a53->r5", "auto", "mailbox")
    assert edit["where"].startswith("boards/zcu102.yaml:")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("monitor=usermode", "no monitor 'usermode' is installed (did you mean user-mode?)"),
        ("transport:0->99=ump", "zcu102 has no core 99; it has 0 to 5"),
        ("transport:shared:L3=ump", "there is no slot 'transport:shared:L3' on zcu102; there are transport:shared:L2"),
        ("tree:numa=flat", "no plugin fills tree:numa, which is 'none: one package'; mkit why has"),
        ("monitor", "write SLOT=PLUGIN, as in transport:0->4=ump"),
        ("skb=sqlit", "there is no SKB backend 'sqlit' (did you mean sqlite?)"),
    ],
)
def test_wrong_names_are_usage_errors(capsys: pytest.CaptureFixture[str], asked: str, told: str) -> None:
    code, out, err = run(capsys, "why-not", "zcu102", asked)
    assert (code, out) == (2, "")
    assert told in err


def test_an_error_is_an_object_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("why", "zcu102", "moniter"), ("why-not", "zcu102", "moniter=x")):
        code, out, err = run(capsys, *command, "--json")
        assert code == 2
        told = json.loads(out)
        assert (told["schema_version"], told["error"]["code"], told["error"]["exit_code"]) == (1, "unknown-slot", 2)
        assert told["error"]["message"] in err


def test_a_known_plugin_that_is_not_installed_is_told_with_its_distribution(tmp_path: Path) -> None:
    known = know(from_text(tmp_path), registry())
    with pytest.raises(UsageError, match=r"no transport 'mailbox' is installed; .*; multikernel-kit offers it"):
        why_not(known, "transport:0->1", "mailbox")


def test_the_known_plugins_are_those_of_the_kit() -> None:
    installed = Registry.load()
    names = {
        "skb": installed.skb_backends.names(),
        "cpu-driver": installed.cpu_drivers.names(),
        "monitor": installed.monitors.names(),
        "transport": installed.transports.names(),
        "consistency": installed.consistency_protocols.names(),
    }
    assert [offer for offer in OFFERS if offer.name not in names[offer.kind]] == []
    drivers = {driver.name: driver.isa for driver in installed.cpu_drivers}
    assert all(offer.serves == drivers[offer.name] for offer in OFFERS if offer.kind == "cpu-driver" and offer.serves)


def test_a_slot_that_nothing_fills_can_be_mended(tmp_path: Path) -> None:
    plugins = registry(plugins=Plugins(TRANSPORTS[:2]))
    board = from_text(tmp_path, shared="regions: [m0, m1] => regions: [m0, m1, shared]")
    with pytest.raises(BindingError, match="no installed plugin serves it"):
        assemble(board, plugins)
    (change,) = mending(know(board, plugins), "transport:island:remote:big->small")
    assert change.chosen == "ump"
    assert [str(edit) for edit in change.edits] == ["coherence[1].cores: 4-5 -> 5", "coherence[0].cores: 0-3 -> 0-4"]


@pytest.mark.parametrize("slot", ["driver:ipi", "memory:4", "home:0->4", "sharing:0", "policy:home", "tree:numa"])
def test_a_slot_that_no_plugin_fills_is_not_said_to_be_missing(capsys: pytest.CaptureFixture[str], slot: str) -> None:
    code, out, _ = run(capsys, "why", "zcu102", slot, "--json")
    chosen = json.loads(out)["chosen"]
    code, out, err = run(capsys, "why-not", "zcu102", f"{slot}=0")
    assert (code, out) == (2, "")
    assert f"no plugin fills {slot}, which is {chosen!r}; mkit why has" in err
    code, _, err = run(capsys, "why-not", "zcu102", f"{slot}99=0")
    assert code == 2
    assert "unknown-slot" in err
