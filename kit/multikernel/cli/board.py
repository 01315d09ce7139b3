"""`mkit board`: what boards there are, what they say, whether they hold together.

    list             every board that can be named
    show BOARD       one, resolved: cores, islands, memory as each space sees it, pair classes
    validate BOARD   every mistake with file:line:col; exit 0, 4 (invalid), 3 (no such file)
    schema           JSON Schema of a board file, for editors
    diff A B         what differs once resolved; exit 1 when something does

A BOARD is a path, a name under ./boards, a packaged name, one of a plugin, or `-` for standard input.

May not know: what is bound to a board.
"""

from __future__ import annotations

import difflib
import json as json_format
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from multikernel.board import Board, load_board
from multikernel.board.classes import ClassCount
from multikernel.board.compare import differences
from multikernel.board.find import list_boards
from multikernel.board.schema import json_schema
from multikernel.board.topology import Topology
from multikernel.board.units import id_ranges
from multikernel.cli import output
from multikernel.errors import BoardError, Diagnostic, FileError

app = typer.Typer(no_args_is_help=True, help="List, show and check boards.")

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def complete_board(incomplete: str) -> list[str]:
    """Names of boards, for the shell."""
    return [board.name for board in list_boards() if board.name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)]


@app.command("list")
def list_(json: Json = False) -> None:
    """Every board that can be named, and where it comes from."""
    boards = list_boards()
    if json:
        output.emit_json({"boards": [asdict(board) for board in boards]})
        return
    if not boards:
        raise FileError("there is no board: none under ./boards, none packaged", code="board-unknown")
    output.emit_table([(board.name, board.origin) for board in boards])


@app.command()
def show(board: Name, json: Json = False) -> None:
    """One board, resolved."""
    loaded = load_board(board)
    topology = loaded.topology()
    if json:
        content = loaded.model_dump(mode="json", by_alias=True, exclude_none=True)
        classes = [{**asdict(entry), **_latencies(topology, entry.name)} for entry in topology.classes()]
        output.emit_json({"board": content, "hash": loaded.hash, "classes": classes})
        return
    output.emit(f"{output.style(loaded.name, 'bold')}: {loaded.summary}")
    for title, rows in _sections(loaded, topology):
        if rows:
            output.emit(output.style(title, "bold"))
            output.emit_table(rows, "  ")


@app.command()
def validate(boards: Annotated[list[str], typer.Argument(metavar="BOARD...")], json: Json = False) -> None:
    """Say every mistake of each board.  Exit 4 if one is invalid, 3 if one cannot be read."""
    worst = 0
    results: list[dict[str, object]] = []
    for name in boards:
        result: dict[str, object] = {"board": name, "valid": True, "errors": []}
        try:
            loaded = load_board(name)
            if strangers := tuple(_strangers(loaded)):
                raise BoardError("the boot list names what is not there", diagnostics=strangers)
            if not json:
                output.emit(f"{name}: {output.style('valid', 'good')}, {len(loaded.topology().cores)} cores")
        except BoardError as error:
            worst = error.exit_code
            result |= {"valid": False, "errors": [asdict(diagnostic) for diagnostic in error.diagnostics]}
            if not json:
                output.show_error(error)
        except FileError as error:
            worst = worst or error.exit_code
            result |= {"valid": False, "errors": [{"code": error.code, "message": error.message}]}
            if not json:
                output.show_error(error)
        results.append(result)
    if json:
        output.emit_json({"boards": results})
    raise typer.Exit(worst)


def _strangers(board: Board) -> Iterator[Diagnostic]:
    """Programs of the boot list that nobody offers: a board knows no plugins, so it is told here."""
    if not board.boot:
        return
    from multikernel.registry import Registry

    offered = Registry.load().programs.names()
    for index, name in enumerate(board.boot):
        if name not in offered:
            near = tuple(difflib.get_close_matches(name, offered))
            hint = "" if near else f"; installed: {', '.join(offered) or 'none'}"
            mark = board.spot.find(("boot", index))
            yield Diagnostic(*mark, "unknown-program", f"nobody offers a program {name!r}{hint}", near)


@app.command()
def schema() -> None:
    """JSON Schema of a board file, for editors."""
    output.emit(json_format.dumps(json_schema(), indent=2))


@app.command()
def diff(a: Name, b: Name, json: Json = False) -> None:
    """What differs between two boards once resolved.  Exit 1 when something does."""
    changes = [(entry.path, entry.a, entry.b) for entry in differences(load_board(a), load_board(b))]
    if json:
        output.emit_json(
            {"same": not changes, "changes": [dict(zip(("path", "a", "b"), c, strict=True)) for c in changes]}
        )
    elif not changes:
        output.emit("the boards say the same")
    else:
        output.emit_table([(path, _told(old), "->", _told(new)) for path, old, new in changes])
    raise typer.Exit(1 if changes else 0)


def _told(value: str | None) -> str:
    return "(not there)" if value is None else value


def _latencies(topology: Topology, name: str) -> dict[str, object]:
    """The latency of a class wherever a line is homed, and those by home."""
    rows = [asdict(row) for row in topology.latencies if row.cls == name]
    return {
        "latency": next((row for row in rows if not row["home"]), None),
        "by_home": {row["home"]: row for row in rows if row["home"]},
    }


def _sections(board: Board, topology: Topology) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    yield "from", [(row.source, row.note or row.file or "") for row in board.provenance]
    yield (
        "kinds",
        [(kind.name, kind.isa, f"{kind.mhz} MHz", f"{kind.word} bits", f"mmu {kind.mmu}") for kind in topology.kinds],
    )
    yield (
        "costs",
        [
            (f"{kind.name} {cost.name}", f"{cost.cycles} cycles", cost.source)
            for kind in topology.kinds
            for cost in kind.costs
        ],
    )
    yield (
        "cores",
        [
            (
                id_ranges(row.ids),
                row.kind,
                f"space {row.space}",
                f"start {row.start}",
                f"fails: {row.fails}" if row.fails else "",
            )
            for row in board.cores
        ],
    )
    yield (
        "groups",
        [
            (group.level, _bytes(group.size) if group.size > 0 else "", id_ranges(group.cores))
            for group in topology.groups
        ],
    )
    yield (
        "nodes",
        [(str(node.id), f"cores {id_ranges(node.cores)}", ", ".join(node.regions)) for node in topology.nodes],
    )
    yield (
        "coherence islands",
        [
            (
                str(i.index),
                f"cores {id_ranges(i.cores)}",
                f"{i.line}-byte lines",
                i.protocol or "protocol not stated",
                ", ".join(i.regions),
            )
            for i in topology.islands
        ],
    )
    yield (
        "regions",
        [
            (region.id, region.kind, _bytes(region.size), "not in phys" if region.base < 0 else f"{region.base:#x}")
            for region in topology.regions
        ],
    )
    yield (
        "spaces",
        [
            (space, f"{w.address:#x}", _bytes(w.size), f"{w.region}+{w.offset:#x}", "" if w.cacheable else "uncached")
            for space in topology.spaces.names
            for w in topology.spaces.windows(space)
        ],
    )
    yield (
        "links",
        [
            (f"node{link.a} - node{link.b}", link.kind, f"{link.bandwidth_mbs} MB/s" if link.bandwidth_mbs > 0 else "")
            for link in topology.links
        ],
    )
    yield (
        "notify",
        [
            (
                id_ranges(row.src),
                "->",
                id_ranges(row.dst),
                row.via,
                _of((row.slots or 0, "slots"), (row.bytes or 0, "bytes")),
            )
            for row in board.notify
        ],
    )
    yield (
        "devices",
        [
            (
                device.id,
                device.cls,
                f"behind {device.bridge}" if device.bridge else "",
                _of((device.irqs, "MSI vectors" if device.msi else "irqs"), (max(device.channels, 0), "channels")),
                ", ".join(f"bar {_bytes(bar.size)}, {_window(bar.bits, bar.prefetchable)}" for bar in device.bars),
                ", ".join(f"{at.base:#x}+{_bytes(at.size)}{_fetch(at.prefetchable)}" for at in device.apertures),
            )
            for device in topology.devices
        ],
    )
    yield (
        "fixed channels",
        [
            (
                f"{row.a.core} - {row.b.core}",
                f"{_bytes(row.size)} of {row.region}",
                f"{row.slots} slots",
                f"transport {row.transport}",
                f"at {row.a.address:#x} and {row.b.address:#x}",
            )
            for row in board.channels
        ],
    )
    yield "pair classes", [row for entry in topology.classes() for row in _class(topology, entry)]
    section = board.latency
    yield (
        "latency offsets",
        [(f"cores {id_ranges(row.cores)}", f"{row.plus:+} {row.unit}", row.status) for row in section.offsets]
        if section
        else [],
    )
    matrix = topology.matrix
    yield "latency matrix", [(f"cores {id_ranges(matrix.ids)}", matrix.status, matrix.source)] if matrix else []


def _class(topology: Topology, entry: ClassCount) -> Iterator[tuple[str, ...]]:
    """A class, and a row more for each home the board tells apart."""
    told = [row for row in topology.latencies if row.cls == entry.name]
    size = f"{entry.pairs} pairs", f"e.g. {entry.src}->{entry.dst}"
    if not told:
        yield entry.name, *size, "latency not known"
    for index, row in enumerate(told):
        home = f", homed at {row.home}" if row.home else ""
        text = f"{row.mean} {row.unit} (sd {row.sd}, {row.status}{home})"
        yield (entry.name, *size, text) if not index else ("", "", "", text)


def _of(*counts: tuple[int, str]) -> str:
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _window(bits: int, prefetchable: bool) -> str:
    return f"{bits} bits{_fetch(prefetchable)}"


def _fetch(prefetchable: bool) -> str:
    return " prefetchable" if prefetchable else ""


def _bytes(size: int) -> str:
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size >= 1 << shift and not size % (1 << shift):
            return f"{size >> shift}{unit}"
    return str(size)
