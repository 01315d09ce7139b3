"""`import multikernel` costs nothing, and its public names are what they say."""

from __future__ import annotations

import subprocess
import sys


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_nothing_of_it() -> None:
    out = run("import sys, multikernel; print([m for m in sys.modules if m.startswith('multikernel.')])")
    assert out == "[]\n"


def test_assemble_is_the_function_whatever_was_imported_before() -> None:
    call = "import multikernel; print(callable(multikernel.assemble), multikernel.assemble.__name__)"
    assert run(call) == "True assemble\n"
    assert run(f"import multikernel.assemble; {call}") == "True assemble\n"
    assert run(f"from multikernel import assemble; import multikernel.assemble; {call}") == "True assemble\n"


def test_every_public_name_is_there() -> None:
    out = run("import multikernel; print([n for n in multikernel.__all__ if not callable(getattr(multikernel, n))])")
    assert out == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    out = run("import multikernel\ntry: multikernel.bort\nexcept AttributeError as e: print(e)")
    assert out == "module 'multikernel' has no attribute 'bort'\n"
