"""Board files: what a machine is made of, each figure with its source.

    load_board(name_or_path) -> Board      loader.py   YAML with positions, overlays, all errors at once
    Board                                  model.py    the file's sections as pydantic models
    Board.topology() -> Topology           topology.py the resolved, frozen view the rest of the kit uses

May not know: plugins, the SKB, platforms.
"""

from multikernel.board.loader import load_board
from multikernel.board.model import Board

__all__ = ["Board", "load_board"]
