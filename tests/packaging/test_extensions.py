"""A C source edited after it was compiled is never run as the old library."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mk_host

SCRIPT = "from mk_host.shared import load_backend; print(load_backend().finding)"


def test_a_library_of_another_source_is_not_used(tmp_path: Path) -> None:
    package = Path(mk_host.__file__).parent
    copy = shutil.copytree(package, tmp_path / "mk_host", ignore=shutil.ignore_patterns("__pycache__"))
    assert list(copy.glob("_ring*.so"))

    def finding() -> str:
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {SCRIPT}"]
        return subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=True).stdout

    assert finding().startswith("native: ")
    with (copy / "_ring.c").open("a") as source:
        source.write("\n")
    assert "(_ring.c has changed since it was compiled; install the kit again)" in finding()


@pytest.mark.parametrize(
    "source", sorted((Path(__file__).parents[2] / "plugins").glob("mk_*/_*.c")), ids=lambda path: path.name
)
def test_extensions_parse_nothing_whose_meaning_depends_on_the_headers(source: Path) -> None:
    """`#` formats: headers of Python 3.13 compile them to what a library of 3.11 refuses at run time."""
    formats = re.findall(r'(?:ParseTuple\w*|BuildValue)\([^;]*?"([^"]*)"', source.read_text())
    assert formats
    assert not [text for text in formats if "#" in text]
