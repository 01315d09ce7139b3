"""Blueprint and C sources -> one ELF64 image with a PVH note.

    build_image(blueprint, sources, folder) -> Path     generated files and kernel.elf, in `folder`
    cached_image(blueprint, sources) -> Path            the same, built once for the same inputs
    programs(sources) -> names of the user programs in them

A source says in its first line what it is part of:

    // metal: driver                      privileged, linked into the CPU driver
    // metal: library                     user code, linked into every program
    // metal: all                         both
    // metal: program NAME [pairs]        the user program NAME; `pairs`: runs on both cores of each class

The compiler is zig's clang, of the wheel `ziglang`: one toolchain on every machine, so that the same
inputs give the same bytes.  Objects are cached by the hash of all that goes into them.

Errors: PlatformError, naming the fix, when the toolchain is missing or refuses a source.
May not know: QEMU, the log.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from mk_qemu.layout import place
from mk_qemu.tables import USER_SCRIPT, Program, core_tables, driver_script, embed
from multikernel.blueprint import Blueprint
from multikernel.errors import FileError, PlatformError

MONITOR = "monitor"
"""The program every core's driver starts first."""
RUNTIME = Path(__file__).parent / "metal"
"""This plugin's own sources: the contract and the user runtime."""
FLAGS = (
    "-target", "x86_64-freestanding",
    "-mcpu=x86_64-sse-sse2-mmx+soft_float",  # -mno-sse and -mgeneral-regs-only are ignored by zig
    "-mno-red-zone", "-mcmodel=small", "-fno-pic",
    "-ffreestanding", "-fno-stack-protector", "-fno-sanitize=all", "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-std=gnu11", "-O2", "-g0", "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
TIMEOUT = 120
"""Seconds a call of the toolchain may take; it takes 0.1 s, and some seconds the first time."""


class Source(NamedTuple):
    path: Path
    part: str
    program: str
    pairs: bool


def read_sources(sources: Sequence[Path]) -> list[Source]:
    """The sources with what their first lines say, sorted by part and name; headers are left out.
    Raises PlatformError for a file that is missing or says nothing."""
    found = []
    for path in sources:
        if path.suffix == ".h":
            continue
        try:
            first = path.read_text(encoding="utf-8").partition("\n")[0].split()
        except OSError as error:
            raise PlatformError(f"{path}: {error.strerror}; a plugin's `metal` names it") from error
        part = first[2] if first[:2] == ["//", "metal:"] and len(first) > 2 else ""
        if part not in ("driver", "library", "all", "program") or (part == "program" and len(first) < 4):
            raise PlatformError(
                f"{path}:1:1: not a source of an image; begin it with `// metal: driver`, `// metal: library`, "
                "`// metal: all` or `// metal: program NAME [pairs]`"
            )
        name = first[3] if part == "program" else ""
        found.append(Source(path.absolute(), part, name, first[4:] == ["pairs"]))
    return sorted(found, key=lambda source: (source.part, source.program, source.path.name))


def programs(sources: Sequence[Path]) -> tuple[str, ...]:
    """Names of the user programs in `sources`, the monitor left out."""
    return tuple(sorted({s.program for s in read_sources(sources) if s.part == "program"} - {MONITOR}))


def _with_runtime(sources: Sequence[Path]) -> list[Source]:
    own = [path for path in sorted(RUNTIME.iterdir()) if path.suffix in (".c", ".S")]
    given = read_sources([*own, *sources])
    if not any(source.program == MONITOR for source in given):
        raise PlatformError("no source is `// metal: program monitor`; bind a monitor that has a C facet")
    if not any(source.part == "driver" for source in given):
        raise PlatformError("no source is `// metal: driver`; bind a CPU driver that has a C facet")
    return given


def _table(given: Sequence[Source]) -> list[Program]:
    """The monitor, then the programs by name."""
    names = sorted({source.program for source in given if source.program}, key=lambda name: (name != MONITOR, name))
    return [Program(name, any(s.pairs for s in given if s.program == name)) for name in names]


def cache_folder() -> Path:
    """Where objects and images are kept: `multikernel/metal` in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base if os.path.isabs(base) else tempfile.gettempdir()) / "multikernel" / "metal"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformError(f"{path}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written") from error
    return path


def work_folder(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder to build in, gone at the end of its `with`.  Those of processes that were killed go now."""
    for left in sorted(cache.glob("build-*")):
        owner = left.name.split("-")[1]
        if owner.isdecimal() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"build-{os.getpid()}-", dir=cache)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Toolchain:
    """zig's clang and lld.  Raises PlatformError when the wheel is missing."""

    def __init__(self, cache: Path) -> None:
        if importlib.util.find_spec("ziglang") is None:
            raise PlatformError(
                "the C compiler for images is missing: pip install 'multikernel-kit[qemu]' (the wheel ziglang)"
            )
        self.version = version("ziglang")
        self._cache = cache
        zig = str(cache / "zig")
        self._environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}

    def run(self, arguments: Sequence[str], folder: Path, scratch: Path) -> None:
        """`scratch` is for what a compiler leaves behind that is killed."""
        command = [sys.executable, "-m", "ziglang", *arguments]
        environment = {**self._environment, "TMPDIR": str(scratch)}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PlatformError(f"the toolchain did not end within {TIMEOUT} s: zig {' '.join(arguments)}") from error
        if done.returncode:
            raise PlatformError(f"the toolchain refused: zig {' '.join(arguments)}\n{done.stderr.strip()}")

    def compile(self, source: Path, headers: Sequence[Path], extra: Sequence[Path] = ()) -> Path:
        """The object of `source`, from the cache if nothing that goes into it has changed.  `extra` are
        files it includes as bytes."""
        digest = _digest(self.version, *FLAGS, *(_named(path) for path in (source, *headers, *extra)))
        target = self._cache / f"{digest}.o"
        if not target.exists():
            folders = sorted({path.parent for path in (source, *headers)})
            with work_folder(self._cache) as work:
                made = Path(work) / "made.o"
                includes = [f"-I{folder}" for folder in folders]
                self.run(["cc", *FLAGS, *includes, "-c", str(source), "-o", str(made)], source.parent, Path(work))
                made.replace(target)
        return target

    def link(self, script: str, objects: Sequence[Path], target: str, folder: Path, *options: str) -> None:
        common = ["-m", "elf_x86_64", "-static", "--build-id=none", "--orphan-handling=error", *options]
        self.run(["ld.lld", *common, "-T", script, "-o", target, *map(str, objects)], folder, folder)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _named(path: Path) -> str:
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _headers(given: Sequence[Source]) -> list[Path]:
    """The headers beside the sources; of two with one name the first folder's counts, as for the compiler."""
    folders = sorted({source.path.parent for source in given})
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix == ".h"]


def build_image(blueprint: Blueprint, sources: Sequence[Path], folder: Path) -> Path:
    """Build `folder`/kernel.elf; the generated files stay beside it.  `sources` are the C facets of the
    bound plugins.  Raises PlatformError, FileError."""
    given = _with_runtime(sources)
    layout = place(blueprint)
    table = _table(given)
    headers = _headers(given)
    folder = folder.absolute()  # the toolchain runs in folders of its own
    generated = {
        "tables.c": core_tables(blueprint, layout, table),
        "programs.S": embed([program.name for program in table]),
        "driver.ld": driver_script(layout),
        "user.ld": USER_SCRIPT,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in generated.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"{error.filename}: {error.strerror}; name a folder that can be written") from error
    tools = Toolchain(cache_folder())
    with ThreadPoolExecutor(max_workers=2) as pool:
        objects = dict(zip(given, pool.map(lambda source: tools.compile(source.path, headers), given), strict=True))
    tables = tools.compile(folder / "tables.c", headers)

    def part(*wanted: str) -> list[Path]:
        return [tables, *(objects[source] for source in given if source.part in wanted)]

    for program in table:
        own = [objects[source] for source in given if source.program == program.name]
        linked = [*part("library", "all"), *own]
        tools.link("user.ld", linked, f"{program.name}.elf", folder, "-e", "start")  # for debuggers
        tools.link("user.ld", linked, f"{program.name}.bin", folder, "-e", "start", "--oformat=binary")
    blobs = [folder / f"{program.name}.bin" for program in table]
    embedded = tools.compile(folder / "programs.S", (), blobs)
    tools.link("driver.ld", [*part("driver", "all"), embedded], "kernel.elf", folder)
    return folder / "kernel.elf"


def cached_image(blueprint: Blueprint, sources: Sequence[Path]) -> Path:
    """An image of these inputs, built at most once.  Raises PlatformError."""
    given = _with_runtime(sources)
    cache = cache_folder()
    here = sorted(Path(__file__).parent.glob("*.py"))
    inputs = [*(source.path for source in given), *_headers(given), *here]
    tools = Toolchain(cache)
    key = _digest(tools.version, *FLAGS, blueprint.hash, *map(_named, inputs))
    target = cache / f"image-{key}.elf"
    if not target.exists():
        with work_folder(cache) as work:
            shutil.move(build_image(blueprint, sources, Path(work)), target)
    return target
