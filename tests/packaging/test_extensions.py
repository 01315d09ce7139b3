"""A C source edited after it was compiled is never run as the old library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

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
