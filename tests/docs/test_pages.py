"""What the pages say is so: commands exist, links lead somewhere, the test command is there for CI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from multikernel.cli.root import COMMANDS, run

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), ROOT / "boards" / "README.md"]
COMMAND = re.compile(r"\bmkit ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("name", [stub.name for stub in COMMANDS])
def test_every_command_of_the_table_is_there_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"Usage: mkit {name}" in capsys.readouterr().out


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_the_commands_a_page_names_exist(page: Path) -> None:
    named = {words.split()[0] for words in COMMAND.findall(page.read_text())}
    assert sorted(named - {stub.name for stub in COMMANDS}) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_the_readme_has_the_command_ci_runs() -> None:
    text = (ROOT / "README.md").read_text()
    block = text.partition("<!-- test-command -->")[2].partition("<!-- /test-command -->")[0]
    assert "pip install -e '.[test]'" in block
    assert "pytest" in block
