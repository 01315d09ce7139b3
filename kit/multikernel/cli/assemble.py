"""`mkit assemble BOARD`: bind a board and say what was decided; with -o, write the blueprint.

The file is the lock of a kernel: canonical JSON, the same bytes for the same inputs.  With `--locked` what is bound
must be what BOARD.lock.json (or the file of `--lock`) says: exit 5 names each plugin, policy, board or kit that
changed.

May not know: how binding decides.
"""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multikernel.assemble import assemble as assemble_board
from multikernel.blueprint import Blueprint, Placement
from multikernel.cli import output
from multikernel.errors import FileError
from multikernel.files import write_whole
from multikernel.registry import Registry

if TYPE_CHECKING:
    from multikernel.board import Board
    from multikernel.knowledge.facts import Fact

ANY = "any"
"""The platform that none was named."""


def complete_board(incomplete: str) -> list[str]:
    """Names of boards, for the shell."""
    from multikernel.board.find import list_boards

    return [board.name for board in list_boards() if board.name.startswith(incomplete)]


def platform_kind(registry: Registry, name: str) -> str:
    """The kind of the platform called `name`; `any` stays.  Raises UsageError naming the near ones."""
    return name if name == ANY else registry.platforms.get(name).kind


def measured_facts(path: str, board: Board) -> tuple[Fact, ...]:
    """The facts of `--measured FILE`; none without one.  Raises FileError."""
    if not path:
        return ()
    from multikernel.findings import load

    return load(Path(path), board)


def assemble(
    board: Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)],
    out: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Write the blueprint; - is stdout.")] = "",
    platform: Annotated[str, typer.Option(help="Bind for this platform; any: for whichever.")] = ANY,
    measured: Annotated[str, typer.Option(metavar="FILE", help="Bind by what was found out; see measure.")] = "",
    locked: Annotated[bool, typer.Option("--locked", help="Refuse anything but what BOARD.lock.json says.")] = False,
    lock: Annotated[str, typer.Option(metavar="FILE", help="The lock file; implies --locked.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Bind a board: make its blueprint."""
    from multikernel import lock as lockfile
    from multikernel.board import load_board

    with output.json_errors(json):
        registry = Registry.load()
        output.warn_problems(registry.problems)
        loaded = load_board(board, sources=registry.board_dirs)
        lock = lock or (f"{loaded.name}{lockfile.SUFFIX}" if locked else "")
        if lock and not Path(lock).exists():
            message = f"{lock}: no such file; mkit assemble {board} -o {lock} locks what is bound now"
            raise FileError(message, code="file-missing")
        was = lockfile.read(Path(lock)) if lock else None
        facts = measured_facts(measured, loaded)
        blueprint = assemble_board(loaded, registry, platform_kind(registry, platform), facts)
        if was is not None:
            lockfile.check(was, blueprint, lock)
        if out not in ("", "-"):
            write_whole(Path(out), blueprint.to_json())
    if json:
        output.emit_json(
            {
                "board": blueprint.board,
                "hash": blueprint.hash,
                "file": out,
                "locked": lock or None,
                "blueprint": json_format.loads(blueprint.to_json()),
            }
        )
    elif out == "-":
        sys.stdout.write(blueprint.to_json())
    else:
        _show(blueprint, out)
        if lock:
            output.emit(f"as locked in {lock}")


def _placed(entry: Placement) -> str:
    """What was decided, in words: addresses in hex, cores by number."""
    return f"{entry.value:#x}" if entry.slot.startswith("pci:") and isinstance(entry.value, int) else str(entry.value)


def _show(blueprint: Blueprint, out: str) -> None:
    output.emit(
        f"{output.style(blueprint.board, 'bold')}: {len(blueprint.cores)} cores, boot core {blueprint.boot_core}"
    )
    output.emit_table(
        [(entry.slot, entry.plugin, f"{entry.distribution} {entry.version}") for entry in blueprint.bindings], "  "
    )
    output.emit(output.style("pairs of cores", "bold"))
    output.emit_table(
        [
            (entry.name, f"{entry.pairs} pairs", entry.transport, f"home {entry.home}", f"window {entry.slots}")
            for entry in blueprint.pair_classes
        ]
        or [("none", "", "", "", "")],
        "  ",
    )
    shared = [entry for entry in blueprint.placements if entry.slot.startswith("sharing:")]
    if len(shared) < len(blueprint.placements):
        output.emit(output.style("placements", "bold"))
        output.emit_table([(e.slot, _placed(e)) for e in blueprint.placements if e not in shared], "  ")
    if shared:
        output.emit(f"{len(shared)} groups of cores may share replicas")
    output.emit(f"{len(blueprint.channels)} channels fixed, {len(blueprint.trees)} trees")
    output.emit(f"blueprint {blueprint.hash}" + (f" written to {out}" if out else ""))
