"""`mkit skb`: the system knowledge base of a board.

    query BOARD GOAL    every answer, one row each; exit 1 when there is none
    schema BOARD        the predicates: those of facts with what they mean, and the derived ones

May not know: how the SKB answers.
"""

from __future__ import annotations

from typing import Annotated

import typer

from multikernel.assemble import know
from multikernel.cli import output
from multikernel.cli.assemble import complete_board
from multikernel.errors import KnowledgeError, UsageError
from multikernel.knowledge.skb import BUDGET
from multikernel.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Ask the system knowledge base.")

Board = Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command()
def query(
    board: Board,
    goal: Annotated[str, typer.Argument(help="E.g. 'coherent(0, B) & node(B, N) & (N > 3)'.")],
    budget: Annotated[int, typer.Option(help="Steps the backend may take.", min=1)] = BUDGET,
    json: Json = False,
) -> None:
    """Every answer to a goal in the rule language.  Exit 1 when there is none, 2 for a goal that is not one."""
    if not goal.strip():
        raise UsageError("the goal is empty; write conditions joined by &, such as 'core(C, K)'")
    registry = Registry.load()
    output.warn_problems(registry.problems)
    known = know(board, registry)
    try:
        answers = known.skb.query(goal, budget)
    except KnowledgeError as error:
        output.show_error(error)
        if json:
            output.emit_failure(error.code, str(error), UsageError.exit_code, error.diagnostics)
        raise typer.Exit(UsageError.exit_code) from None
    if json:
        output.emit_json({"goal": goal, "variables": answers.variables, "rows": answers.rows})
    elif not answers.variables:
        output.emit("yes" if answers else "no")
    elif answers:
        output.emit_table([answers.variables, *([str(value) for value in row] for row in answers.rows)])
    else:
        output.emit("no answer")
    raise typer.Exit(0 if answers else 1)


@app.command()
def schema(board: Board, json: Json = False) -> None:
    """The predicates a goal may ask: facts with what they mean, then what rules derive."""
    known = know(board, Registry.load())
    declared = known.skb.schema
    derived = {name: columns for name, columns in known.skb.program.types if name not in declared}
    if json:
        output.emit_json(
            {
                "facts": [{"predicate": str(p), "meaning": p.doc} for p in declared.values()],
                "derived": [{"predicate": name, "types": columns} for name, columns in derived.items()],
            }
        )
        return
    output.emit_table([(str(p), p.doc) for p in declared.values()])
    output.emit_table([(f"{name}({', '.join(kind or '?' for kind in columns)})",) for name, columns in derived.items()])
