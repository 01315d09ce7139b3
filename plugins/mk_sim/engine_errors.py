"""What the engine raises, in C and in Python alike.

May not know: either engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from multikernel.errors import MultikernelError


@dataclass
class EngineError(MultikernelError):
    """Code on a simulated core raised; the cause is chained.  `at_ps` is the core's own clock."""

    core: int = -1
    at_ps: int = 0
    code: str = field(default="engine", kw_only=True)


def raised(core: int, at_ps: int, error: Exception) -> EngineError:
    """The error that says where and when code raised `error`."""
    told = EngineError(f"core {core} at {at_ps} ps: {type(error).__name__}: {error}", core, at_ps)
    told.__cause__ = error
    return told
