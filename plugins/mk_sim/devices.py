"""The models of a board's devices that carry messages between cores.

    attach(blueprint, engine, coherence, board, holds) -> assumptions      what the board does not state, and was taken

A device with buffers is a mailbox (`mailbox.py`), one of class dma a DMA engine (`dma.py`).
May not know: what a device does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mk_sim.dma import DmaEngine
from mk_sim.mailbox import Mailbox
from multikernel.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mk_sim.coherence import Coherence
    from mk_sim.engine import Engine
    from mk_sim.holds import Holds
    from mk_sim.registers import Board
    from multikernel.blueprint import Blueprint


def attach(
    blueprint: Blueprint, engine: Engine, coherence: Coherence, board: Board, holds: Holds | None = None
) -> Sequence[str]:
    """Make a model of each device of the blueprint.  Raises PlatformError for one there is no model of."""
    notes: list[str] = []
    for entry in blueprint.devices:
        if entry.buffers:
            Mailbox(entry, engine, coherence, board, holds, notes)
        elif entry.cls == "dma":
            DmaEngine(entry, engine, coherence, board, holds, notes)
        else:
            raise PlatformError(
                f"the simulator has no model of device {entry.id} of class {entry.cls}; it has models of mailboxes "
                "with buffers and of class dma"
            )
    return notes
