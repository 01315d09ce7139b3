"""The blueprint as a lock: what may not change its bytes, what must, and what refuses it then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from multikernel.assemble import assemble
from multikernel.blueprint import Blueprint, Kit
from multikernel.cli import root
from multikernel.errors import FileError
from multikernel.lock import differences, read
from multikernel.registry import Plugin
from tests.binding.boards import from_text
from tests.binding.fakes import registry

ROOT = Path(__file__).parents[2]
ASSEMBLE = "import sys; from multikernel import assemble; sys.stdout.write(assemble(sys.argv[1]).to_json())"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `mkit`."""
    code = root.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def elsewhere(board: str, folder: Path, tree: Path = ROOT, seed: str = "0") -> str:
    """The blueprint, made by another process in `folder`, by the kit and plugins that lie in `tree`."""
    paths = os.pathsep.join((str(tree / "kit"), str(tree / "plugins")))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", ASSEMBLE, board]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.determinism
@pytest.mark.parametrize("name", ["zcu102", "paper-2x2-amd"])
def test_same_bytes_wherever_it_is_made(name: str, tmp_path: Path) -> None:
    here = assemble(name).to_json()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    assert elsewhere(name, tmp_path / "deep" / "er", seed="4711") == here
    for part in ("kit", "plugins", "boards"):
        shutil.copytree(ROOT / part, tmp_path / "copy" / part, ignore=shutil.ignore_patterns("__pycache__"))
    there = elsewhere(name, tmp_path, tmp_path / "copy", seed="1")
    assert there == here
    for path in (str(ROOT), str(tmp_path), str(Path.home())):
        assert path not in there


def plugin(folder: Path) -> Plugin:
    (folder / "mk_one").mkdir(exist_ok=True)
    (folder / "mk_one" / "__init__.py").write_text("multikernel_api = 1\n")
    return Plugin("mk_one", "one", "1.0", folder / "mk_one")


def test_a_plugins_hash_is_of_what_people_write(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = plugin(tmp_path), plugin(tmp_path / "other")
    first = one.source_hash
    assert other.source_hash == first, "wherever it lies"
    os.utime(tmp_path / "mk_one" / "__init__.py", (1, 1))
    (tmp_path / "mk_one" / "_fast.so").write_bytes(b"\x7fELF")
    (tmp_path / "mk_one" / "__pycache__").mkdir()
    (tmp_path / "mk_one" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"\0")
    assert one.source_hash == first
    (tmp_path / "mk_one" / "__init__.py").write_text("multikernel_api = 2\n")
    assert one.source_hash != first


def test_a_renamed_file_is_another_plugin(tmp_path: Path) -> None:
    one = plugin(tmp_path)
    (tmp_path / "mk_one" / "a.py").write_text("x = 1\n")
    first = one.source_hash
    (tmp_path / "mk_one" / "a.py").rename(tmp_path / "mk_one" / "b.py")
    assert one.source_hash != first


def test_a_blueprint_is_read_back_as_it_was(tmp_path: Path) -> None:
    blueprint = assemble("zcu102")
    file = tmp_path / "k.json"
    file.write_text(blueprint.to_json())
    assert read(file) == blueprint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no blueprint: not JSON"),
        ("[]", "no blueprint: its schema is not blueprint/1"),
        ('{"schema": "blueprint/1"}', "no blueprint: board: Field required"),
    ],
)
def test_what_is_no_blueprint_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "k.json"
    file.write_text(text)
    with pytest.raises(FileError, match=told):
        read(file)
    with pytest.raises(FileError, match="No such file"):
        read(tmp_path / "none.json")


def test_a_blueprint_laid_out_otherwise_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    file.write_text(json.dumps(json.loads(assemble("x86-qemu").to_json())))
    with pytest.raises(FileError, match="by another version of the kit, or by hand"):
        read(file)


def changed(blueprint: Blueprint, slot: str, **values: str) -> Blueprint:
    bindings = tuple(replace(b, **values) if b.slot == slot else b for b in blueprint.bindings)
    return replace(blueprint, bindings=bindings)


def test_each_difference_is_named(tmp_path: Path) -> None:
    now = assemble(from_text(tmp_path), registry())
    assert list(differences(now, now)) == []
    hashed = changed(now, "monitor", hash="ab" * 32)
    assert list(differences(hashed, now)) == [
        "monitor: was user-mode of in-memory 0, sources abababababab, is user-mode of in-memory 0, sources none"
    ]
    versions = changed(changed(now, "transport:hops:1", version="9"), "transport:shared:package", version="9")
    assert list(differences(versions, now)) == [
        "transport:hops:1, transport:shared:package: was ump of in-memory 9, sources none, is ump of in-memory 0, "
        "sources none"
    ]
    policy = replace(now, kit=Kit("0.0", (("home", "cd" * 32), *now.kit.policies[3:])))
    lines = list(differences(policy, now))
    assert lines[0] == f"kit: was 0.0, is {now.kit.version}"
    assert lines[1].startswith("policy gateway: was none, is ")
    assert lines[2].startswith("policy group: was none, is ")
    assert lines[3].startswith("policy home: was cdcdcdcdcdcd, is ")
    board = replace(now, board_hash="ef" * 32, boot=("more",))
    assert list(differences(board, now))[1:] == ["and with that: boot"]


def test_locked_takes_the_same_and_refuses_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "assemble", "x86-qemu", "--locked")
    assert (code, "mkit assemble x86-qemu -o x86-qemu.lock.json" in err) == (3, True), "there is no lock yet"
    assert run(capsys, "assemble", "x86-qemu", "-o", "x86-qemu.lock.json")[0] == 0
    code, out, _ = run(capsys, "assemble", "x86-qemu", "--locked")
    assert (code, out.splitlines()[-1]) == (0, "as locked in x86-qemu.lock.json")
    locked = assemble("x86-qemu")
    Path("other.json").write_text(changed(locked, "monitor", hash="00" * 32).to_json())
    code, out, err = run(capsys, "assemble", "x86-qemu", "--lock", "other.json", "-o", "new.json")
    assert (code, out) == (5, "")
    assert "monitor: was user-mode of multikernel-kit" in err
    assert not Path("new.json").exists(), "nothing is written"
    code, out, _ = run(capsys, "assemble", "paper-2x2-amd", "--lock", "other.json", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (5, "locked")


def test_the_blueprint_on_stdout_with_json_is_in_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "assemble", "x86-qemu", "-o", "-", "--json")
    said = json.loads(out)
    assert (code, said["schema_version"]) == (0, 1)
    assert said["blueprint"] == json.loads(assemble("x86-qemu").to_json())


def test_a_blueprint_boots_unless_plugins_are_other(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    run(capsys, "assemble", "paper-2x2-amd", "-o", str(file))
    code, out, _ = run(capsys, "boot", str(file), "--json")
    digest = json.loads(out)["digest"]
    assert (code, digest) == (0, json.loads(run(capsys, "boot", "paper-2x2-amd", "--json")[1])["digest"])
    file.write_text(changed(assemble("paper-2x2-amd"), "monitor", hash="00" * 32).to_json())
    code, out, err = run(capsys, "boot", str(file), "--json")
    assert (code, json.loads(out)["error"]["code"]) == (5, "locked")
    assert "monitor: was user-mode of multikernel-kit 0.1.0, sources 000000000000, is user-mode" in err
    code, out, _ = run(capsys, "boot", str(file), "--unlocked", "--json")
    assert (code, json.loads(out)["digest"]) == (0, digest)
    gone = changed(assemble("paper-2x2-amd"), "monitor", plugin="in-kernel")
    file.write_text(gone.to_json())
    code, _, err = run(capsys, "boot", str(file))
    assert code == 5
    assert "monitor: in-kernel of multikernel-kit" in err
    assert "is not installed" in err
