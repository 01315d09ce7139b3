"""The wheel: what is in it, with a compiler and without, and that nothing old gets in."""

from __future__ import annotations

import configparser
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("kit", "plugins", "boards", "cookiecutter-plugin")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.new", ".*_cache")
NO_COMPILER = {"CC": "/no/such/cc"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the wheel is built from, free of what a build leaves."""
    folder = tmp_path / "checkout"
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=LEFT_OUT)
    for file in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, folder)
    return folder


def build(checkout: Path, environment: Mapping[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(checkout / "dist")]
    plain = {key: value for key, value in os.environ.items() if key not in ("CC", "MKIT_REQUIRE_C")}
    env = {**plain, "LC_ALL": "C", **environment}
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, timeout=300, check=check)


def wheel_of(checkout: Path, environment: Mapping[str, str]) -> zipfile.ZipFile:
    build(checkout, environment)
    (wheel,) = (checkout / "dist").glob("*.whl")
    return zipfile.ZipFile(wheel)


def entry_points(wheel: zipfile.ZipFile) -> dict[str, str]:
    (name,) = [name for name in wheel.namelist() if name.endswith("dist-info/entry_points.txt")]
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(name).decode())
    return dict(parser["multikernel"])


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_a_wheel_has_every_part_and_fresh_extensions(checkout: Path) -> None:
    sources = sorted(checkout.glob("plugins/mk_*/_*.c"))
    assert sources
    for source in sources:
        source.with_suffix(".abi3.so").write_bytes(b"an older library")
    with wheel_of(checkout, {"MKIT_REQUIRE_C": "1"}) as wheel:
        assert "-cp311-abi3-linux" in str(wheel.filename)
        names = set(wheel.namelist())
        for source in sources:
            library = wheel.read(f"{source.parent.name}/{source.stem}.abi3.so")
            parts = [source, *sorted(source.parent.glob(f"{source.stem}_*.h"))]
            digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
            assert digest.encode() in library
        for part, home in (("kit", ""), ("plugins", ""), ("boards", "multikernel/boards/")):
            for file in (checkout / part).rglob("*"):
                if file.suffix in (".py", ".dl", ".c", ".S", ".h", ".yaml", ".md", ".typed", ".pyi"):
                    assert home + file.relative_to(checkout / part).as_posix() in names
        assert "multikernel/cookiecutter-plugin/transport/cookiecutter.json" in names
        assert not [name for name in names if "__pycache__" in name or name.startswith(("kit/", "plugins/", "tests"))]
        plugins = sorted(file.parent.name for file in checkout.glob("plugins/mk_*/__init__.py"))
        assert entry_points(wheel) == {name: name for name in plugins}


def test_without_a_compiler_the_wheel_is_pure_and_an_old_library_stays_out(checkout: Path) -> None:
    for source in checkout.glob("plugins/mk_*/_*.c"):
        source.with_suffix(".abi3.so").write_bytes(b"an older library")
    with wheel_of(checkout, NO_COMPILER) as wheel:
        assert str(wheel.filename).endswith("-py3-none-any.whl")
        assert not [name for name in wheel.namelist() if name.endswith(".so")]


def test_a_required_extension_that_cannot_be_built_fails_the_build(checkout: Path) -> None:
    done = build(checkout, {**NO_COMPILER, "MKIT_REQUIRE_C": "1"}, check=False)
    assert done.returncode != 0
    assert "MKIT_REQUIRE_C=1, but there is no C compiler (/no/such/cc)" in done.stderr


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_an_extension_that_does_not_compile_falls_back_and_says_why(checkout: Path) -> None:
    broken = checkout / "plugins/mk_broken/_broken.c"
    broken.parent.mkdir()
    broken.write_text("int f(void) { return nothing; }\n")
    done = build(checkout, {})
    assert "built without C extensions: plugins/mk_broken/_broken.c does not compile:" in done.stdout + done.stderr
    assert "'nothing' undeclared" in done.stdout + done.stderr
    assert [wheel.name for wheel in (checkout / "dist").iterdir()] == ["multikernel_kit-0.1.0-py3-none-any.whl"]


def test_a_new_plugin_is_a_new_folder_and_edits_nothing(checkout: Path) -> None:
    added = checkout / "plugins/mk_added/__init__.py"
    added.parent.mkdir()
    added.write_text("multikernel_api = 1\n")
    (checkout / "plugins/mk_unfinished").mkdir()
    with wheel_of(checkout, NO_COMPILER) as wheel:
        points = entry_points(wheel)
        assert points["mk_added"] == "mk_added"
        assert "mk_unfinished" not in points
