"""What the memory server is asked and answers.

The RAM itself comes as a capability, passed by the monitors, before the answer.

May not know: how the server keeps memory.
"""

from __future__ import annotations

from typing import NamedTuple

from multikernel.system.messages import Small, message

MEMORY_SERVICE = "memory"


@message(67)
class WantRam(NamedTuple):
    """`size` bytes, a multiple of 4 KiB, on node `node` (all bits set: any) for dispatcher `number` of
    `core`."""

    size: int
    node: Small
    core: Small
    number: Small


@message(68)
class RamGranted(NamedTuple):
    """`size` bytes on `node` are on their way; 0 when there are none, and `largest` is what is left in one
    piece."""

    size: int
    node: Small
    largest: int
