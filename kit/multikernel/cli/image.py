"""`mkit image BOARD`: build the image a bare-metal platform boots, and leave it in a folder.

May not know: any platform but through the registry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from multikernel.assemble import assemble
from multikernel.cli import output
from multikernel.cli.assemble import complete_board
from multikernel.errors import UsageError
from multikernel.interfaces import ImageBuilder
from multikernel.kernel import resolve
from multikernel.registry import Registry


def image(
    board: Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)],
    out: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="Where; default build/BOARD.")] = "",
    platform: Annotated[str, typer.Option(help="Which platform's, if several build images.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Bind and check; build nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Build a bare-metal image of a board's kernel."""
    registry = Registry.load()
    output.warn_problems(registry.problems)
    name, builder = _builder(registry, platform)
    blueprint = assemble(board, registry, registry.platforms.get(name).kind)
    code = resolve(blueprint, registry)
    folder = Path(out or f"build/{blueprint.board}")
    if dry_run:
        output.note(f"{blueprint.board}: binds for {name}; would build in {folder}; nothing was built")
        if json:
            output.emit_json({"board": blueprint.board, "platform": name, "hash": blueprint.hash, "file": ""})
        return
    path = builder.image(blueprint, code, folder)
    if json:
        output.emit_json({"board": blueprint.board, "platform": name, "hash": blueprint.hash, "file": str(path)})
    else:
        output.emit(f"{path}: {path.stat().st_size} bytes, {len(blueprint.cores)} cores, blueprint {blueprint.hash}")


def _builder(registry: Registry, wanted: str) -> tuple[str, ImageBuilder]:
    """The platform that builds the image.  Raises UsageError when none does, or more than one could."""
    if wanted:
        registry.platforms.get(wanted)
    found: dict[str, ImageBuilder] = {}
    for spec in registry.platforms:
        built = spec.factory()
        if isinstance(built, ImageBuilder):
            found[spec.name] = built
    if wanted in found:
        return wanted, found[wanted]
    names = ", ".join(found) or "none"
    if wanted:
        raise UsageError(f"platform {wanted} boots no image; those that do: {names}", code="no-image")
    if len(found) != 1:
        raise UsageError(f"name the platform with --platform; those that boot an image: {names}", code="no-image")
    return next(iter(found.items()))
