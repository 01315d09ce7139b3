"""`mkit check PROTOCOL`: a consistency protocol in every order of delivery at a small size, with each fault.

Exit 0 when every property holds in all that there is, 1 when one is violated or the budget was over before.

May not know: how an exploration is made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, NoReturn, TypeAlias

import typer

from multikernel.checking import GROUP_PROPERTIES, PROPERTIES, Report, check, check_group
from multikernel.checking.diagram import lines, steps, test_file
from multikernel.checking.machine import Machine
from multikernel.cli import output
from multikernel.errors import FileError, MultikernelError, UsageError
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.group import GroupProtocol
from multikernel.system.routes import TREES

NONE = "none"
TIMEOUTS, LULLS = 1, 2
"""Timers that run out in an exploration of a protocol that has some, at any moment and in lulls, unless it is said how
many.  Beside a restart none runs out at any moment: that alone is as many states as all the rest."""
SHARES = 2
"""So many times its part of the time that is left an exploration may take, so that none has to go without."""

AnyReport: TypeAlias = Report[Machine]


class Asked(NamedTuple):
    """What the command line says, None or "" where it says nothing."""

    cores: int
    operations: int | None
    faults: str
    tree: str
    submitters: str
    timeouts: int | None
    lulls: int | None
    clients: int
    reconfigure: bool


def complete_protocol(incomplete: str) -> list[str]:
    """Names of protocols, for the shell."""
    return [name for name in Registry.load().consistency_protocols.names() if name.startswith(incomplete)]


def check_command(
    protocol: Annotated[str, typer.Argument(help="A consistency protocol.", autocompletion=complete_protocol)],
    cores: Annotated[int, typer.Option(help="How many cores, 1 to 8; among equals the members.")] = 3,
    operations: Annotated[
        int | None, typer.Option(help="How many operations, begun at any time; 1, or 2 among equals.")
    ] = None,
    faults: Annotated[
        str,
        typer.Option(
            help="Faults that may happen once each, anywhere: stop, drop, duplicate, among equals restart; none; "
            "those it withstands, among equals one by one."
        ),
    ] = "",
    tree: Annotated[str, typer.Option(help="One tree instead of all: broadcast, unicast, multicast, numa.")] = "",
    submitters: Annotated[
        str, typer.Option(help="Among equals: the core that submits each operation, as 0,1; else several ways.")
    ] = "",
    timeouts: Annotated[
        int | None, typer.Option(help="Among equals: how many timers run out at any moment; 1 where it has some.")
    ] = None,
    lulls: Annotated[
        int | None, typer.Option(help="Among equals: how many more, when no message is under way; 2 where it has some.")
    ] = None,
    clients: Annotated[int, typer.Option(help="Among equals: how many cores more, that are no members.")] = 0,
    reconfigure: Annotated[
        bool,
        typer.Option("--reconfigure", help="Among equals: one more operation, that a client come or a member go."),
    ] = False,
    budget: Annotated[float, typer.Option(help="Stop after so many seconds.")] = 120.0,
    write: Annotated[Path | None, typer.Option(help="Write a counterexample to this file, as a test.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Explore a consistency protocol in every order of delivery, with each fault at each step."""
    asked = Asked(cores, operations, faults, tree, submitters, timeouts, lulls, clients, reconfigure)
    with output.json_errors(json):
        registry = Registry.load()
        output.warn_problems(registry.problems)
        spec = registry.consistency_protocols.get(protocol)
        equals = isinstance(spec.factory(), GroupProtocol)
        reports, sizes = _group(spec, asked, budget) if equals else _trees(spec, asked, budget)
    properties = GROUP_PROPERTIES if equals else PROPERTIES
    found = min((report for report in reports if report.violation), key=_length, default=None)
    if json:
        output.emit_json(_document(spec, reports, sizes, properties, "explorations" if equals else "trees"))
    else:
        output.emit(f"{spec.name}: " + ", ".join(f"{name}: {_word(size)}" for name, size in sizes.items()))
        _show(spec, reports, found, properties, "submitters" if equals else "tree")
    if found is not None and found.violation is not None:
        if write is not None:
            _write(write, test_file(spec.name, found))
        text = f"{spec.name} violates {found.violation.name} {_where(found, equals)}"
        _fail(MultikernelError(text, code="violated"))
    if not all(report.whole for report in reports):
        text = f"not all was explored in {budget:g} s; nothing is known of the rest"
        _fail(MultikernelError(text, code="unexplored"))


def _trees(
    spec: ConsistencyProtocolSpec, asked: Asked, budget: float
) -> tuple[Sequence[AnyReport], Mapping[str, object]]:
    """An exploration of each tree."""
    given = {
        "--submitters": asked.submitters,
        "--timeouts": asked.timeouts is not None,
        "--lulls": asked.lulls is not None,
        "--clients": asked.clients,
        "--reconfigure": asked.reconfigure,
    }
    for option, present in given.items():
        if present:
            raise UsageError(f"{option} is for protocols among equals; {spec.name} is over a tree")
    if asked.tree and asked.tree not in TREES:
        raise UsageError(f"there is no tree {asked.tree!r}; there are: {', '.join(TREES)}", code="unknown-name")
    kinds = _kinds(asked.faults, spec)
    operations = 1 if asked.operations is None else asked.operations
    end = time.monotonic() + budget
    reports = [
        check(spec, name, asked.cores, operations, kinds, end - time.monotonic())
        for name in TREES
        if asked.tree in ("", name)
    ]
    return reports, {"cores": asked.cores, "operations": operations, "faults": kinds}


def _group(
    spec: ConsistencyProtocolSpec, asked: Asked, budget: float
) -> tuple[Sequence[AnyReport], Mapping[str, object]]:
    """An exploration of each way to submit, and, unless faults are named, of each fault."""
    if asked.tree:
        raise UsageError(f"--tree is for protocols over a tree; {spec.name} is among equals")
    has = bool(spec.timers)
    lulls = LULLS * has if asked.lulls is None else asked.lulls
    ways = _submitters(asked)
    kinds = [_kinds(asked.faults, spec)] if asked.faults else [(), *((kind,) for kind in spec.withstands)]
    rows = [(way, faults) for way in ways for faults in kinds]
    end = time.monotonic() + budget
    reports: list[AnyReport] = []
    for left, (way, faults) in zip(range(len(rows), 0, -1), rows, strict=True):
        timeouts = asked.timeouts
        if timeouts is None:
            timeouts = TIMEOUTS * (has and "restart" not in faults)
        share = (end - time.monotonic()) * min(1, SHARES / left)
        report = check_group(
            spec, asked.cores, way, faults, timeouts, lulls, asked.clients, asked.reconfigure, budget_s=share
        )
        report.name = ",".join(map(str, way))
        reports.append(report)
    sizes = {
        "members": asked.cores,
        "clients": asked.clients,
        "operations": len(ways[0]),
        "timeouts": TIMEOUTS * has if asked.timeouts is None else asked.timeouts,
        "lulls": lulls,
        "faults": kinds[0] if asked.faults else (NONE, *spec.withstands),
    }
    return reports, sizes


def _submitters(asked: Asked) -> Sequence[tuple[int, ...]]:
    """Who submits each operation: one by each core, or all by the last; of one operation each core in turn."""
    count = asked.cores + asked.clients
    if asked.submitters:
        try:
            way = tuple(int(core) for core in asked.submitters.split(","))
        except ValueError:
            text = f"--submitters {asked.submitters}: not core numbers with commas between, as 0,1"
            raise UsageError(text) from None
        if asked.operations not in (None, len(way) - asked.reconfigure, len(way)):
            raise UsageError(
                f"--submitters {asked.submitters} names {len(way)} cores for {asked.operations} operations"
            )
        return [way]
    operations = (2 if asked.operations is None else asked.operations) + asked.reconfigure
    count = max(1, count)
    if operations == 1:
        return [(core,) for core in range(count)]
    return [tuple(index % count for index in range(operations)), (count - 1,) * operations]


def _title(report: AnyReport, equals: bool) -> str:
    """An exploration of several; over trees all have the same faults."""
    return report.name + (f" with {', '.join(report.faults)}" if equals and report.faults else "")


def _where(report: AnyReport, equals: bool) -> str:
    return ("submitted by " if equals else "over ") + _title(report, equals)


def _word(size: object) -> str:
    """A size for people."""
    return (", ".join(map(str, size)) or NONE) if isinstance(size, tuple) else str(size)


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


def _show(
    spec: ConsistencyProtocolSpec,
    reports: Sequence[AnyReport],
    found: AnyReport | None,
    properties: Mapping[str, str],
    kind: str,
) -> None:
    equals = kind != "tree"
    heads = (kind, "states", "transitions", "ends", "states/s")
    rows = [
        (_title(r, equals), str(r.states), str(r.transitions), str(sum(r.ends.values())), str(_rate(r)))
        for r in reports
    ]
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
    for name, text in properties.items():
        word = "violated" if name in violated else "holds" if whole else "no violation found"
        output.emit(f"  {name}: {word}: {text}")
    if found is not None and found.violation is not None:
        output.emit(output.style(f"{_where(found, equals)}, in {len(found.violation.moves)} steps", "bold"))
        for line in lines(found.model, found.violation):
            output.emit(f"  {line}")


def _length(report: AnyReport) -> int:
    return len(report.violation.moves) if report.violation else 0


def _rate(report: AnyReport) -> int:
    return int(report.states / max(report.seconds, 1e-6))


def _document(
    spec: ConsistencyProtocolSpec,
    reports: Sequence[AnyReport],
    sizes: Mapping[str, object],
    properties: Mapping[str, str],
    kind: str,
) -> dict[str, object]:
    return {
        "protocol": spec.name,
        **sizes,
        "properties": properties,
        kind: [
            {
                "tree" if kind == "trees" else "submitters": report.name,
                "faults": report.faults,
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


def _violation(report: AnyReport) -> dict[str, object] | None:
    violation = report.violation
    if violation is None:
        return None
    return {"property": violation.name, "how": violation.how, "steps": steps(report.model, violation.moves)}
