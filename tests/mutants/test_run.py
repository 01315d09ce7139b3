"""The runner of mutants is not easily satisfied."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.mutants import run

HEADER = "# breaks: nothing\n# killed by: {test}\n# shows: {shows}\n"
TEST = "tests/caps/test_tlb.py::test_a_tlb_has_entries"
SHIPPED, UNSHIPPED = "kit/multikernel/system/caps/types.py", "tests/conftest.py"


def harmless(file: str) -> str:
    """A patch that adds an empty line at the end."""
    lines = (run.ROOT / file).read_text().splitlines(keepends=True)
    return "".join(unified_diff(lines, [*lines, "\n"], f"a/{file}", f"b/{file}"))


def report(*cases: str) -> ET.Element:
    return ET.fromstring(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")


def case(name: str, inside: str = "") -> str:
    return f'<testcase classname="tests.test_a" name="{name}">{inside}</testcase>'


FAILED = '<failure message="AssertionError: assert 1 == 2">E assert 1 == 2</failure>'


def test_a_failure_that_shows_what_it_should_is_a_kill() -> None:
    assert run.judge(report(case("test_x", FAILED)), 1, "1 == 2") == ""
    assert run.judge(report(case("test_x[a]"), case("test_x[b]", FAILED)), 1, "1 == 2") == ""
    assert run.judge(report(case("test_x", FAILED + '<error message="failed on teardown"/>')), 1, "1 == 2") == ""


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        ([case("test_x")], "test_x passes"),
        ([case("test_x", "<skipped/>")], "test_x was skipped"),
        ([case("test_x", '<error message="failed on setup"/>')], "test_x did not get to run"),
        ([], "0 tests ran, not 1"),
        ([case("test_x", FAILED), case("test_y", FAILED)], "2 tests ran, not 1"),
        ([case("test_x", '<failure message="AssertionError: other"/>')], "does not show '1 == 2'"),
        ([case("test_x", '<failure message="NameError: name 1 == 2"/>')], "no working code"),
        ([case("test_x", '<failure message="builtins.ImportError: 1 == 2"/>')], "no working code"),
    ],
)
def test_anything_else_is_not(cases: list[str], problem: str) -> None:
    assert problem in run.judge(report(*cases), 1, "1 == 2")


@pytest.mark.parametrize("line", ["breaks", "killed by", "shows"])
def test_a_header_says_all_three(line: str, tmp_path: Path) -> None:
    text = HEADER.format(test=TEST, shows="x").splitlines()
    path = tmp_path / "some.patch"
    path.write_text("\n".join(part for part in text if not part.startswith(f"# {line}")))
    with pytest.raises(run.Bad, match=rf"some\.patch lacks a line '# {line}: \.\.\.'"):
        run.read(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        (harmless(SHIPPED), "test_a_tlb_has_entries passes"),
        (harmless(SHIPPED).replace("\n ", "\n what is not there "), "does not apply"),
        (harmless(UNSHIPPED), "not shipped code"),
    ],
    ids=["survives", "does-not-apply", "not-shipped"],
)
def test_the_command_fails(patch: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "some.patch").write_text(HEADER.format(test=TEST, shows="x") + patch)
    code = "import sys; from pathlib import Path; from tests.mutants import run; "
    code += "sys.exit(run.main([], Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, cwd=run.ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, problem in done.stdout) == (1, True), done.stdout + done.stderr
    assert "0 of 1 mutants killed" in done.stdout


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["lost-massage"])
    assert "no mutant lost-massage; there are: access" in capsys.readouterr().err
