"""`mkit diff`: which bindings an edit changes, and why; what changes none is told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from multikernel.cli import root
from multikernel.difference import compare, side
from tests.binding.boards import TWO_ISLANDS, mesh
from tests.binding.fakes import registry


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `mkit`."""
    code = root.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def board(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """The path of a board of two islands, words of it replaced."""
    text = TWO_ISLANDS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / f"{name}.yaml").write_text(text)
    return str(folder / f"{name}.yaml")


def test_a_slot_bound_otherwise_is_told_with_its_reasons(tmp_path: Path) -> None:
    plugins = registry()
    a = side(board(tmp_path, "a"), plugins, "any")
    moved = ("cores: 0-3, regions: [m0, m1]", "cores: 1-3, regions: [m0, m1]")
    b = side(board(tmp_path, "b", moved, ("summary: Four", "summary: 4")), plugins, "any")
    found = compare(a, b)
    assert not found.same
    rebound = {entry.slot: entry for entry in found.rebound}
    entry = rebound["transport:0->1"]
    assert (entry.a, entry.b) == ("ump", "ncring")
    assert entry.why_a is not None
    assert entry.why_b is not None
    assert entry.why_a.by.startswith("by multikernel/knowledge/policies/transport.dl:")
    assert entry.why_a.lacks == "ncring needs shares_uncached(0, 1), where ~coherent(0, 1) does not hold"
    assert [str(fact) for fact in entry.why_a.facts] == ["island(0, 0)"]
    assert "/a.yaml:22:" in entry.why_a.facts[0].source.where
    assert entry.why_b.lacks.startswith("ump needs coherent(0, 1), where island(0, ")
    assert entry.why_b.facts == (), "what decides there is that a fact is gone"
    assert not any(slot.startswith("transport:2->") for slot in rebound), "pairs without core 0 are as they were"
    boards = {entry.difference.path: entry.decides for entry in found.boards}
    assert list(boards) == ["coherence[0].cores", "summary"]
    assert "transport:0->1" in boards["coherence[0].cores"]
    assert boards["summary"] == ()


def test_naming_a_plugin_is_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "named.yaml"
    file.write_text("extends: zcu102\nbind: {transport: {'shared:L2': multi-hop}}\n")
    code, out, _ = run(capsys, "diff", "zcu102", str(file), "--json")
    assert code == 1
    said = json.loads(out)
    entry = next(entry for entry in said["slots"] if entry["slot"] == "transport:shared:L2")
    assert (entry["a"], entry["b"]) == ("ump", "multi-hop")
    assert entry["why_a"]["lacks"] == "multi-hop serves it too, rank 90"
    assert entry["why_b"]["by"] == f"named at {file}:2:33"
    decided = {entry["path"]: entry["decides"] for entry in said["boards"]}
    assert "transport:shared:L2" in decided["bind.transport.shared:L2"]


def test_the_same_is_exit_0(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = str(tmp_path / "k.json")
    assert run(capsys, "assemble", "x86-qemu", "-o", file)[0] == 0
    for a, b in (("x86-qemu", "x86-qemu"), ("x86-qemu", file), (file, file)):
        assert run(capsys, "diff", a, b)[:2] == (0, "the blueprints are the same\n")


def test_a_plugin_of_another_version_is_no_other_binding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    run(capsys, "assemble", "x86-qemu", "-o", str(file))
    document = json.loads(file.read_text())
    for entry in document["bindings"]:
        if entry["slot"] == "monitor":
            entry["hash"] = "00" * 32
    file.write_text(json.dumps(document, sort_keys=True, indent=1) + "\n")
    code, out, _ = run(capsys, "diff", str(file), "x86-qemu")
    assert code == 1
    assert out.splitlines()[0] == "no slot is bound otherwise"
    assert "monitor: was user-mode of multikernel-kit 0.1.0, sources 000000000000, is" in out


def test_many_cores_are_told_in_few_lines(tmp_path: Path) -> None:
    plugins = registry()
    (tmp_path / "a.yaml").write_text(mesh(2, 8))
    (tmp_path / "b.yaml").write_text(mesh(2, 16))
    a, b = (side(str(tmp_path / name), plugins, "any") for name in ("a.yaml", "b.yaml"))
    rest = compare(a, b).rest
    assert "cores added: 32-63" in rest
    assert "channels fixed: 31 -> 63" in rest
    changed = [line for line in rest if line.startswith("cores 8-15:")]
    assert len(changed) == 1, "what changed alike is one line"
    assert "node 1 -> 0" in changed[0]
    assert len([line for line in rest if line.startswith("cores")]) <= 4


def test_a_wrong_name_is_an_object_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "diff", "zcu102", "zcu103", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (3, "board-unknown")
    code, out, _ = run(capsys, "diff", "zcu102", "none.json", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (3, "file-missing")
