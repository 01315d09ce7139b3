"""`mkit why-not BOARD SLOT=PLUGIN`: what a plugin lacks to fill a slot, or what goes before it, and the smallest edit
of the board after which it does.

May not know: how binding decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from multikernel.assemble import know
from multikernel.binding.reasons import Denial, why_not
from multikernel.board import load_board
from multikernel.cli import output
from multikernel.cli.assemble import ANY, complete_board, measured_facts, platform_kind
from multikernel.cli.why import changes_document, fact_document, rule_document, show_changes, write_edit
from multikernel.errors import UsageError
from multikernel.knowledge.explain import Failure
from multikernel.registry import Registry


def whynot(
    board: Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)],
    slot: Annotated[str, typer.Argument(metavar="SLOT=PLUGIN", help="E.g. transport:0->4=ump.")],
    platform: Annotated[str, typer.Option(help="Bind for this platform; any: for whichever.")] = ANY,
    measured: Annotated[str, typer.Option(metavar="FILE", help="Bind by what was found out; see measure.")] = "",
    edit: Annotated[str, typer.Option(metavar="FILE", help="Write a board that makes the smallest edit.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Why a plugin does not fill a slot of a board, and what would make it.  Exit 1 when it does fill it."""
    with output.json_errors(json):
        name, equals, plugin = slot.rpartition("=")
        if not (equals and name and plugin):
            raise UsageError(f"{slot!r}: write SLOT=PLUGIN, as in transport:0->4=ump")
        registry = Registry.load()
        output.warn_problems(registry.problems)
        loaded = load_board(board, sources=registry.board_dirs)
        known = know(loaded, registry, platform_kind(registry, platform), measured_facts(measured, loaded))
        found = why_not(known, name, plugin)
        known.skb.close()
        if edit:
            write_edit(edit, board, loaded, found.changes)
    if json:
        output.emit_json({"board": loaded.name, **_document(found), "changes": changes_document(loaded, found.changes)})
    else:
        output.emit(f"{found.slot}: {output.style(_verdict(found), 'bold')}")
        for depth, text, where in _followed(found):
            output.emit(f"  {'  ' * depth}{text}  {output.style(where, 'dim')}")
        if found.changes:
            output.emit(output.style("the smallest edit after which it does", "bold"))
            show_changes(loaded, found.changes)
        elif found.chosen != plugin:
            output.emit("no edit of one or two values of the board was found after which it does")
    raise typer.Exit(1 if found.chosen == plugin else 0)


def _verdict(found: Denial) -> str:
    if found.chosen == found.plugin:
        return f"{found.plugin} does fill it; see mkit why"
    other = f"{found.chosen} fills it" if found.chosen else "nothing fills it"
    if found.lacks is not None:
        return f"{found.plugin} needs {found.lacks.unmet}; {other}"
    if found.named_at:
        return f"{found.plugin} serves it, but the board names {found.chosen} at {found.named_at}"
    if not found.chosen:
        return f"{found.plugin} serves it, but so do others and nothing ranks them"
    ranks = (found.chosen_rank, found.rank)
    sign = f"rank {ranks[0]} < {ranks[1]}" if ranks[0] < ranks[1] else "by what was measured, by default or by name"
    return f"{found.plugin} serves it, but {found.chosen} goes before it ({sign})"


def _followed(found: Denial) -> Iterator[tuple[int, str, str]]:
    """A line for each rule that leads to the unmet condition, and for each fact beside it."""
    if found.lacks is not None:
        yield from _failed(found.lacks.failure, 0)


def _failed(failure: Failure, depth: int) -> Iterator[tuple[int, str, str]]:
    by = f"by {failure.rule.where}: {' '.join(failure.rule.text.split())}" if failure.rule is not None else ""
    if failure.rule is not None:
        unmet = failure.failed if failure.failed.startswith("which") else f"unmet: {failure.failed}"
        yield depth, f"{failure.atom}, {unmet}", by
    facts = dict.fromkeys((*failure.held, *failure.instead))
    if failure.because is not None:
        facts.update(dict.fromkeys(failure.because.facts()))
    for fact in facts:
        yield depth + 1, str(fact), str(fact.source)
    for inner in failure.inner:
        yield from _failed(inner, depth + 1)


def _document(found: Denial) -> dict[str, object]:
    lacks = None
    if found.lacks is not None:
        leaf = found.lacks.failure.leaf()
        lacks = {
            "unmet": found.lacks.unmet,
            "rules": [
                rule_document(failure.rule) for failure in (found.lacks.failure, leaf) if failure.rule is not None
            ],
            "facts": [fact_document(fact) for fact in found.lacks.facts()],
        }
    return {
        "slot": found.slot,
        "plugin": found.plugin,
        "chosen": found.chosen or None,
        "serves": found.lacks is None,
        "rank": found.rank if found.lacks is None else None,
        "chosen_rank": found.chosen_rank if found.chosen else None,
        "named_at": found.named_at or None,
        "lacks": lacks,
    }
