"""The C extensions under the address and undefined-behaviour sanitizers.

    python tests/sanitizers.py [TEST ...]

Copies the tree, compiles every `plugins/mk_*/_*.c` there with gcc's sanitizers, and runs the tests of what is in C, or
those named, on that.  What a sanitizer finds aborts the run.  Leaks are not looked for: the interpreter keeps what it
has at its end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("kit", "plugins", "boards", "tests", "pyproject.toml", "hatch_build.py")
TESTS = (
    "tests/sim/test_engine.py",
    "tests/sim/test_caches_agree.py",
    "tests/sim/test_coherence.py",
    "tests/sim/test_hand.py",
    "tests/sim/test_pollers_agree.py",
    "tests/sim/test_rings_agree.py",
    "tests/determinism/test_goldens.py",
    "tests/host/test_shared.py",
)
FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g")
LIBRARIES = ("libasan.so", "libubsan.so")


def main() -> int:
    sys.path.insert(0, str(ROOT))
    from hatch_build import compile_extension, find_compiler

    compiler, why = find_compiler()
    if not compiler:
        print(why, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in PARTS:
            source = ROOT / part
            ignored = shutil.ignore_patterns("*.so", "__pycache__")
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=ignored)
            else:
                shutil.copy(source, copy / part)
        for source in sorted(copy.glob("plugins/mk_*/_*.c")):
            problem = compile_extension([*compiler, *FLAGS], source, source.with_suffix(".abi3.so"))
            if problem:
                print(problem, file=sys.stderr)
                return 1
        found = [
            subprocess.check_output([*compiler, f"-print-file-name={name}"], text=True).strip() for name in LIBRARIES
        ]
        environment = {
            **os.environ,
            "LD_PRELOAD": ":".join(found),
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": os.pathsep.join(str(copy / part) for part in ("kit", "plugins", ".")),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *(sys.argv[1:] or TESTS)]
        return subprocess.run(command, cwd=copy, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
