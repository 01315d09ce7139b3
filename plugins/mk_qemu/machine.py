"""QEMU as the machine a blueprint describes: its command line, and one run of it from start to reaped.

    command(blueprint, image, append) -> arguments
    run(arguments, seconds, take) -> exit status        `take` gets each line as it comes

Instructions are counted and nothing waits for real time (`-icount shift=0,sleep=off`), so that the same
image prints the same bytes; KVM would end that and is not used.

Invariants: when `run` returns or raises, however it does, QEMU is gone and reaped; if this process is
killed, the kernel kills QEMU (PR_SET_PDEATHSIG).  Nothing is written to disk.
May not know: the log's content.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from multikernel.blueprint import Blueprint, Memory
from multikernel.errors import BootTimeout, PlatformError

QEMU = "qemu-system-x86_64"
ORDERLY = 85
"""Exit status of an orderly power-off: EXIT_ORDERLY of console.c, twice and one."""
PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


def find_qemu() -> str:
    """Path of QEMU.  Raises PlatformError naming the fix."""
    path = shutil.which(QEMU)
    if path is None:
        raise PlatformError(f"{QEMU} is missing: apt install qemu-system-x86 (or the package that has it)")
    return path


def qemu_version() -> str:
    """First line of what QEMU says of itself."""
    done = subprocess.run([find_qemu(), "--version"], capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.partition("\n")[0]


def _sizes(blueprint: Blueprint) -> list[tuple[int, int]]:
    """(node, bytes) of each piece of memory from address 0 up.  Raises PlatformError for a hole."""
    end, sizes = 0, []
    regions: list[Memory] = sorted(blueprint.memory, key=lambda region: region.base)
    for region in regions:
        if region.base > end:
            raise PlatformError(
                f"no memory from {end:#x} to {region.base:#x}; QEMU's PC has one piece from 0: begin region "
                f"{region.region!r} at {end:#x}"
            )
        top = region.base + region.size
        sizes.append((region.node, top - end))
        end = top
    return sizes


def _numa(blueprint: Blueprint) -> list[str]:
    """One node of QEMU's for each piece of memory, with the cores of the board's node."""
    arguments = []
    for number, (node, size) in enumerate(_sizes(blueprint)):
        cores = sorted(core.hardware_id for core in blueprint.cores if core.node == node and not core.fails)
        cpus = "".join(f",cpus={core}" for core in cores)
        arguments += ["-object", f"memory-backend-ram,id=m{number},size={size}"]
        arguments += ["-numa", f"node,nodeid={number}{cpus},memdev=m{number}"]
    return arguments


def command(blueprint: Blueprint, image: Path, append: str) -> list[str]:
    """The whole command line; `append` is the kernel's.  Raises PlatformError."""
    sizes = _sizes(blueprint)
    present = [core.hardware_id for core in blueprint.cores if not core.fails]
    nodes = {core.node for core in blueprint.cores}
    several = len(nodes) > 1 and nodes == {node for node, _ in sizes} and len(sizes) == len(nodes)
    return [
        find_qemu(), "-M", "pc", "-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=off",
        "-smp", str(max(present) + 1), "-m", f"{sum(size for _, size in sizes) >> 20}M",
        *(_numa(blueprint) if several else ()),
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-rtc", "base=2000-01-01,clock=vm",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-chardev", "stdio,id=log,signal=off", "-serial", "chardev:log",
        "-kernel", str(image), *(["-append", append] if append else ()),
    ]  # fmt: skip


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes QEMU; None where the system has no such thing."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return prepare


def run(arguments: Sequence[str], seconds: float, take: Callable[[str], None]) -> int:
    """Run QEMU to its end.  Raises BootTimeout after `seconds` of wall time; whatever `take` raises ends
    the run too."""
    deadline = time.monotonic() + seconds
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends QEMU in order
        preexec_fn=_die_with_parent(),
    )
    try:
        if process.stdout is not None:
            _read_lines(process.stdout.fileno(), deadline, seconds, take)
        return process.wait(timeout=max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _too_long(seconds) from error
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _too_long(seconds: float) -> BootTimeout:
    return BootTimeout(f"the image under QEMU did not end within {seconds:g} s of wall time")


def _read_lines(descriptor: int, deadline: float, seconds: float, take: Callable[[str], None]) -> None:
    pending = b""
    with selectors.DefaultSelector() as ready:
        ready.register(descriptor, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, deadline - time.monotonic())):
                raise _too_long(seconds)
            data = os.read(descriptor, 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                take(line.decode("ascii", "replace").rstrip("\r"))
    if pending:
        take(pending.decode("ascii", "replace"))
