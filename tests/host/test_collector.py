"""The garbage collector and the lines of the C extension."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import ctypes, gc
from mk_host import _ring

def leave_garbage():
    memory = bytearray(64 * 3)
    skip = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % 64
    cycle = [_ring.Lines(memoryview(memory)[skip : skip + 128], 0, 2)]
    cycle.append(cycle)

leave_garbage()
gc.collect()
"""


def test_a_view_that_only_garbage_holds_is_released_in_order() -> None:
    """A memoryview that is cleared before it is released ends the process, hence one of its own."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
