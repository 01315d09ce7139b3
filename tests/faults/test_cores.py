"""A core that cannot be used is told, and the others are a kernel of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multikernel.blueprint import Blueprint
from multikernel.events import Booted, CoreFailed
from multikernel.system.routes import TREES
from tests.promises.kernels import SECOND, blueprint, boot


def broken(board: str, *cores: int, platform: str = "sim") -> Blueprint:
    """The board's blueprint with cores that do not start, bound as if they did."""
    whole = blueprint(board, platform)
    entries = tuple(replace(core, fails="no clock") if core.id in cores else core for core in whole.cores)
    return replace(whole, cores=entries)


@pytest.mark.parametrize(
    ("board", "cores"),
    [
        ("x86-qemu", (2,)),
        ("x86-qemu", (1, 2, 3)),
        ("zcu102", (3,)),
        ("zcu102", (4, 5)),
        ("paper-8x4-amd", (4,)),  # the first of its package: others hear through it
        ("paper-8x4-amd", (5, 6, 7)),
        ("paper-8x4-amd", (1, 31)),
    ],
)
def test_the_rest_boots_measures_and_unmaps(board: str, cores: tuple[int, ...]) -> None:
    with boot(broken(board, *cores), {}) as kernel:
        assert {core.id for core in kernel.cores() if core.state == "failed"} == set(cores)
        assert {core.state for core in kernel.cores() if core.id not in cores} == {"joined"}
        told = [event for event in kernel.events if isinstance(event, CoreFailed)]
        assert sorted(event.core for event in told) == list(cores)
        assert all("no hello within" in event.reason for event in told)
        (booted,) = (event for event in kernel.events if isinstance(event, Booted))
        assert booted.members == len(kernel.blueprint.cores) - len(cores)
        rows = kernel.run("unmap", pages=1)
        mmus = {kind.name: kind.mmu for kind in kernel.blueprint.kinds}
        left = [core for core in kernel.blueprint.cores if mmus[core.kind] == "full" and core.id not in cores]
        assert rows.column("protocol") == list(TREES)
        assert rows.column("cores") == [len(left)] * len(TREES)
        assert rows.stale_hits == 0
        kernel.run("ping", rounds=2, messages=16)


def test_real_cores_do_without_one_too() -> None:
    with boot(broken("x86-qemu", 2, platform="host"), {}, platform="host", timeout_ns=20 * SECOND) as kernel:
        assert [event.core for event in kernel.events if isinstance(event, CoreFailed)] == [2]
        rows = kernel.run("unmap", pages=1)
        assert (rows.column("cores"), rows.stale_hits) == ([3] * len(TREES), 0)
        assert kernel.run("ping", rounds=2, messages=16).rows
