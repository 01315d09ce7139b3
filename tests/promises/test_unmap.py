"""A page that was unmapped is gone: no core of the process reaches it once the unmap has completed.

`unmap` counts accesses that still reach the page's memory, seen by the readers and found by the model in
the state of every core's translation hardware.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel import Multikernel
from multikernel.system.routes import TREES

SLOW = str(Path(__file__).with_name("slow.yaml"))
TIMEOUT_S = 0.03
"""Virtual; three times what the slowest run takes."""


@pytest.mark.kernel(SLOW, "x86-qemu", "zcu102", "paper-8x4-amd", timeout=TIMEOUT_S)
def test_no_core_reaches_a_page_that_was_unmapped(kernel: Multikernel) -> None:
    rows = kernel.run("unmap", pages=1)
    assert rows.column("protocol") == list(TREES)
    assert rows.column("mmu") == ["model"] * len(TREES)
    assert rows.stale_hits == 0
    assert rows.remote_accesses > 0


@pytest.mark.kernel("paper-8x4-amd", timeout=TIMEOUT_S / 3)
def test_cores_that_were_not_concerned_for_long_hear_what_concerns_them(kernel: Multikernel) -> None:
    """More agreements of two cores than the broadcast line holds; then one of a third."""
    for _ in range(3):
        few = kernel.run("unmap", pages=30, cores=2, protocol="broadcast")
        assert (few.column("cores"), few.stale_hits) == ([2], 0)
    more = kernel.run("unmap", pages=1, cores=3, protocol="broadcast")
    assert (more.column("cores"), more.stale_hits) == ([3], 0)
