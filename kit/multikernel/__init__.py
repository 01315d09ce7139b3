"""The kit.  Public names are loaded on use, so that importing the package costs nothing.

    multikernel.load_board(name_or_path) -> Board
    multikernel.assemble(board, ...)     -> Blueprint
    multikernel.Multikernel              a kernel of a blueprint: boot, run, inspect, stop

Invariant: `multikernel.assemble` is the function, even once the module of that name is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multikernel.assemble import assemble as assemble
    from multikernel.board import load_board as load_board
    from multikernel.kernel import Multikernel as Multikernel

_HOMES = {
    "load_board": "multikernel.board",
    "assemble": "multikernel.assemble",
    "Multikernel": "multikernel.kernel",
}

__all__ = ["Multikernel", "assemble", "load_board"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'multikernel' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    return value


class _Package(ModuleType):
    """A package whose public names win over its submodules: importing one binds it as an attribute."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
