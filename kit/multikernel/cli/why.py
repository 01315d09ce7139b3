"""`mkit why BOARD SLOT`: what fills a slot, of which candidates, by which rule and facts, and what each
other lacks.

May not know: how binding decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from multikernel.assemble import know
from multikernel.binding.reasons import Reason, reason
from multikernel.binding.slots import FACTS_SHOWN
from multikernel.cli import output
from multikernel.cli.assemble import ANY, complete_board, platform_kind
from multikernel.knowledge.explain import Derivation
from multikernel.knowledge.facts import Fact
from multikernel.knowledge.ir import Rule
from multikernel.registry import Registry


def why(
    board: Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)],
    slot: Annotated[
        str,
        typer.Argument(
            help="transport:0->31, transport:CLASS, home:0->31, tree:numa, cpu-driver:KIND, monitor, consistency:X."
        ),
    ],
    platform: Annotated[str, typer.Option(help="Bind for this platform; any: for whichever.")] = ANY,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Why a slot of a board is bound as it is, or cannot be."""
    registry = Registry.load()
    output.warn_problems(registry.problems)
    known = know(board, registry, platform_kind(registry, platform))
    found = reason(known, slot)
    if json:
        output.emit_json({"board": known.board.name, **_document(found)})
    else:
        _show(found)


def _show(found: Reason) -> None:
    by = f"named at {found.named_at}" if found.named_at else "decided by policy"
    output.emit(f"{found.slot}: {output.style(found.chosen, 'bold')}, {by}")
    output.emit(f"  {found.subject}")
    if found.candidates:
        output.emit(output.style("candidates, least rank first", "bold"))
        output.emit_table([(str(entry.rank), entry.name) for entry in found.candidates], "  ")
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
        output.emit(output.style("one fact would change it", "bold"))
        for change in found.changes:
            output.emit(f"  {'with' if change.added else 'without'} {change.fact}: {change.chosen}"
                        f"  {output.style(change.source, 'dim')}".rstrip())  # fmt: skip


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


def _document(found: Reason) -> dict[str, object]:
    rules = dict.fromkeys(rule for proof in found.proofs for rule in proof.rules())
    facts = dict.fromkeys(fact for proof in found.proofs for fact in proof.facts())
    return {
        "slot": found.slot,
        "chosen": found.chosen,
        "subject": found.subject,
        "named_at": found.named_at or None,
        "candidates": [{"name": entry.name, "rank": entry.rank} for entry in found.candidates],
        "rules": [_rule(rule) for rule in rules],
        "facts": [_fact(fact) for fact in facts],
        "changes": [
            {"added": change.added, "fact": change.fact, "source": change.source or None, "chosen": change.chosen}
            for change in found.changes
        ],
        "rejected": [
            {
                "name": reject.name,
                "unmet": reject.unmet,
                "facts": [_fact(fact) for fact in reject.facts()],
            }
            for reject in found.rejected
        ],
    }


def _rule(rule: Rule) -> dict[str, object]:
    return {"where": str(rule.where), "text": " ".join(rule.text.split())}


def _fact(fact: Fact) -> dict[str, object]:
    return {"fact": str(fact), "kind": fact.source.kind, "source": fact.source.where, "time": fact.time}
