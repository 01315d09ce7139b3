"""Boards for the tests of binding: one that can be varied, and one made by hypothesis."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from multikernel.board import Board, load_board

TWO_ISLANDS = """\
schema: board/1
name: two-islands
summary: Four big cores in two nodes, two small ones apart.
kinds:
  big: {isa: x86-64, mhz: 2000, costs: {ipi_trap: {cycles: 800, source: measured}}}
  small: {isa: armv7-r, mhz: 500, word: 32, mmu: mpu}
cores:
  - {ids: 0-3, kind: big}
  - {ids: 4-5, kind: small, space: side}
groups:
  - {level: package, sets: [0-1, 2-3]}
nodes:
  - {id: 0, cores: 0-1, regions: [m0]}
  - {id: 1, cores: 2-3, regions: [m1]}
regions:
  - {id: m0, size: 16M, base: 0x1000000}
  - {id: m1, size: 16M, base: 0x2000000}
  - {id: shared, kind: sram, size: 256K, base: 0x8000000}
spaces:
  side: {bits: 32, maps: [{base: 0x0, size: 256K, to: shared, cacheable: false}]}
coherence:
  - {cores: 0-3, regions: [m0, m1]}
  - {cores: 4-5, regions: []}
links:
  - {a: node0, b: node1, kind: ht, latency_ns: 50}
notify:
  - {src: 0-5, dst: 0-5, via: mailbox}
"""


def from_text(folder: Path, text: str = TWO_ISLANDS, *, add: str = "", **replace: str) -> Board:
    """The board of `text` with words replaced (`kind_big="kind: big"`: never mind the key)."""
    for change in replace.values():
        old, _, new = change.partition(" => ")
        assert old in text, f"{old!r} is not in the board"
        text = text.replace(old, new)
    file = folder / "board.yaml"
    file.write_text(text + add)
    return load_board(str(file))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A board of 2 to 9 cores in islands, nodes, groups and spaces that need not agree with each other."""
    count = draw(st.integers(2, 9))
    cores = list(range(count))

    def parts(most: int) -> list[list[int]]:
        owner = [draw(st.integers(0, most - 1)) for _ in cores]
        return [[c for c in cores if owner[c] == part] for part in range(most) if part in owner]

    spaces = parts(2)
    lines = ["schema: board/1", "name: made", "summary: Made.", "kinds:", "  k: {isa: x86-64, mhz: 1000}"]
    lines += ["  l: {isa: armv8-a, mhz: 1000}", "cores:"]
    for index, members in enumerate(spaces):
        kind = draw(st.sampled_from("kl"))
        lines.append(f"  - {{ids: {members}, kind: {kind}, space: {'phys' if index == 0 else 'other'}}}")
    lines.append(f"groups: [{{level: L2, sets: {parts(3)}}}]")
    lines.append("nodes:")
    nodes = parts(3)
    lines += [f"  - {{id: {n}, cores: {members}, regions: [m{n}]}}" for n, members in enumerate(nodes)]
    lines.append("regions:")
    lines += [f"  - {{id: m{n}, size: 1M, base: {n + 1:#x}00000}}" for n in range(len(nodes))]
    lines.append("  - {id: all, size: 1M, base: 0x9000000}")
    lines.append("coherence:")
    lines += [f"  - {{cores: {members}, regions: [all]}}" for members in parts(2)]
    if len(spaces) > 1:
        seen = draw(st.sampled_from(["{base: 0x0, size: 1M, to: all}", "{base: 0x0, size: 512K, to: all, at: 256K}"]))
        overlay = draw(st.sampled_from(["", "overlay: phys, "]))
        lines.append(f"spaces: {{other: {{bits: 40, {overlay}maps: [{seen}]}}}}")
    if len(nodes) > 1 and draw(st.booleans()):
        lines.append("links: [{a: node0, b: node1, kind: mesh}]")
    return "\n".join(lines) + "\n"


def mesh(side: int, cores: int) -> str:
    """A mesh of side x side nodes of so many cores each, one island."""
    nodes, count = side * side, side * side * cores
    spans = [f"{node * cores}-{node * cores + cores - 1}" for node in range(nodes)]
    lines = ["schema: board/1", "name: mesh", "summary: A mesh.", "kinds: {k: {isa: x86-64, mhz: 2000}}"]
    lines += [f"cores: [{{ids: 0-{count - 1}, kind: k}}]", f"groups: [{{level: package, sets: [{', '.join(spans)}]}}]"]
    lines += ["nodes:", *(f"  - {{id: {n}, cores: {span}, regions: [m{n}]}}" for n, span in enumerate(spans))]
    lines += ["regions:", *(f"  - {{id: m{n}, size: 1G, base: {n << 30:#x}}}" for n in range(nodes))]
    lines += [f"coherence: [{{cores: 0-{count - 1}}}]", "links:"]
    joined = [(n, n + 1) for n in range(nodes) if (n + 1) % side] + [(n, n + side) for n in range(nodes - side)]
    lines += [f"  - {{a: node{a}, b: node{b}, kind: mesh}}" for a, b in joined]
    return "\n".join(lines) + "\n"
