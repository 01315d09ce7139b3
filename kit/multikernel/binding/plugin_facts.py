"""What is installed, as facts; what each plugin requires, as a rule.

A spec's `requires` is the body of a rule that says what the plugin serves:

    CPU driver     driver_serves(NAME, K)         over the kind K
    monitor        monitor_serves(NAME)
    transport      transport_serves(NAME, A, B)   over the directed pair of cores A, B
    protocol       protocol_serves(NAME, O)       over the replicated object O

`provides` are facts in the rule language (`+ window("ump", 32)`).

Interface: `PLUGINS`, the predicates; `assert_plugins(skb, registry)`.

May not know: boards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from multikernel.errors import KnowledgeError, PluginError
from multikernel.knowledge.facts import Source, predicate
from multikernel.knowledge.ir import Atom, Literal, Rule, Term, Var, Where, variables
from multikernel.knowledge.rules import parse_condition, parse_rules
from multikernel.knowledge.skb import Skb
from multikernel.registry import Plugin, Registry
from multikernel.spec import Spec

PLUGINS = (
    predicate("transport(transport: str, rank: int)", "An installed transport; the least rank wins."),
    predicate("scope(transport: str, scope: str)", "What one instance of it serves: channel, link or circuit."),
    predicate("window(transport: str, slots: int)", "Messages a channel of it holds each way, where it says so."),
    predicate("cpu_driver(driver: str, isa: str)", "An installed CPU driver; empty: for any."),
    predicate("monitor(monitor: str)", "An installed monitor."),
    predicate("protocol(protocol: str, rank: int)", "An installed consistency protocol; the least rank wins."),
    predicate("replicates(protocol: str, object: str)", "What it can keep consistent."),
    predicate("facet(kind: str, plugin: str, platform: str)", "It runs on this platform kind; `any`: none was named."),
    predicate("platform(platform: str)", "The platform kind assembled for; `any`: none was named."),
    predicate("carrier(transport: str, a: int, b: int, device: str)", "Over this device.", derived=True),
    predicate("transport_serves(transport: str, a: int, b: int)", "Can carry messages from a to b.", derived=True),
    predicate("driver_serves(driver: str, kind: str)", "Can drive cores of the kind.", derived=True),
    predicate("monitor_serves(monitor: str)", "Can run on every core.", derived=True),
    predicate("protocol_serves(protocol: str, object: str)", "Can keep the object consistent.", derived=True),
)

A, B, KIND, OBJECT = Var("A"), Var("B"), Var("K"), Var("O")
_ANY = Var("_any")


def assert_plugins(skb: Skb, registry: Registry, platform: str) -> None:
    """Declare the predicates, assert what is installed, add the rules of `requires`.  Raises
    PluginError for rule text that cannot be read."""
    skb.declare(*PLUGINS)
    skb.assert_fact("platform", (platform,), Source("asserted", "--platform"))
    installed: list[_Installed] = []
    for transport in registry.transports:
        about = _Installed(
            skb, registry.transports.origin(transport.name), transport, "transport", transport.name, platform
        )
        about.fact("transport", transport.name, transport.rank)
        about.fact("scope", transport.name, transport.scope)
        installed.append(about)
        about.serves("transport_serves", (A, B), _atom("core", A, _ANY), _atom("core", B, Var("_any2")))
    for driver in registry.cpu_drivers:
        about = _Installed(skb, registry.cpu_drivers.origin(driver.name), driver, "cpu_driver", driver.name, platform)
        about.fact("cpu_driver", driver.name, driver.isa)
        isa = Var("I")
        for_isa = (_atom("cpu_driver", driver.name, isa),) if driver.isa else ()
        installed.append(about)
        about.serves("driver_serves", (KIND,), _atom("kind", KIND, isa if driver.isa else _ANY), *for_isa)
    for monitor in registry.monitors:
        about = _Installed(skb, registry.monitors.origin(monitor.name), monitor, "monitor", monitor.name, platform)
        about.fact("monitor", monitor.name)
        installed.append(about)
        about.serves("monitor_serves", (), _atom("monitor", monitor.name))
    for protocol in registry.consistency_protocols:
        origin = registry.consistency_protocols.origin(protocol.name)
        about = _Installed(skb, origin, protocol, "protocol", protocol.name, platform)
        about.fact("protocol", protocol.name, protocol.rank)
        for replicated in protocol.replicates:
            about.fact("replicates", protocol.name, replicated)
        installed.append(about)
        about.serves("protocol_serves", (OBJECT,), _atom("replicates", protocol.name, OBJECT))
    try:
        skb.add_parsed([rule for about in installed for rule in about.rules])
    except KnowledgeError:  # one at a time: whose it is
        for about in installed:
            about.add()


class _Installed:
    """One installed plugin on its way into the SKB."""

    def __init__(self, skb: Skb, origin: Plugin, spec: Spec, kind: str, name: str, platform: str) -> None:
        self._skb, self._origin, self._spec, self._name = skb, origin, spec, name
        self._file, self._line = _place(origin, name, spec.requires)
        self.rules: tuple[Rule, ...] = ()
        facets = ["any", *spec.platforms] + (["qemu"] if spec.metal else [])
        if platform in facets:
            self.fact("facet", kind, name, platform)

    def fact(self, predicate: str, *values: int | str) -> None:
        self._skb.assert_fact(predicate, values, Source("asserted", f"{self._file}:{self._line}"))

    def serves(self, head: str, subject: Sequence[Var], *given: Atom) -> None:
        """What it adds: the rule head(NAME, subject) <= given & requires, and the facts it provides."""
        spec = self._spec
        try:
            required = _once_is_any(parse_condition(spec.requires, self._file, self._line), subject)
            where = Where(self._file, self._line, 1)
            text = f"{head}({', '.join([repr(self._name), *map(str, subject)])}) requires {spec.requires or 'nothing'}"
            rule = Rule(Atom(head, (self._name, *subject), where), (*given, *required), None, where, text)
            facts = [fact for text in spec.provides for fact in parse_rules(text, self._file, self._line)]
            self.rules = (rule, *facts)
        except KnowledgeError as error:
            raise self._fault(error) from error

    def add(self) -> None:
        """Its rules into the SKB.  Raises PluginError."""
        try:
            self._skb.add_parsed(self.rules)
        except KnowledgeError as error:
            raise self._fault(error) from error

    def _fault(self, error: KnowledgeError) -> PluginError:
        who = f"{self._origin.distribution}: plugin {self._name!r}"
        return PluginError(f"{who}: {error}", distribution=self._origin.distribution)


def _once_is_any(body: Sequence[Literal], subject: Sequence[Var]) -> tuple[Literal, ...]:
    """Variables that occur once in a condition mean `_`: notify(A, B, V) asks for any V."""
    counts = Counter(v for literal in body for v in variables(literal))
    alone = {v: Var(f"_{v.name}") for v, count in counts.items() if count == 1 and v not in subject}

    def term(item: Term) -> Term:
        return alone.get(item, item) if isinstance(item, Var) else item

    def change(literal: Literal) -> Literal:
        if isinstance(literal, Atom):
            return Atom(literal.predicate, tuple(map(term, literal.terms)), literal.where)
        return literal

    return tuple(change(literal) for literal in body)


def _atom(name: str, *terms: Term) -> Atom:
    return Atom(name, terms, Where("", 0, 0))


def _place(origin: Plugin, name: str, requires: str) -> tuple[str, int]:
    """File (from the plugin's folder on) and line where a spec is written, as near as can be told."""
    if origin.path is None:
        return origin.name, 0
    file = origin.path / "__init__.py" if origin.path.is_dir() else origin.path
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    wanted = (f'"{requires}"', f"'{requires}'") if requires else (f'"{name}"', f"'{name}'")
    line = next((n for n, text in enumerate(lines, 1) if any(w in text for w in wanted)), 1)
    return f"{Path(origin.path.name) / file.name if origin.path.is_dir() else file.name}", line
