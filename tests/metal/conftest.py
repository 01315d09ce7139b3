"""Boots of images, each done once a session."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mk_qemu.platform import QemuPlatform
from multikernel.blueprint import Blueprint
from multikernel.events import Event
from multikernel.interfaces import BootOptions
from tests.metal.machines import code

SECOND = 1_000_000_000

Boot = Callable[[Blueprint, Sequence[Path], str], tuple[list[Event], str]]


@pytest.fixture(scope="session")
def tools() -> None:
    """What an image needs to be built and run."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86_64 is not installed")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")


@pytest.fixture(scope="session")
def boot(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """boot(blueprint, sources, program) -> the events of the boot and of the program's run, and the serial
    logs of both.  Without a program, the boot alone.  A session's later boots of the same are not repeated."""
    done: dict[tuple[str, tuple[Path, ...], str], tuple[list[Event], str]] = {}

    def run(blueprint: Blueprint, sources: Sequence[Path], program: str) -> tuple[list[Event], str]:
        key = (blueprint.hash, tuple(sources), program)
        if key not in done:
            done[key] = once(blueprint, sources, program, tmp_path_factory.mktemp("boot") / "log")
        return done[key]

    return run


def once(blueprint: Blueprint, sources: Sequence[Path], program: str, log: Path) -> tuple[list[Event], str]:
    events: list[Event] = []
    options = BootOptions(timeout_ns=20 * SECOND, trace=str(log))
    session = QemuPlatform().boot(blueprint, code(sources), options, events.append)
    if program:
        session.run(program, ())
    session.stop()
    return events, log.read_text()
