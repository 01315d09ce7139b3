"""Boards `mesh:WxH`: W by H cores on a mesh, of any size, for machines there are not yet.

    generate(name)      the text of `mesh:WxH`, None for any other name

Blocks of 8 by 8 cores (fewer at the right and lower edges) are the nodes, each with its memory; links join a block
with its neighbours.  Cores are numbered block by block, row by row within one, so that a node's are one range.

    class               shared:block, and hops:n for n links between blocks
    offset of a core    its steps to the block's middle, where the block's home and its links are

Every figure is an assumption, made from one measured mesh (Ampere Altra Q80-30, the board `altra-q80`): its cores'
offsets go in steps of 13 to 14 ns, one a step on the mesh, for the four ways across it that a message makes; and cores
without such a step exchange a message in 316 - 2 x 51 = 214 ns.

Invariant: everything is linear in cores: sets of cores are ranges, latencies are by class and offset.
May not know: what the board is used for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from multikernel.board.units import id_ranges
from multikernel.errors import FileError

MOST = 128
BLOCK = 8
"""Cores along a block's side.  A block is what shares one memory controller; 64 cores as on the Altra (80)."""
_STEP_NS = 14
_BLOCK_STEP_NS = 27
"""A way from a block's middle to the next: 8 steps of 13.5 ns / 4 each."""
_NEAR_NS = 214
_NAME = re.compile(r"mesh:(.*)")


def generate(name: str) -> str | None:
    """The board's text, None when `name` is not of this form.  Raises FileError for a bad size."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    size = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", match[1])
    width, height = (int(size[1]), int(size[2])) if size else (0, 0)
    if not (1 <= width <= MOST and 1 <= height <= MOST):
        raise FileError(
            f"board {name!r}: after mesh: stand a width and a height, 1 to {MOST} each, as in mesh:16x8",
            code="board-unknown",
        )
    return _Mesh(width, height).text()


class _Mesh:
    """Blocks as (column, row), and the cores of each as (column, row) within it, in the order of their ids."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._columns, self._rows = -(-width // BLOCK), -(-height // BLOCK)
        self._blocks = [(column, row) for row in range(self._rows) for column in range(self._columns)]
        self._spans: list[str] = []
        self._steps: dict[int, list[int]] = {}
        first = 0
        for column, row in self._blocks:
            wide, high = min(BLOCK, width - BLOCK * column), min(BLOCK, height - BLOCK * row)
            for place in range(wide * high):
                steps = abs(place % wide - (wide - 1) // 2) + abs(place // wide - (high - 1) // 2)
                self._steps.setdefault(steps, []).append(first + place)
            self._spans.append(id_ranges(range(first, first + wide * high)))
            first += wide * high

    def text(self) -> str:
        """The whole board."""
        width, height = self._size
        count, everyone = width * height, f"'0-{width * height - 1}'"
        others = [f"  - {{ids: '1-{count - 1}', kind: tile, start: psci}}"] if count > 1 else []
        return "\n".join(
            [
                f"# A mesh of {width} by {height} cores, made up: every figure is an assumption, after the Altra's.",
                "schema: board/1",
                f"name: mesh-{width}x{height}",
                f"summary: A made-up mesh of {width} by {height} cores in blocks of {BLOCK} by {BLOCK}.",
                "provenance: [{source: assumption, note: 'made up, of the order of the Ampere Altra Q80-30'}]",
                "kinds: {tile: {isa: armv8-a, mhz: 2.0 GHz}}  # assumption",
                "cores:",
                "  - {ids: 0, kind: tile, start: boot}",
                *others,
                "groups:",
                "  - {level: block, sets: [" + _quoted(self._spans) + "]}",
                "nodes:",
                *(f"  - {{id: {n}, cores: '{span}', regions: [mem{n}]}}" for n, span in enumerate(self._spans)),
                "regions:  # assumption: 1 GB a block, one after another",
                *(f"  - {{id: mem{n}, size: 1G, base: {n << 30:#x}}}" for n in range(len(self._blocks))),
                f"coherence: [{{cores: {everyone}, line: 64, protocol: directory}}]",
                *self._link_rows(),
                f"notify: [{{src: {everyone}, dst: {everyone}, via: gic-sgi}}]",
                "latency:",
                "  method: assumed",
                *self._latency_rows(),
                "boot: [mem-server, name-service]",
                "",
            ]
        )

    def _link_rows(self) -> list[str]:
        """Each block with the next to the right and below.  64000 MB/s: 32 bytes a cycle of 2 GHz."""
        ends = []
        for node, (column, row) in enumerate(self._blocks):
            ends += [(node, node + 1)] if column + 1 < self._columns else []
            ends += [(node, node + self._columns)] if row + 1 < self._rows else []
        if not ends:
            return []
        told = f"kind: mesh, coherent: true, bandwidth_mbs: 64000, latency_ns: {_BLOCK_STEP_NS}"
        rows = [f"  - {{a: node{a}, b: node{b}, {told}}}" for a, b in ends]
        return ["links:  # assumption: 64000 MB/s, 32 bytes a cycle", *rows]

    def _latency_rows(self) -> list[str]:
        """A message over n links crosses each four times: to the home and back, as ownership and as fetch."""
        told = [("shared:block", _NEAR_NS)]
        told += [(f"hops:{n}", _NEAR_NS + 4 * _BLOCK_STEP_NS * n) for n in range(1, self._columns + self._rows - 1)]
        if self._size == (1, 1):
            return []
        rows = ["  classes:"] + [
            f"    - {{cls: '{name}', mean: {mean}, sd: 0, unit: ns, status: assumed, source: as on the Altra}}"
            for name, mean in told
        ]
        far = {steps: cores for steps, cores in sorted(self._steps.items()) if steps}
        if not far:
            return rows
        return [*rows, "  offsets:"] + [
            f"    - {{cores: '{id_ranges(cores)}', plus: {_STEP_NS * steps}, status: assumed, source: as on the Altra}}"
            for steps, cores in far.items()
        ]


def _quoted(spans: Iterable[str]) -> str:
    return ", ".join(f"'{span}'" for span in spans)
