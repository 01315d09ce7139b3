"""What is installed: the plugins, and what each registers, by kind and name.

    Registry.load(*plugins)  every entry point of group `multikernel`, each in its own try, and these
    Registry.of(*plugins)    these plugins alone, without entry points (tests, embedding)
    registry.transports      a Catalogue of TransportSpec; likewise one for each hook
    registry.problems        a PluginError for each thing that is wrong with a plugin

Invariants: a plugin with a problem registers nothing, and costs the others nothing; names are unique
in a kind; iteration is sorted by name.  Of two plugins that claim a name the kit's own keeps it, then
the one whose distribution sorts first, and the other is a problem.

May not know: the command line, any plugin.  Only this module and `hookspecs` use pluggy.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pluggy

from multikernel.errors import PluginError, UsageError
from multikernel.hookspecs import PROJECT, Hooks
from multikernel.spec import (
    API_VERSION,
    BoardDirSpec,
    CommandSpec,
    ConsistencyProtocolSpec,
    CpuDriverSpec,
    MonitorSpec,
    PlatformSpec,
    PolicySpec,
    ProgramSpec,
    SkbBackendSpec,
    TransportSpec,
)

GROUP = "multikernel"
"""The entry-point group of plugins."""
OWN = "multikernel-kit"
"""The kit's own distribution."""
SOURCES = (".S", ".c", ".dl", ".h", ".py")
"""What a plugin's hash covers: what people write, never what a compiler made."""
NAME = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")


class Named(Protocol):
    """What every spec has."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def requires(self) -> str: ...
    @property
    def provides(self) -> tuple[str, ...]: ...
    @property
    def metal(self) -> tuple[str, ...]: ...


S = TypeVar("S", bound=Named)


@dataclass(frozen=True)
class Plugin:
    """Where a spec comes from.  `path` is the plugin's folder, or its file if it is one, or None if it
    was made in memory."""

    name: str
    distribution: str
    version: str
    path: Path | None = field(compare=False)

    @property
    def source_hash(self) -> str:
        """SHA-256 in hex over the plugin's sources, names and bytes; empty if it has none on disk."""
        if self.path is None:
            return ""
        files = sorted(p for p in self.path.rglob("*") if p.suffix in SOURCES) if self.path.is_dir() else [self.path]
        digest = hashlib.sha256()
        for file in files:
            name, data = file.relative_to(self.path.parent).as_posix().encode(), file.read_bytes()
            digest.update(b"%d %s %d " % (len(name), name, len(data)) + data)
        return digest.hexdigest()


class Catalogue(Generic[S]):
    """The specs of one kind.  Iteration gives them sorted by name."""

    def __init__(self, kind: str, spec_type: type[S], problems: list[PluginError]) -> None:
        self.kind = kind
        self._type = spec_type
        self._problems = problems
        self._entries: dict[str, tuple[S, Plugin]] = {}

    def get(self, name: str) -> S:
        """The spec called `name`.  Raises UsageError naming the near ones."""
        return self._entry(name)[0]

    def origin(self, name: str) -> Plugin:
        """The plugin that registered `name`: distribution, version, source hash.  Raises as `get`."""
        return self._entry(name)[1]

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._entries))

    def __iter__(self) -> Iterator[S]:
        return (self._entries[name][0] for name in self.names())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def _entry(self, name: str) -> tuple[S, Plugin]:
        if name in self._entries:
            return self._entries[name]
        text = f"there is no {self.kind} {name!r}"
        if near := difflib.get_close_matches(name, self.names()):
            text += f" (did you mean {', '.join(near)}?)"
        text += f"; installed: {', '.join(self.names()) or 'none'}"
        if self._problems:
            text += f"; problems with plugins: {len(self._problems)}, see mkit plugins doctor"
        raise UsageError(text, code="unknown-name")

    def faults(self, given: Sequence[object], folder: Path | None) -> Iterator[str]:
        """What is wrong with what a hook of the plugin in `folder` gave."""
        seen: list[str] = []
        for spec in given:
            if not isinstance(spec, self._type):
                yield f"gave {type(spec).__name__} {spec!r}, not {self._type.__name__}"
                continue
            # Python checks no annotation, so neither is taken on trust.
            name: object = spec.name
            summary: object = spec.summary
            what = f"{self._type.__name__}({name!r})"
            if not isinstance(name, str) or not NAME.fullmatch(name):
                yield f"{what}: name must be lower-case words joined by '-', '_' or '.'"
            elif name in self._entries:
                yield f"{what}: the name is taken by {self._entries[name][1].distribution}"
            elif name in seen:
                yield f"{what}: the name is given twice"
            else:
                seen.append(name)
            if not isinstance(summary, str) or not summary.strip():
                yield f"{what}: summary must be one line of text"
            if not callable(getattr(spec, "factory", callable)):
                yield f"{what}: factory must be callable"
            for file in spec.metal:
                if folder and not (folder / "metal" / file).is_file():
                    yield f"{what}: metal names {file}, which is not in {folder.name}/metal"

    def add(self, spec: object, plugin: Plugin) -> None:
        """Take a spec that has no faults."""
        if isinstance(spec, self._type):
            self._entries[spec.name] = (spec, plugin)


class Shelf(Protocol):
    """A catalogue as the registry fills it, whatever it holds."""

    kind: str

    def __iter__(self) -> Iterator[Named]: ...
    def origin(self, name: str) -> Plugin: ...
    def faults(self, given: Sequence[object], folder: Path | None) -> Iterator[str]: ...
    def add(self, spec: object, plugin: Plugin) -> None: ...


class Registry:
    """See the module.  Made by `load` or `of`."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self.problems: list[PluginError] = []
        self.board_dirs = Catalogue("board folder", BoardDirSpec, self.problems)
        self.skb_backends = Catalogue("SKB backend", SkbBackendSpec, self.problems)
        self.platforms = Catalogue("platform", PlatformSpec, self.problems)
        self.cpu_drivers = Catalogue("CPU driver", CpuDriverSpec, self.problems)
        self.monitors = Catalogue("monitor", MonitorSpec, self.problems)
        self.transports = Catalogue("transport", TransportSpec, self.problems)
        self.consistency_protocols = Catalogue("consistency protocol", ConsistencyProtocolSpec, self.problems)
        self.programs = Catalogue("program", ProgramSpec, self.problems)
        self.policies = Catalogue("policy", PolicySpec, self.problems)
        self.commands = Catalogue("command", CommandSpec, self.problems)
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._shelves: dict[str, Shelf] = {
            "board_dirs": self.board_dirs,
            "skb_backends": self.skb_backends,
            "platforms": self.platforms,
            "cpu_drivers": self.cpu_drivers,
            "monitors": self.monitors,
            "transports": self.transports,
            "consistency_protocols": self.consistency_protocols,
            "programs": self.programs,
            "policies": self.policies,
            "commands": self.commands,
        }

    def specs(self) -> Iterator[tuple[str, Named, Plugin]]:
        """Every spec with its kind and its plugin, by kind in the order of a kernel's life, then by name."""
        for shelf in self._shelves.values():
            for spec in shelf:
                yield shelf.kind, spec, shelf.origin(spec.name)

    @classmethod
    def load(cls, *plugins: object) -> Registry:
        """Every installed plugin, and these besides (as `of` takes them).  Never raises for a plugin's
        fault: see `problems`."""
        registry = cls()
        for distribution, version, point in _points():
            try:
                module: object = point.load()
            except Exception as error:  # the plugin boundary: whatever its import does is its own fault
                registry._problem(Plugin(point.name, distribution, version, None), f"does not import: {_tell(error)}")
                continue
            registry._register(module, Plugin(point.name, distribution, version, _path(module)))
        registry._add(plugins)
        return registry

    @classmethod
    def of(cls, *plugins: object) -> Registry:
        """These plugins (modules, or objects with hook methods).  Raises PluginError for the first problem."""
        registry = cls()
        registry._add(plugins)
        if registry.problems:
            raise registry.problems[0]
        return registry

    def _add(self, plugins: Iterable[object]) -> None:
        for plugin in plugins:
            name = getattr(plugin, "__name__", type(plugin).__name__)
            self._register(plugin, Plugin(name, "in-memory", "0", _path(plugin)))

    def _problem(self, plugin: Plugin, text: str) -> None:
        who = f"{plugin.distribution} {plugin.version}: plugin {plugin.name!r}"
        self.problems.append(PluginError(f"{who} {text}", distribution=plugin.distribution))

    def _register(self, module: object, plugin: Plugin) -> None:
        spoken: object = getattr(module, "multikernel_api", None)
        if spoken is None:
            return self._problem(plugin, f"lacks multikernel_api; say multikernel_api = {API_VERSION} in its __init__")
        if spoken != API_VERSION:
            return self._problem(plugin, f"speaks plugin API {spoken!r}; this kit speaks {API_VERSION}")
        try:
            self._manager.register(module, f"{plugin.distribution}:{plugin.name}")
        except (pluggy.PluginValidationError, ValueError) as error:
            return self._problem(plugin, f"does not register: {_tell(error)}")
        specs, faults = self._hooks(module, plugin.path)
        if not specs and not faults:
            faults = ["registers nothing; mark its hooks with multikernel.hookspecs.hookimpl"]
        for fault in faults:
            self._problem(plugin, fault)
        if faults:
            self._manager.unregister(module)
            return None
        self.plugins.append(plugin)
        for shelf, spec in specs:
            shelf.add(spec, plugin)
        return None

    def _hooks(self, module: object, folder: Path | None) -> tuple[list[tuple[Shelf, object]], list[str]]:
        """What the hooks of a registered plugin give, each with its shelf, and all that is wrong with it."""
        specs: list[tuple[Shelf, object]] = []
        faults: list[str] = []
        for caller in self._manager.get_hookcallers(module) or []:
            shelf = self._shelves.get(caller.name)
            if shelf is None:
                near = difflib.get_close_matches(caller.name, self._shelves, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                faults.append(f"implements {caller.name}, which is no hook{hint}")
                continue
            for implementation in caller.get_hookimpls():
                if implementation.plugin is module:
                    given, fault = _collect(implementation.function)
                    found = [*shelf.faults(given, folder), *([fault] if fault else [])]
                    faults += [f"hook {caller.name}: {text}" for text in found]
                    specs += [(shelf, spec) for spec in given]
        return specs, faults


def _collect(hook: Callable[[], object]) -> tuple[list[object], str]:
    """What a hook gives, and what is wrong with how it gives it."""
    given: list[object] = []
    try:
        specs = hook()
        if not isinstance(specs, Iterable):
            return [], f"gave {specs!r}; yield specs, or return a list of them"
        for spec in specs:
            given.append(spec)
    except Exception as error:  # the plugin boundary: whatever a hook raises is its own fault
        return given, f"raised {_tell(error)}"
    return given, ""


def _points() -> list[tuple[str, str, EntryPoint]]:
    """The entry points, each with name and version of its distribution: the kit's own first.  (A distribution reads
    its metadata each time it is asked for one of these.)"""
    told: dict[Distribution, tuple[str, str]] = {}
    found: list[tuple[str, str, EntryPoint]] = []
    for point in entry_points(group=GROUP):
        if point.dist is not None and point.dist not in told:
            told[point.dist] = point.dist.name, point.dist.version
        found.append((*(told[point.dist] if point.dist is not None else ("", "")), point))
    return sorted(found, key=lambda each: (each[0] != OWN, each[0], each[2].name))


def _path(module: object) -> Path | None:
    file: object = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    return Path(file).parent if Path(file).name == "__init__.py" else Path(file)


def _tell(error: Exception) -> str:
    """The error in one line, with the innermost place in the plugin it came from."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    files = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = (__file__, pluggy.__path__[0], importlib.__path__[0], "<")
    for file, line in reversed(files):
        if not file.startswith(ours):
            return f"{text} ({Path(file).name}:{line})"
    return text
