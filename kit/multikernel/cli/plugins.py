"""`mkit plugins`: what is installed, what is wrong with it, and the start of a new one.

    list        every spec of every plugin, by kind
    show NAME   one plugin or spec: where it comes from, what it needs
    doctor      problems by distribution, and what each platform finds here; exit 1 if a plugin is broken
    new         a plugin from the template, in any folder

May not know: any plugin.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from multikernel.cli import output
from multikernel.cli.root import COMMANDS
from multikernel.errors import PluginError, UsageError
from multikernel.registry import Named, Plugin, Registry
from multikernel.spec import ProgramSpec

app = typer.Typer(no_args_is_help=True, help="List plugins, check them, start a new one.")

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def complete_name(incomplete: str) -> list[str]:
    """Names of plugins and specs, for the shell."""
    names = sorted({name for _, spec, plugin in Registry.load().specs() for name in (spec.name, plugin.name)})
    return [name for name in names if name.startswith(incomplete)]


@app.command("list")
def list_(json: Json = False) -> None:
    """Every spec of every plugin, by kind."""
    registry = Registry.load()
    rows = list(registry.specs())
    if json:
        output.emit_json({"plugins": [_row(*row) for row in rows], "problems": list(map(str, registry.problems))})
        return
    output.warn_problems(registry.problems)
    for kind in dict.fromkeys(kind for kind, _, _ in rows):
        output.emit(output.style(kind, "bold"))
        chosen = [(spec, plugin) for k, spec, plugin in rows if k == kind and not _is_part(spec)]
        output.emit_table([(s.name, f"{p.name} ({p.distribution} {p.version})", s.summary) for s, p in chosen], "  ")
    if not rows:
        raise PluginError("no plugin is installed", code="no-plugins")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A plugin, or what it registers.", autocompletion=complete_name)],
    json: Json = False,
) -> None:
    """One plugin or spec: where it comes from, what it needs."""
    registry = Registry.load()
    rows = [row for row in registry.specs() if name in (row[1].name, row[2].name)]
    if not rows:
        known = sorted({n for _, spec, plugin in registry.specs() for n in (spec.name, plugin.name)})
        near = difflib.get_close_matches(name, known)
        hint = f" (did you mean {', '.join(near)}?)" if near else ""
        output.warn_problems(registry.problems)
        raise UsageError(f"there is no plugin or spec {name!r}{hint}; mkit plugins list shows all", code="unknown-name")
    if json:
        output.emit_json({"plugins": [_row(*row) for row in rows]})
        return
    for row in rows:
        fields = _row(*row)
        output.emit(output.style(f"{fields.pop('kind')} {fields.pop('name')}", "bold") + f": {fields.pop('summary')}")
        output.emit_table([(key.replace("_", " "), _text(value)) for key, value in fields.items() if value], "  ")


@app.command()
def doctor(json: Json = False) -> None:
    """Problems by distribution, what each platform finds here, what cannot be used.  Exit 1 if a plugin is broken."""
    registry = Registry.load()
    problems = list(registry.problems)
    own = [stub.name for stub in COMMANDS]
    for command in registry.commands:
        if command.name in own:
            origin = registry.commands.origin(command.name)
            problems.append(_problem(origin, f"command {command.name!r} is the kit's own"))
    findings: dict[str, Sequence[str]] = {}
    for platform in registry.platforms:
        try:
            findings[platform.name] = list(platform.factory().doctor())
        except Exception as error:  # the plugin boundary: a platform that cannot even look is broken
            text = f"platform {platform.name!r} cannot look: {type(error).__name__}: {error}"
            problems.append(_problem(registry.platforms.origin(platform.name), text))
    lacking = {backend.name: backend.unavailable for backend in registry.skb_backends if backend.unavailable}
    if json:
        listed = [{"distribution": problem.distribution, "problem": str(problem)} for problem in problems]
        output.emit_json(
            {"problems": listed, "platforms": findings, "unavailable": lacking, "plugins": len(registry.plugins)}
        )
    else:
        for name, lines in findings.items():
            output.emit(output.style(f"platform {name}", "bold"))
            for line in lines or ["nothing to say"]:
                output.emit(f"  {line}")
        for name, reason in lacking.items():
            output.emit(output.style(f"SKB backend {name}", "bold"))
            output.emit(f"  unavailable: {reason}")
        for distribution in sorted({problem.distribution for problem in problems}):
            output.emit(output.style(f"distribution {distribution}", "error"))
            for problem in problems:
                if problem.distribution == distribution:
                    output.emit(f"  {problem}")
        output.emit(f"{len(registry.plugins)} plugins work, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="What kind of plugin: transport.")],
    name: Annotated[str, typer.Argument(help="Its name, as boards will say it.")],
    summary: Annotated[str, typer.Option(help="One line about it.")] = "",
    folder: Annotated[Path, typer.Option("--folder", "-C", help="Where to make it.")] = Path(),
    no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")] = False,
) -> None:
    """Start a plugin from the template: package, tests, entry point, ready to install."""
    from multikernel.cli.template import bake

    for taken_kind, spec, plugin in Registry.load().specs():
        if (taken_kind, spec.name) == (kind, name) or plugin.name == f"mk_{name.replace('-', '_')}":
            who = f"{plugin.name} of {plugin.distribution}"
            raise UsageError(f"{name!r} is taken by {who}; two of one name are an error", code="plugin-name")
    default = f"The {name} {kind}."
    if not summary:
        asks = not no_input and sys.stdin.isatty()
        summary = typer.prompt("One line about it", default=default) if asks else default
    files = bake(kind, name, summary, folder, write=not dry_run)
    for file in files:
        output.emit(str(file))
    if not dry_run:
        home = files[0]
        output.note(f"next: pip install -e '{home}[test]' && pytest {home}")


def _is_part(spec: Named) -> bool:
    """Started by another program, not by a person."""
    return isinstance(spec, ProgramSpec) and bool(spec.part_of)


def _row(kind: str, spec: Named, plugin: Plugin) -> dict[str, object]:
    return {
        "kind": kind,
        "name": spec.name,
        "summary": spec.summary,
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "requires": spec.requires,
        "provides": spec.provides,
        "metal": spec.metal,
        "source_hash": plugin.source_hash,
    }


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _problem(plugin: Plugin, text: str) -> PluginError:
    who = f"{plugin.distribution} {plugin.version}"
    return PluginError(f"{who}: {text}", distribution=plugin.distribution)
