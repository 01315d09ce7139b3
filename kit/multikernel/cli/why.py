"""`mkit why BOARD SLOT`: what fills a slot, of which candidates, by which rule and facts, what each other lacks, and
the smallest edit of the board that would change it.

With `--edit FILE` that edit is written as a board of its own, which extends this one.

May not know: how binding decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from multikernel.assemble import Knowledge, know
from multikernel.binding.changes import Change
from multikernel.binding.edits import overlay, show_path, show_value
from multikernel.binding.reason import Reason
from multikernel.binding.reasons import mending, reason
from multikernel.binding.slots import FACTS_SHOWN
from multikernel.board import load_board
from multikernel.board.find import SUFFIXES, packaged_folder
from multikernel.board.model import Board
from multikernel.cli import output
from multikernel.cli.assemble import ANY, complete_board, measured_facts, platform_kind
from multikernel.errors import BindingError, FileError
from multikernel.knowledge.explain import Derivation
from multikernel.knowledge.facts import Fact
from multikernel.knowledge.ir import Rule
from multikernel.registry import Registry


def why(
    board: Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)],
    slot: Annotated[
        str,
        typer.Argument(
            help="transport:0->31, transport:CLASS, home:0->31, tree:numa, cpu-driver:KIND, monitor, skb, ..."
        ),
    ],
    platform: Annotated[str, typer.Option(help="Bind for this platform; any: for whichever.")] = ANY,
    measured: Annotated[str, typer.Option(metavar="FILE", help="Bind by what was found out; see measure.")] = "",
    edit: Annotated[str, typer.Option(metavar="FILE", help="Write a board that makes the smallest edit.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="The smallest edit for each other choice; takes longer.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Why a slot of a board is bound as it is, or cannot be, and what would change it."""
    with output.json_errors(json):
        registry = Registry.load()
        output.warn_problems(registry.problems)
        loaded = load_board(board, sources=registry.board_dirs)
        known = know(loaded, registry, platform_kind(registry, platform), measured_facts(measured, loaded))
        try:
            found = reason(known, slot, every)
        except BindingError as error:
            mended = mending(known, slot)
            if edit:
                write_edit(edit, board, loaded, mended)
            lines = "".join(f"\n  an edit would fill it: {line}" for line in change_lines(loaded, mended))
            raise BindingError(f"{error}{lines}", slot=slot) from None
        if edit:
            write_edit(edit, board, loaded, found.changes)
    if json:
        output.emit_json({"board": known.board.name, **_document(known, found)})
    else:
        _show(known, found)
    known.skb.close()


def write_edit(file: str, base: str, board: Board, changes: Sequence[Change]) -> None:
    """The first change as a board that extends `base`.  Never over a file that is there.  Raises BindingError where
    there is no change, FileError."""
    if not changes:
        raise BindingError("no edit of the board was found that would change it; nothing was written")
    path = Path(file)
    text = overlay(board, _extends(base, path.parent), changes[0].edits)
    if file == "-":
        output.emit(text.rstrip("\n"))
        return
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise FileError(f"{file}: is there already; nothing is written over", code="exists") from None
    except OSError as error:
        raise FileError(f"{file}: {error.strerror}", code="not-writable") from error


def _extends(base: str, folder: Path) -> str:
    """What a file in `folder` calls the board `base`; empty for one that lies in no file."""
    if base == "-":
        return ""
    path = Path(base)
    if "/" not in base and not base.endswith(SUFFIXES):
        own = Path("boards") / f"{base}.yaml"
        if (packaged_folder() / own.name).exists() or not own.exists():
            return base
        path = own
    relative = os.path.relpath(path, folder)
    return relative if "/" in relative or relative.endswith(SUFFIXES) else f"./{relative}"


def change_lines(board: Board, changes: Sequence[Change]) -> Iterator[str]:
    """A line for each edit, with the place it is made at."""
    for change in changes:
        for number, entry in enumerate(change.edits, 1):
            last = f"  => {change.chosen} for {change.slot}" if number == len(change.edits) else " and"
            where = board.where(*entry.path)
            old, new = show_value(entry.old), show_value(entry.new)
            yield f"{f'{where}: ' if where else ''}{show_path(entry.path)}: {old} -> {new}{last}"


def show_changes(board: Board, changes: Sequence[Change]) -> None:
    """The lines of changes on stdout."""
    for line in change_lines(board, changes):
        output.emit(f"  {line}")


def changes_document(board: Board, changes: Sequence[Change]) -> list[dict[str, object]]:
    """The changes for --json."""
    return [
        {
            "slot": change.slot,
            "chosen": change.chosen,
            "edits": [
                {
                    "where": board.where(*entry.path) or None,
                    "path": show_path(entry.path),
                    "was": entry.old,
                    "value": entry.new,
                }
                for entry in change.edits
            ],
        }
        for change in changes
    ]


def _show(known: Knowledge, found: Reason) -> None:
    by = f"named at {found.named_at}" if found.named_at else "decided by policy"
    output.emit(f"{found.slot}: {output.style(found.chosen, 'bold')}, {by}")
    output.emit(f"  {found.subject}")
    if found.candidates:
        output.emit(output.style("candidates, least rank first", "bold"))
        output.emit_table([(str(entry.rank), entry.name) for entry in found.candidates], "  ")
    if found.timings:
        output.emit(output.style("one way in ns, as the board predicts and as measured", "bold"))
        for timing in found.timings:
            predicted = f"{output.ns(timing.predicted)} {timing.status}" if timing.predicted >= 0 else "not stated"
            mean, sd, low, high = map(output.ns, (timing.mean, timing.sd, timing.low, timing.high))
            output.emit(
                f"  {timing.transport}: {predicted}; {mean}, sd {sd}, pairs from {low} to {high}, n {timing.count}  "
                + output.style(timing.source, "dim")
            )
    if found.proofs:
        output.emit(output.style("because", "bold"))
        told: set[str] = set()
        for proof in found.proofs:
            for depth, text, where in _lines(proof, 0, told):
                output.emit(f"  {'  ' * depth}{text}  {output.style(where, 'dim')}")
    if found.rejected:
        output.emit(output.style("rejected", "bold"))
        for reject in found.rejected:
            output.emit(f"  {reject.name} needs {reject.unmet}")
            for fact in reject.facts()[:FACTS_SHOWN]:
                output.emit(f"    {fact}  {output.style(str(fact.source), 'dim')}")
    if found.changes:
        output.emit(output.style("an edit would change it, the smallest first", "bold"))
        show_changes(known.board, found.changes)
    elif found.question is not None:
        output.emit("no edit of one or two values of the board was found that would change it")


def _lines(proof: Derivation, depth: int, told: set[str]) -> Iterator[tuple[int, str, str]]:
    """A line for each atom, condition and fact of a proof; what was told is not told again."""
    rule = proof.rule
    if proof.atom in told:
        yield depth, proof.atom, "as above"
        return
    told.add(proof.atom)
    if proof.fact is not None:
        yield depth, proof.atom, str(proof.fact.source)
    elif rule is not None:
        chosen = f", {rule.aggregate.function} of {proof.rows}" if rule.aggregate is not None else ""
        yield depth, f"{proof.atom}{chosen}", f"by {rule.where}: {' '.join(rule.text.split())}"
    for premise in proof.premises:
        yield from _lines(premise, depth + 1, told)
    for condition in proof.conditions:
        yield depth + 1, condition, "holds"


def _document(known: Knowledge, found: Reason) -> dict[str, object]:
    rules = dict.fromkeys(rule for proof in found.proofs for rule in proof.rules())
    facts = dict.fromkeys(fact for proof in found.proofs for fact in proof.facts())
    return {
        "slot": found.slot,
        "chosen": found.chosen,
        "subject": found.subject,
        "named_at": found.named_at or None,
        "candidates": [{"name": entry.name, "rank": entry.rank} for entry in found.candidates],
        "rules": [rule_document(rule) for rule in rules],
        "facts": [fact_document(fact) for fact in facts],
        "changes": changes_document(known.board, found.changes),
        "rejected": [
            {
                "name": reject.name,
                "unmet": reject.unmet,
                "facts": [fact_document(fact) for fact in reject.facts()],
            }
            for reject in found.rejected
        ],
        "measured": [
            {
                "transport": timing.transport,
                "predicted_ps": timing.predicted if timing.predicted >= 0 else None,
                "mean_ps": timing.mean,
                "sd_ps": timing.sd,
                "count": timing.count,
                "source": timing.source,
            }
            for timing in found.timings
        ],
    }


def rule_document(rule: Rule) -> dict[str, object]:
    """A rule for --json."""
    return {"where": str(rule.where), "text": " ".join(rule.text.split())}


def fact_document(fact: Fact) -> dict[str, object]:
    """A fact for --json."""
    return {"fact": str(fact), "kind": fact.source.kind, "source": fact.source.where, "time": fact.time}
