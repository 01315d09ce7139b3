"""`mkit diff A B`: which bindings differ between two boards or blueprints, and why.

A and B are boards, by path or name, or blueprints that `mkit assemble -o FILE.json` wrote.  Exit 0 when the
blueprints are the same, 1 when they differ.

May not know: how binding decides.
"""

from __future__ import annotations

from typing import Annotated

import typer

from multikernel.cli import output
from multikernel.cli.assemble import ANY, complete_board, platform_kind
from multikernel.cli.why import fact_document
from multikernel.difference import FACTS_TOLD, Comparison, Rebound, Why, compare, side
from multikernel.registry import Registry

Side = Annotated[str, typer.Argument(help="A board, or a blueprint FILE.json.", autocompletion=complete_board)]


def diff(
    a: Side,
    b: Side,
    platform: Annotated[str, typer.Option(help="Bind boards for this platform; any: for whichever.")] = ANY,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Which bindings differ between two boards or blueprints, and why.  Exit 1 when something does."""
    with output.json_errors(json):
        registry = Registry.load()
        output.warn_problems(registry.problems)
        kind = platform_kind(registry, platform)
        found = compare(side(a, registry, kind), side(b, registry, kind))
    if json:
        output.emit_json({"a": a, "b": b, **_document(found)})
    elif found.same:
        output.emit("the blueprints are the same")
    else:
        _show(found, a, b)
    raise typer.Exit(0 if found.same else 1)


def _show(found: Comparison, a: str, b: str) -> None:
    for entry in found.rebound:
        if entry.a is not None and entry.b is not None:
            output.emit(f"{output.style(entry.slot, 'bold')}: {entry.a} -> {entry.b}")
            for name, chosen, why in ((a, entry.a, entry.why_a), (b, entry.b, entry.why_b)):
                _show_why(name, chosen, why)
    for word, entries in (
        ("removed", [entry for entry in found.rebound if entry.b is None]),
        ("added", [entry for entry in found.rebound if entry.a is None]),
    ):
        if entries:
            output.emit(output.style(f"slots {word}", "bold"))
            output.emit_table([(entry.slot, entry.a or entry.b or "") for entry in entries], "  ")
    if not found.rebound:
        output.emit("no slot is bound otherwise")
    for title, lines in (("other versions", found.locked), ("with that", found.rest)):
        if lines:
            output.emit(output.style(title, "bold"))
            for line in lines:
                output.emit(f"  {line}")
    if found.boards:
        output.emit(output.style("boards", "bold"))
        output.emit_table(
            [
                (
                    entry.difference.path,
                    f"{entry.difference.a or 'not there'} -> {entry.difference.b or 'not there'}",
                    f"decides {', '.join(entry.decides)}" if entry.decides else "decides none of these",
                )
                for entry in found.boards
            ],
            "  ",
        )


def _show_why(name: str, chosen: str, why: Why | None) -> None:
    if why is None:
        return
    output.emit(f"  {name}: {chosen} {why.by}".rstrip() + (f"; {why.lacks}" if why.lacks else ""))
    for fact in why.facts[:FACTS_TOLD]:
        output.emit(f"    only here: {fact}  {output.style(str(fact.source), 'dim')}")


def _document(found: Comparison) -> dict[str, object]:
    return {
        "same": found.same,
        "slots": [_rebound(entry) for entry in found.rebound],
        "versions": found.locked,
        "rest": found.rest,
        "boards": [
            {
                "path": entry.difference.path,
                "a": entry.difference.a,
                "b": entry.difference.b,
                "decides": entry.decides,
            }
            for entry in found.boards
        ],
    }


def _rebound(entry: Rebound) -> dict[str, object]:
    return {
        "slot": entry.slot,
        "a": entry.a,
        "b": entry.b,
        "why_a": _why(entry.why_a),
        "why_b": _why(entry.why_b),
    }


def _why(why: Why | None) -> dict[str, object] | None:
    if why is None:
        return None
    return {"by": why.by, "lacks": why.lacks, "facts": [fact_document(fact) for fact in why.facts]}
