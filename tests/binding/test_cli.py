"""`mkit assemble`, `mkit why`, `mkit skb` over the installed plugins."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from multikernel.assemble import assemble
from multikernel.cli import root


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `mkit`."""
    code = root.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_assemble_says_what_was_decided(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "assemble", "zcu102")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "zcu102: 6 cores, boot core 0"
    assert any(line.startswith("transport:island:remote:a53->r5 ncring ") for line in lines)
    assert "island:remote 2 pairs ncring home region:ddr window 16" in lines
    assert lines[-1] == f"blueprint {assemble('zcu102').hash}"


def test_the_file_is_the_canonical_blueprint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    code, out, _ = run(capsys, "assemble", "x86-qemu", "-o", str(file), "--json")
    assert code == 0
    blueprint = assemble("x86-qemu")
    assert file.read_text() == blueprint.to_json()
    assert [entry.name for entry in tmp_path.iterdir()] == ["kernel.json"], "no draft is left"
    said = json.loads(out)
    assert (said["schema_version"], said["board"], said["file"]) == (1, "x86-qemu", str(file))
    assert said["hash"] == blueprint.hash
    assert said["blueprint"] == json.loads(blueprint.to_json())
    code, out, _ = run(capsys, "assemble", "x86-qemu", "-o", "-")
    assert out == blueprint.to_json()


def test_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "assemble", "x86-qemu", "-o", str(tmp_path / "none" / "k.json"))
    assert (code, out) == (3, "")
    assert "none/k.json: No such file or directory" in err


@pytest.mark.parametrize("folder", ["", "/", ".", ".."])
def test_a_folder_is_no_blueprint_and_is_left_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, out, err = run(capsys, "assemble", "x86-qemu", "-o", folder or str(tmp_path / "here"))
    assert (code, out) == (3, "")
    assert "Is a directory" in err
    assert [entry.name for entry in tmp_path.rglob("*")] == ["here"], "no draft is left"


def test_a_pipe_is_written_to_and_stays_a_pipe(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        code, _, _ = run(capsys, "assemble", "x86-qemu", "-o", str(pipe))
        assert code == 0
        assert pipe.is_fifo()
        assert os.read(end, 1 << 16).decode() == assemble("x86-qemu").to_json()
    finally:
        os.close(end)


def test_a_link_stays_and_its_target_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "of").mkdir()
    link = tmp_path / "kernel.json"
    link.symlink_to(tmp_path / "of" / "kernel.json")
    code, _, _ = run(capsys, "assemble", "x86-qemu", "-o", str(link))
    assert code == 0
    assert link.is_symlink()
    assert (tmp_path / "of" / "kernel.json").read_text() == assemble("x86-qemu").to_json()


def test_a_platform_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("assemble", "x86-qemu"), ("why", "x86-qemu", "monitor")):
        code, out, err = run(capsys, *command, "--platform", "qem")
        assert (code, out) == (2, "")
        assert "there is no platform 'qem' (did you mean qemu?)" in err


def test_why_names_rule_facts_and_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "why", "paper-8x4-amd", "transport:0->31")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:2] == [
        "transport:0->31: ump, decided by policy",
        "class hops:4, decided for 0->28; 64 pairs are hops:4",
    ]
    assert "10 ump" in lines
    policies = "multikernel/knowledge/policies"
    assert f"coherent(0, 31) by {policies}/pairs.dl:4: coherent(A, B) <= island(A, I) & island(B, I)" in lines
    assert any(line.startswith("island(31, 0) asserted boards/paper-8x4-amd.yaml:") for line in lines)
    assert any(line.startswith('facet("transport", "ump", "any") asserted mk_ump/__init__.py:') for line in lines)
    named = "bind.transport.hops:4: auto -> multi-hop => multi-hop for transport:0->31"
    apart = "coherence[0].cores: 0-31 -> 1-31 => ncring for transport:0->31"
    edits = [line.partition(": ") for line in lines[lines.index("an edit would change it, the smallest first") + 1 :]]
    assert [edit for _, _, edit in edits] == [named, apart]
    assert re.fullmatch(r"boards/paper-8x4-amd.yaml:\d+:\d+", edits[1][0])
    rejected = lines[lines.index("rejected") :]
    assert "lmp needs same_core(0, 31), which is not of the form same_core(A, A)" in rejected
    assert "ncring needs shares_uncached(0, 31), where ~coherent(0, 31) does not hold" in rejected


def test_why_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "why", "zcu102", "transport:0->4", "--json")
    assert code == 0
    said = json.loads(out)
    assert (said["schema_version"], said["slot"], said["chosen"]) == (1, "transport:0->4", "ncring")
    assert said["candidates"][:2] == [{"name": "ncring", "rank": 30}, {"name": "mailbox", "rank": 40}]
    assert said["rules"][0]["where"] == "multikernel/knowledge/policies/transport.dl:6"
    assert {reject["name"]: reject["unmet"] for reject in said["rejected"]} == {
        "dma": 'dma(0, 4, D), where device(D, "dma") does not hold',
        "lmp": "same_core(0, 4), which is not of the form same_core(A, A)",
        "ump": "coherent(0, 4), where island(4, 0) does not hold",
    }
    islands = [fact for fact in said["rejected"][2]["facts"] if fact["fact"].startswith("island")]
    assert [fact["fact"] for fact in islands] == ["island(0, 0)", "island(4, 1)"]
    assert all(fact["source"].startswith("boards/zcu102.yaml:") for fact in islands)
    named, coherent = said["changes"]
    assert (named["chosen"], coherent["chosen"]) == ("mailbox", "ump")
    assert [(edit["path"], edit["was"], edit["value"]) for edit in coherent["edits"]] == [
        ("coherence[1].cores", "4", []),
        ("coherence[0].cores", "0-3", "0-4"),
    ]
    assert all(edit["where"].startswith("boards/zcu102.yaml:") for edit in coherent["edits"])


@pytest.mark.parametrize(
    ("slot", "chosen", "proof"),
    [
        ("home:0->31", "mem7", "region_node(mem7, 7)"),
        ("home:31->0", "mem0", "region_node(mem0, 0)"),
        ("tree:numa", "28, 20, 24, 12, 16, 4, 8", "boot_hops(7, 4)"),
        ("tree:multicast", "4, 8, 12, 16, 20, 24, 28", "package(28, 7)"),
        ("tree:unicast", "flat", ""),
        ("monitor", "user-mode", "monitor(user-mode)"),
        ("cpu-driver:k10", "x86-64", "kind(k10, x86-64)"),
        ("consistency:shootdown", "one-phase", "replicates(one-phase, shootdown)"),
        ("transport:hops:2", "ump", "island(12, 0)"),
        ("transport:5->5", "lmp", "core(5, k10)"),
    ],
)
def test_every_kind_of_slot_has_a_reason(
    capsys: pytest.CaptureFixture[str], slot: str, chosen: str, proof: str
) -> None:
    code, out, _ = run(capsys, "why", "paper-8x4-amd", slot)
    assert code == 0
    assert out.startswith(f"{slot}: {chosen}, decided by policy\n")
    assert proof in out.replace('"', "")


@pytest.mark.parametrize(
    ("slot", "told"),
    [
        ("transport:0->32", "paper-8x4-amd has no core 32; it has 0 to 31"),
        ("cpu-driver:k11", "there is no slot 'cpu-driver:k11' on paper-8x4-amd; there are cpu-driver:k10"),
        ("tree:binary", "there is no slot 'tree:binary' on paper-8x4-amd; there are tree:numa, tree:unicast"),
        ("consistency:names", "there is no slot 'consistency:names' on paper-8x4-amd; there are consistency:"),
        ("moniter", "there is no slot 'moniter' on paper-8x4-amd; there are monitor"),
        ("home:hops:9", "there is no slot 'home:hops:9' on paper-8x4-amd; there are home:hops:"),
        ("skb:x", "there is no slot 'skb:x' on paper-8x4-amd; there are skb"),
    ],
)
def test_a_slot_that_is_not_there(capsys: pytest.CaptureFixture[str], slot: str, told: str) -> None:
    code, out, err = run(capsys, "why", "paper-8x4-amd", slot)
    assert (code, out) == (2, "")
    assert told in err


def test_why_writes_the_smallest_edit_as_a_board(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    code, out, _ = run(capsys, "why", "zcu102", "transport:shared:L2", "--edit", str(file))
    assert code == 0
    assert "bind.transport.shared:L2: auto -> multi-hop" in out
    assert file.read_text().splitlines()[1:] == ["extends: zcu102", "bind:", "  transport: {'shared:L2': multi-hop}"]
    assert {e.transport for e in assemble(str(file)).pair_classes if e.name == "shared:L2"} == {"multi-hop"}
    code, _, err = run(capsys, "why", "zcu102", "transport:shared:L2", "--edit", str(file))
    assert code == 3
    assert "is there already; nothing is written over" in err
    code, out, err = run(capsys, "why", "zcu102", "monitor", "--edit", str(tmp_path / "none.yaml"))
    assert (code, out, (tmp_path / "none.yaml").exists()) == (5, "", False)
    assert "no edit of the board was found" in err


def test_an_edit_of_a_board_in_another_folder_extends_its_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "own.yaml").write_text("extends: zcu102\nname: own\n")
    board, file = tmp_path / "boards" / "own.yaml", tmp_path / "mine.yaml"
    assert run(capsys, "why", str(board), "transport:shared:L2", "--edit", str(file))[0] == 0
    assert "extends: boards/own.yaml" in file.read_text().splitlines()


def test_why_a_slot_cannot_be_filled_names_the_edit_that_would(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("extends: zcu102\nbind: {transport: {'shared:L2': ncring}}\n")
    code, out, err = run(capsys, "why", str(file), "transport:shared:L2")
    assert (code, out) == (5, "")
    place = f"{file}:2:33: bind.transport.shared:L2: ncring -> auto"
    assert f"  an edit would fill it: {place}  => ump for transport:shared:L2" in err.splitlines()


def test_skb_query(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "skb", "query", "paper-8x4-amd", "coherent(0, B) & node(B, N) & (N > 6)")
    assert code == 0
    assert out.split() == ["B", "N", "28", "7", "29", "7", "30", "7", "31", "7"]
    code, out, _ = run(capsys, "skb", "query", "zcu102", "notify(0, 4, V)", "--json")
    assert json.loads(out) == {
        "schema_version": 1,
        "goal": "notify(0, 4, V)",
        "variables": ["V"],
        "rows": [["mailbox"]],
    }
    assert run(capsys, "skb", "query", "zcu102", "coherent(0, 4)")[:2] == (1, "no\n")
    assert run(capsys, "skb", "query", "zcu102", "coherent(0, 3)")[:2] == (0, "yes\n")
    assert run(capsys, "skb", "query", "zcu102", "node(_, N)")[:2] == (1, "no answer\n")


def test_skb_query_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "skb", "query", "zcu102", "coherant(0, X)")
    assert (code, out) == (2, "")
    assert "<goal>:1:1: unknown-predicate" in err
    assert "did you mean coherent" in err
    assert run(capsys, "skb", "query", "zcu102", " ")[0] == 2
    code, _, err = run(capsys, "skb", "query", "zcu102", "coherent(A, B)", "--budget", "50")
    assert code == 1
    assert "no answer after 50 steps" in err


def test_skb_schema_tells_what_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "skb", "schema", "zcu102", "--json")
    assert code == 0
    said = json.loads(out)
    facts = {entry["predicate"]: entry["meaning"] for entry in said["facts"]}
    assert facts["island(core: int, island: int)"] == "Its coherence island; none stated, no fact."
    assert all(facts.values()), "every predicate says what it means"
    assert {"predicate": "coherent", "types": ["int", "int"]} in said["derived"]
