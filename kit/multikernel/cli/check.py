"""`mkit check PROTOCOL`: a consistency protocol in every order of delivery at a small size, with each fault.

Exit 0 when every property holds in all that there is, 1 when one is violated or the budget was over before.

May not know: how an exploration is made.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from multikernel.checking import PROPERTIES, Report, check
from multikernel.checking.diagram import lines, steps, test_file
from multikernel.cli import output
from multikernel.errors import FileError, MultikernelError, UsageError
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.routes import TREES

NONE = "none"


def complete_protocol(incomplete: str) -> list[str]:
    """Names of protocols, for the shell."""
    return [name for name in Registry.load().consistency_protocols.names() if name.startswith(incomplete)]


def check_command(
    protocol: Annotated[str, typer.Argument(help="A consistency protocol.", autocompletion=complete_protocol)],
    cores: Annotated[int, typer.Option(help="How many cores, 1 to 8.")] = 3,
    operations: Annotated[int, typer.Option(help="How many operations, begun whenever it pleases the root.")] = 1,
    faults: Annotated[
        str,
        typer.Option(
            help="Faults that may happen once each, anywhere: stop, drop, duplicate; none; those it withstands."
        ),
    ] = "",
    tree: Annotated[str, typer.Option(help="One tree instead of all: broadcast, unicast, multicast, numa.")] = "",
    budget: Annotated[float, typer.Option(help="Stop after so many seconds.")] = 60.0,
    write: Annotated[Path | None, typer.Option(help="Write a counterexample to this file, as a test.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Explore a consistency protocol in every order of delivery, with each fault at each step."""
    with output.json_errors(json):
        registry = Registry.load()
        output.warn_problems(registry.problems)
        spec = registry.consistency_protocols.get(protocol)
        if tree and tree not in TREES:
            raise UsageError(f"there is no tree {tree!r}; there are: {', '.join(TREES)}", code="unknown-name")
        kinds = _kinds(faults, spec)
        end = time.monotonic() + budget
        reports = [
            check(spec, name, cores, operations, kinds, end - time.monotonic()) for name in TREES if tree in ("", name)
        ]
    found = min((report for report in reports if report.violation), key=_length, default=None)
    if json:
        output.emit_json(_document(spec, reports, cores, operations, kinds))
    else:
        output.emit(f"{spec.name}: cores: {cores}, operations: {operations}, faults: {', '.join(kinds) or NONE}")
        _show(spec, reports, found)
    if found is not None and found.violation is not None:
        if write is not None:
            _write(write, test_file(spec.name, found))
        text = f"{spec.name} violates {found.violation.name} over {found.tree}"
        _fail(MultikernelError(text, code="violated"))
    if not all(report.whole for report in reports):
        text = f"not all was explored in {budget:g} s; nothing is known of the rest"
        _fail(MultikernelError(text, code="unexplored"))


def _fail(error: MultikernelError) -> NoReturn:
    """End with an error that stdout has told in full."""
    output.show_error(error)
    raise typer.Exit(error.exit_code)


def _kinds(faults: str, spec: ConsistencyProtocolSpec) -> tuple[str, ...]:
    if faults == NONE:
        return ()
    return tuple(fault.strip() for fault in faults.split(",")) if faults else spec.withstands


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}", code="not-writable") from None


def _show(spec: ConsistencyProtocolSpec, reports: Sequence[Report], found: Report | None) -> None:
    heads = ("tree", "states", "transitions", "ends", "states/s")
    rows = [(r.tree, str(r.states), str(r.transitions), str(sum(r.ends.values())), str(_rate(r))) for r in reports]
    output.emit_table([heads, *rows], "  ")
    reached = [number for report in reports for number in report.reached]
    output.emit(output.style("steps", "bold"))
    numbered = enumerate(spec.steps, 1)
    output.emit_table([(str(n), s.text, "reached" if n in reached else "not reached") for n, s in numbered], "  ")
    ends: dict[str, list[str]] = {}
    for before, waits in sorted({end for report in reports for end in report.ends}):
        if len(before) == 1:
            ends.setdefault(before[0], []).append(" and ".join(waits) or "nobody")
    if ends:
        output.emit(output.style("who waits for ever", "bold"))
        output.emit_table([(before, " / ".join(waits)) for before, waits in ends.items()], "  ")
    violated = [report.violation.name for report in reports if report.violation]
    whole = all(report.whole for report in reports)
    output.emit(output.style("properties", "bold"))
    for name, text in PROPERTIES.items():
        word = "violated" if name in violated else "holds" if whole else "no violation found"
        output.emit(f"  {name}: {word}: {text}")
    if found is not None and found.violation is not None:
        output.emit(output.style(f"over {found.tree}, in {len(found.violation.moves)} steps", "bold"))
        for line in lines(found.model, found.violation):
            output.emit(f"  {line}")


def _length(report: Report) -> int:
    return len(report.violation.moves) if report.violation else 0


def _rate(report: Report) -> int:
    return int(report.states / max(report.seconds, 1e-6))


def _document(
    spec: ConsistencyProtocolSpec, reports: Sequence[Report], cores: int, operations: int, faults: Sequence[str]
) -> dict[str, object]:
    return {
        "protocol": spec.name,
        "cores": cores,
        "operations": operations,
        "faults": faults,
        "properties": PROPERTIES,
        "trees": [
            {
                "tree": report.tree,
                "states": report.states,
                "transitions": report.transitions,
                "whole": report.whole,
                "seconds": round(report.seconds, 3),
                "ends": [
                    {"after": after, "then": then, "count": n} for (after, then), n in sorted(report.ends.items())
                ],
                "violation": _violation(report),
            }
            for report in reports
        ],
        "steps": [
            {"number": number, "step": step.text, "reached": any(number in report.reached for report in reports)}
            for number, step in enumerate(spec.steps, 1)
        ],
    }


def _violation(report: Report) -> dict[str, object] | None:
    violation = report.violation
    if violation is None:
        return None
    return {"property": violation.name, "how": violation.how, "steps": steps(report.model, violation.moves)}
