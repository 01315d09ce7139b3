"""The simulation engine: in C (`_engine.c`) where that was compiled, else in Python (`engine_python.py`).

    Engine Actor Port EngineError      the same in both, and the same digests
    FOUND                              which one it is, and why

The one in Python is the oracle: tests hold the other to it, event by event.

May not know: memory, messages' meaning, the kernel above, real time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mk_sim.engine_errors import EngineError
from multikernel.native import load_native

__all__ = ["FOUND", "Actor", "Engine", "EngineError", "Port"]

FOUND = load_native("mk_sim", "_engine")

if TYPE_CHECKING or FOUND.module is None:
    from mk_sim.engine_python import Actor, Engine, Port
else:
    Actor, Engine, Port = FOUND.module.Actor, FOUND.module.Engine, FOUND.module.Port
