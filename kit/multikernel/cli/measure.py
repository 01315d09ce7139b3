"""`mkit measure BOARD`: run `ping` over every class of pairs by every transport that serves it; with -o, write what
was found, by which `--measured FILE` of other commands binds.

May not know: how it is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from multikernel.assemble import assemble
from multikernel.binding.measured import timings
from multikernel.board import load_board
from multikernel.cli import output
from multikernel.cli.assemble import complete_board
from multikernel.interfaces import BootOptions
from multikernel.measuring import measure as measure_board
from multikernel.registry import Registry


def measure(
    board: Annotated[str, typer.Argument(help="A path, a name, or - for stdin.", autocompletion=complete_board)],
    out: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Write what was found.")] = "",
    platform: Annotated[str, typer.Option(help="Where to measure.")] = "sim",
    rounds: Annotated[int, typer.Option(min=1, max=1_000_000, help="Round trips a pair.")] = 100,
    pairs: Annotated[int, typer.Option(min=1, max=1_000, help="Pairs of each class.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure every class of pairs by every transport that serves it."""
    registry = Registry.load()
    output.warn_problems(registry.problems)
    kind = registry.platforms.get(platform).kind
    loaded = load_board(board)
    parameters = {"rounds": rounds, "pairs": pairs}
    found = measure_board(loaded, registry, platform, BootOptions(seed=seed), parameters, output.note)
    if out:
        found.save(Path(out))
    before, after = assemble(loaded, registry, kind), assemble(loaded, registry, kind, found.facts)
    chosen = {entry.name: entry.transport for entry in after.pair_classes}
    rows = [(cls, timing) for cls in (*chosen, "self") for timing in timings(found.facts, loaded, cls)]
    changed = [
        (entry.name, entry.transport, chosen[entry.name])
        for entry in before.pair_classes
        if entry.transport != chosen.get(entry.name, entry.transport)
    ]
    orders = [tree.name for tree, other in zip(before.trees, after.trees, strict=True) if tree != other]
    if json:
        output.emit_json(
            {
                "board": loaded.name,
                "platform": platform,
                "seed": seed,
                "file": out or None,
                "measured": [
                    {
                        "class": cls, "transport": timing.transport, "bound": timing.transport == chosen.get(cls),
                        "predicted_ps": timing.predicted if timing.predicted >= 0 else None,
                        "status": timing.status or None, "mean_ps": timing.mean, "sd_ps": timing.sd,
                        "low_ps": timing.low, "high_ps": timing.high, "p99_ps": timing.p99, "count": timing.count,
                    }
                    for cls, timing in rows
                ],
                "changed": [{"class": name, "was": was, "is": now} for name, was, now in changed],
                "trees": orders,
            }
        )  # fmt: skip
        return
    output.emit(f"{output.style(loaded.name, 'bold')} on {platform}: one way in ns")
    output.emit_table(
        [
            ("class", "transport", "predicted", "measured", "sd", "low", "high", "p99", "n", ""),
            *(
                (
                    cls, timing.transport, f"{output.ns(timing.predicted)} {timing.status}".strip(),
                    *map(output.ns, (timing.mean, timing.sd, timing.low, timing.high, timing.p99)), str(timing.count),
                    "bound" if timing.transport == chosen.get(cls) else "",
                )
                for cls, timing in rows
            ),
        ],
        "  ",
    )  # fmt: skip
    for name, was, now in changed:
        output.emit(f"measured, {name} is bound to {now} instead of {was}")
    for name in orders:
        output.emit(f"measured, the tree {name} sends in another order")
    if not changed and not orders:
        output.emit("what was measured changes no binding")
    if out:
        output.emit(f"written to {out}: mkit assemble {board} --measured {out}")
