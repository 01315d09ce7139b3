"""The root of `mkit`: a table of commands, each imported when it is called.

    main()      parse, run, and turn every error into its exit code
    COMMANDS    name, where the command lives, one line about it

Exit codes: 0 ok, 1 failure, 2 usage, 3 file, 4 invalid board, 5 unsatisfied binding, 6 boot timeout,
7 a program failed, 130 interrupted.  A traceback appears only at -vvv.  Every option has an
environment variable, MKIT_<COMMAND>_<OPTION>.  Commands of plugins are listed from the entry points
of group `multikernel.commands`, without loading a plugin; calling one loads them.

May not know: anything that imports pydantic, rich or pluggy; `--help` must stay cheap.
"""

from __future__ import annotations

import errno
import gc
import os
import platform
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from multikernel.cli import output
from multikernel.errors import FileError, MultikernelError, UsageError

if TYPE_CHECKING:
    from typer._click import Command, Context

DISTRIBUTION = "multikernel-kit"
PLUGIN_GROUP = "multikernel"
COMMAND_GROUP = "multikernel.commands"
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
TRACEBACK = 3
"""How often -v must be given for tracebacks."""


class Stub(NamedTuple):
    """A command by its home: `attribute` of `module` is a typer application, or a function."""

    name: str
    module: str
    attribute: str
    summary: str


COMMANDS = (
    Stub("board", "multikernel.cli.board", "app", "List, show and check boards."),
    Stub("plugins", "multikernel.cli.plugins", "app", "List plugins, check them, start a new one."),
    Stub("assemble", "multikernel.cli.assemble", "assemble", "Bind a board: make its blueprint."),
    Stub("why", "multikernel.cli.why", "why", "Why a slot of a board is bound as it is, or cannot be."),
    Stub("why-not", "multikernel.cli.whynot", "whynot", "Why a plugin does not fill a slot, and what would make it."),
    Stub("diff", "multikernel.cli.diff", "diff", "Which bindings differ between two boards or blueprints, and why."),
    Stub("skb", "multikernel.cli.skb", "app", "Ask the system knowledge base."),
    Stub("boot", "multikernel.cli.boot", "boot", "Bring a board's kernel up and run programs on it."),
    Stub("measure", "multikernel.cli.measure", "measure", "Measure every class of pairs by every transport."),
    Stub("campaign", "multikernel.cli.campaign", "campaign_command", "Run a kernel with drawn faults, many times."),
    Stub("check", "multikernel.cli.check", "check_command", "Explore a consistency protocol at a small size."),
    Stub("image", "multikernel.cli.image", "image", "Build a bare-metal image of a board's kernel."),
    Stub("explain", "multikernel.cli.explain", "explain", "What an error code means, and what to do."),
)


class LazyGroup(TyperGroup):
    """A group whose commands are stubs until one is called."""

    def list_commands(self, ctx: Context) -> list[str]:
        """The kit's commands in the order of the table, then those of plugins by name."""
        return [stub.name for stub in COMMANDS] + sorted(_plugin_commands())

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command if it was called, else a stub that can only be listed."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        summary = next((stub.summary for stub in COMMANDS if stub.name == cmd_name), "")
        summary = summary or _plugin_commands().get(cmd_name, "")
        return TyperCommand(cmd_name, help=summary) if summary else None

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Imports the command that was called, and a plugin's only if the kit has none of that name."""
        name = args[0]
        home = next((stub for stub in COMMANDS if stub.name == name), None)
        if home:
            self.commands[name] = _command(name, getattr(import_module(home.module), home.attribute))
        elif not name.startswith("-"):
            from multikernel.registry import Registry

            registry = Registry.load()
            if name in registry.commands:
                self.commands[name] = _command(name, registry.commands.get(name).factory())
            else:
                output.warn_problems(registry.problems)
                for known in self.list_commands(ctx):
                    self.commands[known] = TyperCommand(known)  # for click's suggestion of near names
        return super().resolve_command(ctx, args)


def _plugin_commands() -> dict[str, str]:
    """Names and one line each of the commands plugins declare, without loading a plugin."""
    points = {point.name: point for point in entry_points(group=COMMAND_GROUP)}
    return {name: f"From {point.dist.name if point.dist else point.value}." for name, point in points.items()}


def _command(name: str, home: typer.Typer | Callable[..., object]) -> Command:
    """The command `name` from a typer application or a function, printed plainly."""
    outer = typer.Typer(add_completion=False, rich_markup_mode=None)
    outer.callback()(_nothing)
    if isinstance(home, typer.Typer):
        outer.add_typer(home, name=name)
    else:
        outer.command(name)(home)
    return typer.main.get_group(outer).commands[name]


def _nothing() -> None:
    """A callback, so that typer makes a group even of one command."""


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from multikernel.spec import API_VERSION

    output.emit(f"mkit {version(DISTRIBUTION)} (plugin API {API_VERSION}, Python {platform.python_version()})")
    points = sorted(entry_points(group=PLUGIN_GROUP), key=lambda p: p.name)
    output.emit_table([(p.name, f"{p.dist.name} {p.dist.version}" if p.dist else "?") for p in points], indent="  ")
    raise typer.Exit


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(context_settings={"auto_envvar_prefix": "MKIT", "help_option_names": ["-h", "--help"]})
def root(
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; up to -vvv.")] = 0,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Colour on a terminal.")] = True,
    show_version: Annotated[
        bool, typer.Option("--version", help="Versions of the kit and its plugins.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Assemble a multikernel from plugins for a board, and boot it: simulated, on real cores, on bare metal."""
    output.configure(verbose, color)


def main() -> NoReturn:
    """Run `mkit` on sys.argv and exit."""
    _fill_closed_streams()
    gc.set_threshold(100_000, *gc.get_threshold()[1:])  # imports and facts stay: looking through them takes a tenth
    sys.exit(run(sys.argv[1:]))


def _fill_closed_streams() -> None:
    """Give what the caller has closed of stdin, stdout and stderr to the null device, so that no file opened
    later takes its descriptor."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def _drop_stdout() -> None:
    """Python flushes stdout once more at exit: let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(arguments: list[str]) -> int:
    """Run `mkit` on `arguments`; its exit code.  With --json a failure is an object on stdout too."""
    output.configure(0, True)
    json = "--json" in arguments
    try:
        try:
            with output.json_errors(json):
                typer.main.get_command(app).main(arguments, prog_name="mkit")
        except SystemExit as stop:
            if json and stop.code == UsageError.exit_code:
                output.emit_failure("usage", "stderr says what is wrong, -h what is right", UsageError.exit_code)
            sys.stdout.flush()
            return stop.code if isinstance(stop.code, int) else 1
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()  # the reader left
        return 1
    except MultikernelError as error:
        if output.verbosity() >= TRACEBACK:
            traceback.print_exc()
        output.show_error(error)
        return error.exit_code
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _bug(error)
        _drop_stdout()
        output.show_error(FileError(f"{error.filename or 'standard output'}: {error.strerror}", code="not-writable"))
        return FileError.exit_code
    except Exception as error:
        return _bug(error)


def _bug(error: Exception) -> int:
    """A bug of the kit: a line for the person, the traceback on demand."""
    if output.verbosity() >= TRACEBACK:
        traceback.print_exception(error)
    output.show_bug(error)
    return 1
