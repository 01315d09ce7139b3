"""`mkit campaign BOARD`: whole simulated kernels with drawn faults, until something is violated.

Exit 0 when every run kept what the object's protocol promises, 1 when one did not, or, with --require-reached, when
some step of the protocol was not reached.

May not know: how a run is made or judged.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from multikernel.campaign.judge import PROPERTIES
from multikernel.campaign.report import test_file
from multikernel.campaign.runner import Report, campaign
from multikernel.campaign.schedules import KINDS, Field, Schedule, Work
from multikernel.campaign.shrink import shrink
from multikernel.campaign.trial import Run, Subject, trial
from multikernel.cli import output
from multikernel.errors import MultikernelError, UsageError
from multikernel.faults import Kind, nanoseconds
from multikernel.files import write_whole
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.routes import TREES

NONE = "none"


def campaign_command(
    board: Annotated[str, typer.Argument(help="A board: its name or file.")],
    object: Annotated[str, typer.Option(help="What is agreed on: log, store, load, reservation, shootdown.")] = "store",
    schedules: Annotated[int, typer.Option(min=1, help="How many runs.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="What schedules are drawn from.")] = 0,
    faults: Annotated[
        str, typer.Option(help=f"Kinds of faults: {', '.join(KINDS)}; none; what the protocol withstands.")
    ] = "",
    most: Annotated[int, typer.Option(min=1, help="Faults a run, at most.")] = 2,
    jitter: Annotated[str, typer.Option(help="How late a line is seen at most, in every other run.")] = "2us",
    calls: Annotated[int, typer.Option(min=1, max=4095, help="Calls a client.")] = 4,
    cores: Annotated[int, typer.Option(min=0, help="Clients at most; 0: a client on every core.")] = 0,
    outstanding: Annotated[int, typer.Option(min=1, max=16, help="Calls a client has under way.")] = 4,
    keys: Annotated[int, typer.Option(min=1, max=255, help="Keys of a store.")] = 2,
    changes: Annotated[
        int, typer.Option(min=0, max=14, help="How often a holder is let go and taken in again, at most.")
    ] = 0,
    tree: Annotated[str, typer.Option(help=f"Of {', '.join(TREES)}; each call draws one where none is named.")] = "",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a CPU.")] = 0,
    budget: Annotated[float, typer.Option(help="Stop after so many seconds.")] = 600.0,
    require_reached: Annotated[
        bool, typer.Option("--require-reached", help="A step of the protocol that no run reached is an error.")
    ] = False,
    write: Annotated[Path | None, typer.Option(help="Write a run that violates something here, as a test.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Run a kernel over and over on the simulator, with other faults and another order of messages each time."""
    with output.json_errors(json):
        subject = Subject.of(board, object)
        output.warn_problems(subject.registry.problems)
        if changes and not subject.holders:
            raise UsageError(f"all cores take part in {object}: who holds it is not changed")
        work = Work(calls, cores, outstanding, keys, changes, _tree(tree))
        drawn = field_of(subject, seed, _kinds(faults, subject), most, nanoseconds(jitter), work)
        report = _run(subject, drawn, schedules, jobs or os.cpu_count() or 1, budget)
        small, tried = None, 0
        if report.violating is not None:
            small, tried = shrink(subject, report.violating, max(10.0, budget - report.seconds))
            if write is not None:
                write_whole(write, test_file(board, object, small))
    if json:
        output.emit_json(_document(subject, drawn, report, small))
    else:
        _show(subject, drawn, report, small, tried)
    if report.interrupted:
        raise KeyboardInterrupt
    if small is not None and small.violation is not None:
        raise _failed(f"{object} on {board} violates {small.violation.name}", "violated")
    missing = report.missing(subject.spec)
    if require_reached and missing:
        steps = ", ".join(map(str, missing))
        raise _failed(f"{report.runs} runs of {object} on {board} did not reach steps {steps}", "not-reached")


def _failed(text: str, code: str) -> typer.Exit:
    """What was found is told as an error, after the report of it."""
    error = MultikernelError(text, code=code)
    output.show_error(error)
    return typer.Exit(error.exit_code)


def field_of(subject: Subject, seed: int, kinds: tuple[Kind, ...], most: int, jitter_ns: int, work: Work) -> Field:
    """What schedules are drawn from: how long a run takes, and how much a core does in it, is found by one without
    faults."""
    count = len(subject.blueprint.cores)
    calm = trial(subject, Schedule(seed, 0, (), work))
    return Field(
        seed=seed,
        kinds=kinds,
        most=most,
        jitter_ns=jitter_ns,
        cores=tuple(core.id for core in subject.blueprint.cores),
        boot_core=subject.blueprint.boot_core,
        span_ns=calm.span_ns,
        messages=calm.messages // count + 1,
        steps=sum(reached.times for reached in calm.reached) // count + 1,
        work=work,
    )


def withstood(spec: ConsistencyProtocolSpec) -> tuple[Kind, ...]:
    """What a protocol says it withstands, and what delays without losing anything."""
    return tuple(kind for kind in KINDS if kind in ("stall", "skew", "cut", "delay", *spec.withstands))


def _kinds(faults: str, subject: Subject) -> tuple[Kind, ...]:
    """The kinds that were named; else what the protocol withstands, and what delays without losing."""
    if faults == NONE:
        return ()
    if not faults:
        return withstood(subject.spec)
    names = [name.strip() for name in faults.split(",")]
    if unknown := [name for name in names if name not in KINDS]:
        raise UsageError(
            f"there is no fault {unknown[0]!r}; there are: {', '.join(KINDS)}, {NONE}", code="unknown-name"
        )
    return tuple(kind for kind in KINDS if kind in names)


def _tree(tree: str) -> str:
    if tree and tree not in TREES:
        raise UsageError(f"there is no tree {tree!r}; there are: {', '.join(TREES)}", code="unknown-name")
    return tree


def _run(subject: Subject, drawn: Field, count: int, jobs: int, budget: float) -> Report:
    """With a bar where there is a terminal."""
    if not output.on_terminal(sys.stderr):
        return campaign(subject, drawn, count, jobs, budget, lambda _: None)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("runs", total=count)
        return campaign(
            subject, drawn, count, jobs, budget, lambda report: progress.update(task, completed=report.runs)
        )


def _show(subject: Subject, drawn: Field, report: Report, small: Run | None, tried: int) -> None:
    spec = subject.spec
    held = f"held by cores {', '.join(map(str, subject.holders))}" if subject.holders else "over a tree of all cores"
    output.emit(
        f"{subject.object} on {subject.blueprint.board}: {spec.name}, {held}; faults: {', '.join(drawn.kinds) or NONE}"
    )
    rate = report.runs / max(report.seconds, 1e-6)
    output.emit_table(
        [
            ("runs", "digests", "without fault", "calls answered", "messages", "seconds", "runs/s"),
            (
                str(report.runs),
                str(report.distinct),
                str(report.quiet),
                str(report.answered),
                str(report.messages),
                f"{report.seconds:.1f}",
                f"{rate:.1f}",
            ),
        ],
        "  ",
    )
    if report.struck:
        output.emit("  struck: " + ", ".join(f"{kind} in {count}" for kind, count in sorted(report.struck.items())))
    if report.undecided:
        output.emit(f"  not judged: {report.undecided} histories had too many orders of calls to try")
    output.emit(output.style("steps", "bold"))
    output.emit_table(
        [(str(n), s.text, str(report.reached[n] or "not reached")) for n, s in enumerate(spec.steps, 1)], "  "
    )
    output.emit(output.style("properties", "bold"))
    violated = small.violation.name if small is not None and small.violation is not None else ""
    for name, text in PROPERTIES.items():
        output.emit(f"  {name}: {'violated' if name == violated else 'no violation found'}: {text}")
    if small is not None and small.violation is not None:
        schedule, work = small.schedule, small.schedule.work
        output.emit(output.style(f"the smallest run found, of {tried} tried", "bold"))
        output.emit(f"  {small.violation.name}: {small.violation.how}")
        output.emit(f"  seed {schedule.seed}, jitter {schedule.jitter_ns} ns, {small.messages} messages")
        output.emit(f"  clients {work.cores or 'on all cores'}, calls {work.calls}, under way {work.outstanding}")
        for fault in schedule.faults:
            output.emit(f"  --fault {fault}")


def _document(subject: Subject, drawn: Field, report: Report, small: Run | None) -> dict[str, object]:
    return {
        "board": subject.blueprint.board,
        "blueprint": subject.blueprint.hash,
        "object": subject.object,
        "protocol": subject.spec.name,
        "holders": subject.holders,
        "faults": drawn.kinds,
        "seed": drawn.seed,
        "runs": report.runs,
        "digests": report.distinct,
        "without_fault": report.quiet,
        "undecided": report.undecided,
        "answered": report.answered,
        "messages": report.messages,
        "seconds": round(report.seconds, 3),
        "struck": dict(sorted(report.struck.items())),
        "steps": [
            {"number": number, "step": step.text, "reached": report.reached[number]}
            for number, step in enumerate(subject.spec.steps, 1)
        ],
        "violation": _violation(small),
    }


def _violation(run: Run | None) -> dict[str, object] | None:
    if run is None or run.violation is None:
        return None
    schedule, work = run.schedule, run.schedule.work
    return {
        "property": run.violation.name,
        "how": run.violation.how,
        "seed": schedule.seed,
        "jitter_ns": schedule.jitter_ns,
        "faults": [str(fault) for fault in schedule.faults],
        "calls": work.calls,
        "cores": work.cores,
        "outstanding": work.outstanding,
        "keys": work.keys,
        "changes": work.changes,
        "tree": work.tree,
        "messages": run.messages,
    }
