"""`mkit boot BOARD`: bind a board, bring its kernel up on a platform, run programs, power off.

Lines (or, on a terminal, a live display) go to stdout as it happens.  With --json they are not printed,
and stdout is one object:

    schema_version, board, platform, seed, digest, cores: [{id, isa, driver, state}], channels, virtual_ns,
    programs: [{name, status, result}]      status: ok, failed, not-run; result: an object a row
    faults: [{at_ns, core, kind, text, over}]      as they happened

A core that does not start is told on stderr and the rest boots; the first program that fails ends the run.
Whatever happens the kernel is powered off.  With --json an error before the boot is the object `error` instead.

BOARD may be a blueprint that `mkit assemble -o FILE.json` wrote: what it binds is booted, unless plugins are
installed otherwise than it says.

May not know: any platform or program but through the registry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from multikernel.assemble import assemble
from multikernel.blueprint import Blueprint
from multikernel.board import Board, load_board
from multikernel.cli import output
from multikernel.cli.assemble import complete_board, measured_facts
from multikernel.cli.bootview import View, milliseconds, open_view, process_tree, result_tables
from multikernel.cli.keep import Keep
from multikernel.errors import BindingError, BootTimeout, ProgramFailed, UsageError
from multikernel.events import Assumed, CoreFailed, Event, FaultStruck, Row
from multikernel.faults import Fault, parse
from multikernel.findings import Findings
from multikernel.interfaces import BootOptions, Outcome
from multikernel.kernel import Multikernel, check_parameters
from multikernel.registry import Registry

NS = 1_000_000_000
Parameters = dict[str, dict[str, int | str]]


def complete_platform(incomplete: str) -> list[str]:
    """Names of platforms, for the shell."""
    return [name for name in Registry.load().platforms.names() if name.startswith(incomplete)]


def complete_program(incomplete: str) -> list[str]:
    """Names of programs, for the shell."""
    programs = (program.name for program in Registry.load().programs if not program.part_of)
    return [name for name in programs if name.startswith(incomplete)]


def boot(
    board: Annotated[
        str,
        typer.Argument(help="A path, a name, - for stdin, or a blueprint FILE.json.", autocompletion=complete_board),
    ],
    platform: Annotated[str, typer.Option(help="Where to boot it.", autocompletion=complete_platform)] = "sim",
    run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROGRAM", help="Run it once the kernel is up; repeatable.", autocompletion=complete_program
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", envvar="MKIT_BOOT_SET", metavar="PROGRAM.KEY=VALUE", help="A parameter of a program."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")] = 0,
    trace: Annotated[str, typer.Option(metavar="FILE", help="Write every delivery here.")] = "",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MKIT_BOOT_FAULT",
            metavar="KIND:WHERE@WHEN",
            help="Let it happen on sim, as stop:3@1ms or cut:1>2@run+message:5+2ms; repeatable.",
        ),
    ] = None,
    jitter: Annotated[
        int, typer.Option(min=0, metavar="NS", help="Lines of channels are seen up to so much late.")
    ] = 0,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest boot or program; virtual on sim.")] = 60,
    facts: Annotated[str, typer.Option(metavar="FILE", help="Write what the programs found out here.")] = "",
    measured: Annotated[str, typer.Option(metavar="FILE", help="Bind by what was found out; see measure.")] = "",
    keep: Annotated[str, typer.Option(metavar="DIR", help="Leave board, blueprint and events here.")] = "",
    unlocked: Annotated[
        bool, typer.Option("--unlocked", help="Boot a blueprint although its plugins are installed otherwise.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Bind and check; boot nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Bring a board's kernel up and run programs on it."""
    with output.json_errors(json):
        registry = Registry.load()
        output.warn_problems(registry.problems)
        kind = registry.platforms.get(platform).kind
        programs = run or []
        parameters = _parameters(set_ or [], programs, registry)
        faults = tuple(parse(text) for text in fault or ())
        if not 0 < timeout < 1_000_000:
            raise UsageError(f"--timeout {timeout:g}: seconds, more than 0 and less than a million")
        loaded: Board | None = None
        if board.endswith(".json"):
            blueprint = _written(board, registry, unlocked)
            if measured or facts:
                raise UsageError("--measured and --facts are about a board; a blueprint is bound already")
        else:
            loaded = load_board(board, sources=registry.board_dirs)
            blueprint = assemble(loaded, registry, kind, measured_facts(measured, loaded))
    kept = Keep(keep, loaded, blueprint) if keep and not dry_run else None
    if dry_run:
        would = f"; would run {', '.join(programs)}" if programs else ""
        output.note(f"{blueprint.board}: binds for {platform}, {len(blueprint.cores)} cores{would}; nothing was booted")
        if json:
            output.emit_json(_Report(Multikernel(blueprint, registry), platform, seed, programs).document())
        return
    view = open_view(blueprint, platform, seed, quiet=json)

    def observe(event: Event) -> None:
        if kept:
            kept.event(event)
        view.event(event)

    options = BootOptions(
        seed=seed, trace=trace, timeout_ns=int(timeout * NS), keep=keep, faults=faults, jitter_ns=jitter
    )
    kernel = Multikernel(blueprint, registry, observe)
    report = _Report(kernel, platform, seed, programs)
    try:
        with view:
            report.go(options, parameters, view)
        if facts and loaded is not None:
            Findings(loaded.name, loaded.machine_hash, platform, seed, kernel.facts()).save(Path(facts))
    finally:
        if kept:
            kept.close()
        report.tell(json)


def _written(path: str, registry: Registry, unlocked: bool) -> Blueprint:
    """A blueprint from its file.  Raises BindingError where plugins are installed otherwise than it says."""
    from multikernel.lock import read, unlike

    blueprint = read(Path(path))
    if not unlocked and (found := tuple(unlike(blueprint, registry))):
        lines = "".join(f"\n  {line}" for line in found)
        raise BindingError(f"{path}: plugins are not as locked; --unlocked boots all the same:{lines}", code="locked")
    return blueprint


def _parameters(assignments: Sequence[str], programs: Sequence[str], registry: Registry) -> Parameters:
    """What each program is given.  Everything is checked before anything is booted."""
    given: Parameters = {name: {} for name in programs}
    specs = {name: registry.programs.get(name) for name in programs}
    for spec in specs.values():
        if spec.part_of:
            raise UsageError(f"{spec.name} is one side of {spec.part_of}, which starts it; run {spec.part_of}")
    for text in assignments:
        match = re.fullmatch(r"([^=]+)\.([^.=]+)=(.*)", text, re.DOTALL)
        if match is None:
            raise UsageError(f"--set {text!r}: write PROGRAM.KEY=VALUE, as in ping.rounds=10")
        program, key, value = match.groups()
        if program not in given:
            registry.programs.get(program)
            raise UsageError(f"--set {text!r}: {program} is not run; add --run {program}")
        given[program][key] = value
        check_parameters(specs[program], given[program])
    return given


class _Report:
    """One run: what to do, and what became of it."""

    def __init__(self, kernel: Multikernel, platform: str, seed: int, programs: Sequence[str]) -> None:
        self._kernel = kernel
        self._faults: tuple[Fault, ...] = ()
        self._platform = platform
        self._seed = seed
        self._programs = programs
        self._done: list[tuple[str, str, tuple[Row, ...]]] = []
        self._outcome: Outcome | None = None
        self._tellable = False

    def go(self, options: BootOptions, parameters: Mapping[str, Mapping[str, int | str]], view: View) -> None:
        """Boot, run, stop.  Raises BootTimeout, PlatformError, ProgramFailed, UsageError."""
        kernel = self._kernel
        self._faults = options.faults
        try:
            kernel.boot(self._platform, options)
        except BootTimeout:
            self._tellable = True
            raise
        self._tellable = True
        try:
            for name in self._programs:
                view.running(name)
                try:
                    result = kernel.run(name, **parameters[name])
                except (ProgramFailed, BootTimeout):
                    self._done.append((name, "failed", ()))
                    raise
                self._done.append((name, "ok", result.rows))
            view.running("")
        except KeyboardInterrupt:
            self._tellable = False
            raise
        finally:
            self._outcome = kernel.stop()

    def tell(self, json: bool) -> None:
        """Print what became of it, even when it failed."""
        if not self._tellable:
            return
        if json:
            output.emit_json(self.document())
        else:
            self._print()
        for event in self._kernel.events:
            if isinstance(event, Assumed):
                output.warn(f"{self._kernel.blueprint.board}: {event.text}; times are no better than that")
        struck = [event.text for event in self._kernel.events if isinstance(event, FaultStruck)]
        for fault in self._faults:
            if str(fault) not in struck:
                output.warn(f"fault {fault} did not happen: the run was over before")
        failed = [event for event in self._kernel.events if isinstance(event, CoreFailed)]
        known = {core.id: f" (the board says: {core.fails})" for core in self._kernel.blueprint.cores if core.fails}
        for event in failed:
            output.warn(f"core {event.core} failed: {event.reason}{known.get(event.core, '')}")
        if failed:
            output.warn(
                f"{self._kernel.blueprint.board}: {len(failed)} of {len(self._kernel.blueprint.cores)} cores are not up"
            )

    def _print(self) -> None:
        tree = process_tree(self._kernel.blueprint, self._kernel.events)
        if tree:
            output.emit(output.style("processes", "bold"))
            for line in tree:
                output.emit(f"  {line}")
        for name, status, rows in self._done:
            output.emit(f"{output.style(name, 'bold')}: {status}")
            for table in result_tables(rows):
                output.emit_table(table, "  ")
        if self._outcome is not None:
            outcome = self._outcome
            output.emit(
                f"off at {milliseconds(outcome.virtual_ns)}: {outcome.channels} channels, {outcome.messages} messages"
                + (f", digest {outcome.digest}" if outcome.digest else "")
            )

    def document(self) -> dict[str, object]:
        """The object of --json; of a kernel that was not booted, cores are off and programs not run."""
        outcome = self._outcome if self._outcome is not None else Outcome("", 0, 0, 0)
        pending = self._programs[len(self._done) :]
        return {
            "board": self._kernel.blueprint.board,
            "platform": self._platform,
            "seed": self._seed,
            "digest": outcome.digest,
            "cores": [asdict(core) for core in self._kernel.cores()],
            "channels": outcome.channels,
            "virtual_ns": outcome.virtual_ns,
            "programs": [
                {"name": name, "status": status, "result": list(map(_row, rows))}
                for name, status, rows in (*self._done, *((name, "not-run", ()) for name in pending))
            ],
            "faults": [asdict(event) for event in self._kernel.events if isinstance(event, FaultStruck)],
        }


def _row(row: Row) -> dict[str, object]:
    """A row by column; decimals as numbers."""
    return {column: _number(value) for column, value in zip(row.columns, row.values, strict=True)}


def _number(value: int | str) -> int | float | str:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+\.[0-9]+", value):
        return float(value)
    return value
