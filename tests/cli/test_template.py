"""`mkit plugins new`: the template, baked by the kit and by cookiecutter, gives the same files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

from multikernel.cli.root import run
from multikernel.cli.template import template_folder


def files_under(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_kit_and_cookiecutter_bake_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "new", "transport", "fast-ring", "--no-input", "--folder", str(tmp_path / "a")]) == 0
    context = {"name": "fast-ring"}
    cookiecutter(
        str(template_folder() / "transport"), no_input=True, extra_context=context, output_dir=str(tmp_path / "b")
    )
    ours, theirs = files_under(tmp_path / "a"), files_under(tmp_path / "b")
    assert list(ours) == list(theirs)
    assert ours == theirs
    assert "mk-fast-ring/src/mk_fast_ring/transport.py" in ours
    assert not [name for name, text in ours.items() if "cookiecutter" in text]
    for name, text in ours.items():
        if name.endswith(".py"):
            ast.parse(text, name)
    printed = capsys.readouterr().out.split()
    assert printed == [str(tmp_path / "a" / "mk-fast-ring"), *(str(tmp_path / "a" / name) for name in ours)]


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mk-ring").mkdir()
    assert run(["plugins", "new", "transport", "ring", "--no-input", "--folder", str(tmp_path)]) == 3
    assert capsys.readouterr().err == (
        f"error: exists: {tmp_path}/mk-ring exists; give another name, or another --folder\n"
    )
    assert files_under(tmp_path) == {}


def test_a_name_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "new", "transport", "ump", "--no-input", "--folder", str(tmp_path)]) == 2
    assert "'ump' is taken by mk_ump of multikernel-kit; two of one name are an error" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_name_no_folder_can_have_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "new", "transport", "x" * 300, "--no-input", "--folder", str(tmp_path)]) == 3
    assert capsys.readouterr().err.endswith("File name too long\n")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugins", "new", "transport", "ring", "--dry-run", "--folder", str(tmp_path)]) == 0
    assert "transport.py" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("transprot", "ring", "template-kind: there is no template for a 'transprot' (did you mean transport?)"),
        ("x", "ring", "template-kind: there is no template for a 'x'; there are: transport"),
        ("transport", "Ring 2", "plugin-name: 'Ring 2' cannot name a plugin; use lower-case words joined by '-'"),
    ],
)
def test_a_wrong_word_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str, message: str
) -> None:
    assert run(["plugins", "new", kind, name, "--no-input", "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_summary_cannot_break_the_files(tmp_path: Path) -> None:
    summary = 'Says "hello"\n\\ and {{ cookiecutter.name }} {more}'
    assert run(["plugins", "new", "transport", "ring", "--summary", summary, "--folder", str(tmp_path)]) == 0
    for name, text in files_under(tmp_path).items():
        if name.endswith(".py"):
            ast.parse(text, name)
