"""What the hooks return: one frozen spec a plugin of a kind.

A spec says what the plugin is (`name`, `summary`), how it is built (`factory`, `config`) and what it
needs and offers as text in the rule language (`requires`, `provides`), which the SKB takes as facts.
A factory is called inside the core (or channel) it serves; nothing it makes is shared.

May not know: implementations, pluggy.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typer import Typer

    from multikernel.blueprint import CoreKind
    from multikernel.events import Row
    from multikernel.interfaces import Platform, Transport
    from multikernel.knowledge.backend import SkbBackend
    from multikernel.system.driver import CpuDriverModel
    from multikernel.system.environment import MonitorMain, ProgramMain
    from multikernel.system.group import GroupProtocol
    from multikernel.system.operations import Operation
    from multikernel.system.protocol import TreeProtocol
    from multikernel.system.runtime import Dispatcher

API_VERSION = 1
"""Version of the plugin API.  A plugin package says `multikernel_api = 1` in its `__init__`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every spec has.  `requires` is a condition over facts about the slot's variables, in the
    rule language; empty means always met.  `metal` names the C facet's sources in the plugin's
    folder `metal`; empty means no facet on bare metal.  `platforms` are the kinds of platform the Python
    facet runs on."""

    requires: str = ""
    provides: tuple[str, ...] = ()
    metal: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ("sim", "host")
    config: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class CpuDriverSpec(Spec):
    """A CPU driver for the kinds of one ISA that meet `requires`, or, with an empty `isa`, for all that do.
    `factory(kind)` gives the ISA's half of the driver."""

    name: str
    summary: str
    factory: Callable[[CoreKind], CpuDriverModel]
    isa: str


@dataclass(frozen=True, slots=True)
class MonitorSpec(Spec):
    """A monitor.  `factory` is the coroutine function its dispatcher runs on each core."""

    name: str
    summary: str
    factory: MonitorMain


@dataclass(frozen=True, slots=True)
class TransportSpec(Spec):
    """A transport (interconnect driver) for pairs A, B that meet `requires`.  `rank` orders the
    candidates that do: least first, ties by name.  `scope` is what one instance serves: a `channel` between two
    dispatchers; a `link` between two cores' monitors, which carry the dispatchers' channels; or a `circuit`,
    which has no hardware and is carried by the monitors between."""

    name: str
    summary: str
    factory: Callable[[], Transport]
    rank: int = 50
    scope: Literal["channel", "link", "circuit"] = "channel"


class ProtocolStep(NamedTuple):
    """A numbered step of a consistency protocol, as the literature has it: reached when an event named in `on` makes
    the protocol yield the effect `does`.  Over a tree, events are `begin`, the names of phases, `accepted`, `refused`,
    `applied`; effects the names of phases (sent), `vote`, `apply`, `release`, `complete`, `aborted`.  Among equals,
    events are `submitted`, `reconfigured`, the names of phases, of timers, `executed`; effects the names of phases,
    `execute`, `answer`, `refuse`."""

    text: str
    on: tuple[str, ...]
    does: str


@dataclass(frozen=True, slots=True)
class ConsistencyProtocolSpec(Spec):
    """A consistency protocol as step functions, over a tree or among equals.  `replicates` names the objects it can
    serve; of those that serve one the least `rank` is bound, and between two of the same the board must choose.  For
    `mkit check`: `phases` names the numbers of its messages from 1, `steps` are what it does, and `withstands` the
    faults under which it still promises all but to finish.

    `members` says who holds the object: the cores that the asking process has `spanned`, as over a tree, or, among
    equals, `all` cores or a `few`.  Among equals besides: `timers` names its timers from 1; `order` is what it
    promises: that every replica carries out the same in the same order, which is that of time (`linear`), or that all
    come to hold the same (`eventual`); `survives` of how many members that stop it says that the others go on: of
    none, of a minority, or of any."""

    name: str
    summary: str
    factory: Callable[[], TreeProtocol | GroupProtocol]
    replicates: tuple[str, ...]
    phases: tuple[str, ...] = ()
    steps: tuple[ProtocolStep, ...] = ()
    withstands: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()
    members: Literal["spanned", "all", "few"] = "spanned"
    order: Literal["linear", "eventual"] = "linear"
    survives: Literal["none", "minority", "any"] = "none"
    rank: int = 50


@dataclass(frozen=True, slots=True)
class SkbBackendSpec(Spec):
    """A backend of the system knowledge base.  `unavailable` says why it cannot be used here and what
    mends that; empty if it can."""

    name: str
    summary: str
    factory: Callable[[], SkbBackend]
    unavailable: str = ""


@dataclass(frozen=True, slots=True)
class PlatformSpec(Spec):
    """A platform.  `kind` is sim, host or qemu: which facet of the other plugins it runs."""

    name: str
    summary: str
    factory: Callable[[], Platform]
    kind: str


@dataclass(frozen=True, slots=True)
class ProgramSpec(Spec):
    """A program or service.  `factory` is its coroutine function; `parameters` the names it takes, each int
    or str, or None when it takes any; `part_of` the program whose other dispatchers run it: it is started by
    that and not by a person."""

    name: str
    summary: str
    factory: ProgramMain
    parameters: tuple[tuple[str, type[int] | type[str]], ...] | None = None
    part_of: str = ""


A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class OnUse(Generic[A, R]):
    """The function at `home`, `module:name`, imported when it is first called: what is only listed costs nothing.  A
    platform whose cores do not share what they import calls `load` first."""

    home: str

    def load(self) -> Callable[[A], R]:
        """Import it."""
        module, _, name = self.home.partition(":")
        found: Callable[[A], R] = getattr(import_module(module), name)
        return found

    def __call__(self, argument: A, /) -> R:
        return self.load()(argument)


def on_use(home: str) -> OnUse[Dispatcher, Coroutine[Operation[object], object, tuple[Row, ...]]]:
    """A program's coroutine function, imported when a core first runs it.

    factory=on_use("mk_programs.ping:main")"""
    return OnUse(home)


@dataclass(frozen=True, slots=True)
class BoardDirSpec(Spec):
    """A folder of board files, or boards made on demand.  `path` holds `<name>.yaml` files;
    `generate(name)` gives the text of a board made from this machine or from its name, or None."""

    name: str
    summary: str
    path: Path | None = None
    generate: Callable[[str], str | None] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicySpec(Spec):
    """Rules that take the place of one of the kit's policies where a board names them: `decides` is its name
    (`home`, `placement`, ...).  They are `text`, or in the file `path`."""

    name: str
    summary: str
    decides: str
    text: str = ""
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class CommandSpec(Spec):
    """A command group of `mkit`.  `factory` gives the typer application."""

    name: str
    summary: str
    factory: Callable[[], Typer]
