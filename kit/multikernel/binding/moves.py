"""How a board would have to be written for a fact to be there, or not to be.

    moves(board, missing)     edits that may make such a fact true; each move is a tuple of edits
    moves_away(board, fact)   edits that may make the fact untrue
    ADD, TAKE                 by predicate; who declares predicates of boards adds to them

A move is a proposal: whether the board then holds together, and what it changes, is tried by `changes.py`.

May not know: slots, rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from multikernel.binding.edits import Edit, Path, as_cores, content, cores_of, value_at
from multikernel.board.model import Board
from multikernel.board.yamlread import Data
from multikernel.knowledge.explain import Pattern
from multikernel.knowledge.facts import Row, Value

Move: TypeAlias = tuple[Edit, ...]


class Text:
    """A board and what its file says, for those who propose moves."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.data = content(board)

    def set(self, path: Path, value: Data) -> Edit:
        """The value at `path` becomes `value`."""
        return Edit(path, value_at(self.data, path), value)

    def put_core(self, path: Path, core: int) -> Edit:
        """The core joins the set at `path`."""
        return self.set(path, as_cores({*self._cores(path), core}))

    def drop_core(self, path: Path, core: int) -> Edit:
        """The core leaves the set at `path`."""
        return self.set(path, as_cores(each for each in self._cores(path) if each != core))

    def _cores(self, path: Path) -> tuple[int, ...]:
        held = value_at(self.data, path)
        return () if held is None else cores_of(held)

    def row_of(self, section: str, core: int) -> int:
        """The row of cores, nodes or coherence that has the core, or -1."""
        key = "ids" if section == "cores" else "cores"
        rows = value_at(self.data, (section,))
        for index in range(len(rows) if isinstance(rows, list) else 0):
            if core in self._cores((section, index, key)):
                return index
        return -1

    def row_called(self, section: str, name: Value) -> int:
        """The row of that id, or -1."""
        rows = value_at(self.data, (section,))
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict) and row.get("id") == name:
                return index
        return -1


Add: TypeAlias = Callable[[Text, Pattern], Iterator[Move]]
Take: TypeAlias = Callable[[Text, Row], Iterator[Move]]


def moves(board: Board, missing: tuple[str, Pattern]) -> Iterator[Move]:
    """See the module."""
    name, values = missing
    if name in ADD:
        yield from ADD[name](Text(board), values)


def moves_away(board: Board, name: str, values: Row) -> Iterator[Move]:
    """See the module."""
    if name in TAKE:
        yield from TAKE[name](Text(board), values)


def _kind(key: str) -> Add:
    """A value of a kind of core."""

    def add(text: Text, values: Pattern) -> Iterator[Move]:
        kind, value = values
        if isinstance(kind, str) and value is not None:
            yield (text.set(("kinds", kind, key), value),)

    return add


def _other(key: str, valid: tuple[Value, ...]) -> Take:
    """Another of the values the schema knows."""

    def take(text: Text, values: Row) -> Iterator[Move]:
        kind, value = values
        for other in valid:
            if other != value:
                yield (text.set(("kinds", str(kind), key), other),)

    return take


def _of_core(key: str) -> Add:
    """A value of the row of cores that has the core, for all of them."""

    def add(text: Text, values: Pattern) -> Iterator[Move]:
        core, value = values
        if isinstance(core, int) and value is not None and (row := text.row_of("cores", core)) >= 0:
            yield (text.set(("cores", row, key), value),)

    return add


def _join(section: str, number: Callable[[Text, Value], int]) -> Add:
    """The core moves to another node or island; where none is named, to each."""

    def add(text: Text, values: Pattern) -> Iterator[Move]:
        core, wanted = values
        if not isinstance(core, int):
            return
        rows = value_at(text.data, (section,))
        targets = range(len(rows) if isinstance(rows, list) else 0) if wanted is None else (number(text, wanted),)
        left = text.row_of(section, core)
        for target in targets:
            if target >= 0 and target != left:
                leave = (text.drop_core((section, left, "cores"), core),) if left >= 0 else ()
                yield (*leave, text.put_core((section, target, "cores"), core))

    return add


def _leave(section: str) -> Take:
    def take(text: Text, values: Row) -> Iterator[Move]:
        core = values[0]
        if isinstance(core, int) and (row := text.row_of(section, core)) >= 0:
            yield (text.drop_core((section, row, "cores"), core),)

    return take


def _leave_groups(text: Text, values: Row) -> Iterator[Move]:
    core = values[0]
    for level, row in enumerate(text.board.groups):
        for place, cores in enumerate(row.sets):
            if core in cores:
                yield (text.drop_core(("groups", level, "sets", place), int(core)),)


def _starts_well(text: Text, values: Row) -> Iterator[Move]:
    if isinstance(core := values[0], int) and (row := text.row_of("cores", core)) >= 0:
        yield (text.set(("cores", row, "fails"), None),)


def _fails(text: Text, values: Pattern) -> Iterator[Move]:
    core, _ = values
    if isinstance(core, int) and (row := text.row_of("cores", core)) >= 0 and len(text.board.cores[row].ids) == 1:
        yield (text.set(("cores", row, "fails"), "supposed"),)


def _wakes(key: str) -> Add:
    """The core may wake, or be woken, through an entry of `notify`; where none is named, through each."""

    def add(text: Text, values: Pattern) -> Iterator[Move]:
        entry, core = values
        if isinstance(core, int):
            for row in range(len(text.board.notify)) if entry is None else (int(entry),):
                yield (text.put_core(("notify", row, key), core),)

    return add


def _wakes_not(key: str) -> Take:
    def take(text: Text, values: Row) -> Iterator[Move]:
        entry, core = values
        yield (text.drop_core(("notify", int(entry), key), int(core)),)

    return take


def _wakes_via(text: Text, values: Pattern) -> Iterator[Move]:
    entry, via = values
    if via is not None:
        for row in range(len(text.board.notify)) if entry is None else (int(entry),):
            yield (text.set(("notify", row, "via"), via),)


def _region_node(text: Text, values: Pattern) -> Iterator[Move]:
    region, node = values
    if region is None or node is None or (row := text.row_called("regions", region)) < 0:
        return
    yield (*_out_of_nodes(text, region), text.set(("regions", row, "node"), node))


def _no_region_node(text: Text, values: Row) -> Iterator[Move]:
    region = values[0]
    row = text.row_called("regions", region)
    stated = () if text.board.regions[row].node is None else (text.set(("regions", row, "node"), None),)
    yield (*_out_of_nodes(text, region), *stated)


def _out_of_nodes(text: Text, region: Value) -> Move:
    """The region leaves the lists of nodes that have it."""
    return tuple(
        text.set(("nodes", index, "regions"), [name for name in row.regions if name != region])
        for index, row in enumerate(text.board.nodes)
        if region in row.regions
    )


def _incoherent(text: Text, values: Row) -> Iterator[Move]:
    island, region = values
    kept = text.board.topology().islands[int(island)].regions
    yield (text.set(("coherence", int(island), "regions"), [name for name in kept if name != region]),)


def _hidden(text: Text, values: Row) -> Iterator[Move]:
    """The maps to the region go from the space, or from the one it lies over that has them."""
    name, region = str(values[0]), values[1]
    while (row := text.board.spaces.get(name)) is not None:
        places = [place for place, entry in enumerate(row.maps) if entry.to == region]
        if places:
            yield tuple(text.set(("spaces", name, "maps", place), None) for place in reversed(places))
        name = row.overlay or ""


def _other_memory(text: Text, values: Row) -> Iterator[Move]:
    """The region is of another kind of memory."""
    region, kind = values[0], values[1]
    if (row := text.row_called("regions", region)) >= 0:
        for other in ("dram", "hbm", "cxl", "sram", "tcm"):
            if other != kind:
                yield (text.set(("regions", row, "kind"), other),)


def _seen(text: Text, values: Pattern) -> Iterator[Move]:
    """The space maps the region, uncached, at its physical address."""
    space, region = values
    topology = text.board.topology()
    spaces = text.board.spaces if space is None else [str(space)]
    for name in spaces:
        row = text.board.spaces.get(name)
        for entry in topology.regions if row is not None else ():
            wanted = entry.id == region or (region is None and entry.kind != "device")
            if row is not None and wanted and entry.base >= 0 and entry.base + entry.size <= 1 << row.bits:
                mapped: Data = {"base": hex(entry.base), "size": entry.size, "to": entry.id, "cacheable": False}
                yield (text.set(("spaces", name, "maps", len(row.maps)), mapped),)


def _cached(wanted: bool) -> Add:
    def add(text: Text, values: Pattern) -> Iterator[Move]:
        space, region = values
        row = text.board.spaces.get(str(space))
        places = [place for place, entry in enumerate(row.maps) if entry.to == region] if row else []
        if places:
            yield tuple(text.set(("spaces", str(space), "maps", place, "cacheable"), wanted) for place in places)

    return add


def _unlinked(text: Text, values: Row) -> Iterator[Move]:
    ends = {f"node{values[0]}", f"node{values[1]}"}
    for index, row in enumerate(text.board.links):
        if {row.a, row.b} == ends:
            yield (text.set(("links", index), None),)


def _of_device(key: str) -> Add:
    """A value of a device; where none is named, of each."""

    def add(text: Text, values: Pattern) -> Iterator[Move]:
        device, value = values[0], values[1]
        rows = [text.row_called("devices", device)] if device is not None else range(len(text.board.devices))
        for row in rows:
            if row >= 0 and value is not None:
                yield (text.set(("devices", row, key), value),)

    return add


ADD: dict[str, Add] = {
    "kind": _kind("isa"),
    "word": _kind("word"),
    "endian": _kind("endian"),
    "mmu": _kind("mmu"),
    "hosts": _kind("hosts"),
    "core": _of_core("kind"),
    "space": _of_core("space"),
    "node": _join("nodes", lambda text, node: text.row_called("nodes", node)),
    "island": _join("coherence", lambda text, island: int(island)),
    "fails": _fails,
    "region_node": _region_node,
    "sees": _seen,
    "caches": _cached(True),
    "notify_from": _wakes("src"),
    "notify_to": _wakes("dst"),
    "notify_via": _wakes_via,
    "device": _of_device("cls"),
    "device_node": _of_device("node"),
}
"""Predicate to what would bring such a fact."""

TAKE: dict[str, Take] = {
    "word": _other("word", (32, 64)),
    "endian": _other("endian", ("little", "big")),
    "mmu": _other("mmu", ("full", "mpu", "none")),
    "hosts": _other("hosts", ("cpu-driver", "app-core", "offload")),
    "node": _leave("nodes"),
    "island": _leave("coherence"),
    "package": _leave_groups,
    "cluster": _leave_groups,
    "fails": _starts_well,
    "region": _other_memory,
    "region_node": _no_region_node,
    "island_region": _incoherent,
    "sees": _hidden,
    "caches": _cached(False),
    "link": _unlinked,
    "notify_from": _wakes_not("src"),
    "notify_to": _wakes_not("dst"),
}
"""Predicate to what would take such a fact away."""
