"""How the distribution is built: entry points found, C extensions compiled where a compiler is.

    PluginEntryPoints   metadata hook: one entry point in group `multikernel` per plugins/mk_*
    CompileExtensions   build hook: plugins/mk_*/_NAME.c -> _NAME.abi3.so on the limited API

Each extension is compiled with MK_SOURCE_HASH, the SHA-256 of its source and of its parts `_NAME_*.h` in hex, and
must export it, so that a loader can refuse a library older than its source.  Without a compiler or
Python.h the wheel is pure and the plugins use their Python twins; MKIT_REQUIRE_C=1 makes that an error.
A library is compiled anew at every build, and what an earlier build left is removed first.

May not know: what the plugins do.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

LIMITED_API = "0x030B0000"
"""Py_LIMITED_API of Python 3.11, the oldest supported."""
SUFFIX = ".abi3.so"


class PluginEntryPoints(MetadataHookInterface):
    """Registers every folder plugins/mk_* that is a package, and the kit's own plugin for pytest."""

    def update(self, metadata: dict[str, Any]) -> None:
        found = sorted(path.parent.name for path in Path(self.root).glob("plugins/mk_*/__init__.py"))
        metadata["entry-points"] = {
            "multikernel": {name: name for name in found},
            "pytest11": {"multikernel": "multikernel.testing.pytest_plugin"},
        }


class CompileExtensions(BuildHookInterface[Any]):
    """Compiles plugins/mk_*/_*.c: in place for an editable install, into the wheel otherwise."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        self.folder = Path(tempfile.mkdtemp(prefix="mk-build-"))
        built = self._compile(sorted(Path(self.root).glob("plugins/mk_*/_*.c")))
        if version == "editable":
            for stale in set(Path(self.root).glob(f"plugins/mk_*/_*{SUFFIX}")) - {s.with_suffix(SUFFIX) for s in built}:
                stale.unlink()
            for source, library in built.items():
                # A new file, then a rename: a process that has the old library mapped keeps it whole.
                beside = source.with_suffix(".new")
                shutil.copy(library, beside)
                beside.replace(source.with_suffix(SUFFIX))
        elif built:
            for source, library in built.items():
                build_data["force_include"][str(library)] = f"{source.parent.name}/{library.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{platform_tag()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            shutil.rmtree(self.folder)

    def _compile(self, sources: list[Path]) -> dict[Path, Path]:
        """The library of each source, or none at all: a half-native build would be hard to tell apart."""
        compiler, reason = find_compiler()
        built: dict[Path, Path] = {}
        for source in sources:
            library = self.folder / source.parent.name / (source.stem + SUFFIX)
            library.parent.mkdir(exist_ok=True)
            failure = compile_extension(compiler, source, library) if compiler else ""
            if failure:
                compiler, reason = [], f"{source.relative_to(self.root)} does not compile:\n{failure}"
            built[source] = library
        if sources and not compiler:
            if os.environ.get("MKIT_REQUIRE_C") == "1":
                raise SystemExit(f"MKIT_REQUIRE_C=1, but {reason}")
            self.app.display_warning(f"built without C extensions: {reason}")
            return {}
        return built


def find_compiler() -> tuple[list[str], str]:
    """The C compiler's command, or an empty list and why there is none."""
    command = os.environ.get("CC", "cc").split()
    if sys.platform != "linux":
        return [], f"the C extensions are for Linux, this is {sys.platform}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return [], "free-threaded Python has no limited API"
    if not command or not shutil.which(command[0]):
        return [], f"there is no C compiler ({' '.join(command) or 'CC is empty'})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return [], f"there is no Python.h in {sysconfig.get_path('include')}"
    return command, ""


def compile_extension(compiler: list[str], source: Path, library: Path) -> str:
    """Compile `source` into `library`; what the compiler said if it failed, else empty."""
    parts = [source, *sorted(source.parent.glob(f"{source.stem}_*.h"))]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    command = [*compiler, "-std=gnu11", "-O2", "-g0", "-Wall", "-Wextra", "-Wno-unused-parameter"]
    command += ["-fPIC", "-shared", "-pthread", "-fvisibility=hidden"]
    command += [f"-DPy_LIMITED_API={LIMITED_API}", f'-DMK_SOURCE_HASH="{digest}"']
    command += [f"-I{sysconfig.get_path('include')}", str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def platform_tag() -> str:
    """The platform part of the wheel's tag."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
