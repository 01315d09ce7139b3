"""The kit's policies: rules in `*.dl` beside this file, each deciding one thing; and what may take its place.

Interface: `VOCABULARY`, what a plugin's `requires` may ask; `POLICIES`, what decides; `shipped(name) -> Policy`;
`load(skb, policies)`; `check(kits, others)`, what a policy must define and may not.

May not know: boards, plugins, beyond the predicates the rules name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from multikernel.errors import Diagnostic, KnowledgeError
from multikernel.knowledge.facts import ColumnType, Predicate, predicate
from multikernel.knowledge.ir import Atom, Not, Rule
from multikernel.knowledge.rules import parse_rules
from multikernel.knowledge.skb import Skb

VOCABULARY = ("pairs", "gateway")

POLICIES: dict[str, tuple[str, ...]] = {
    "transport": ("transport_candidate/4", "transport_of/3", "carrier_of/4", "slots/2"),
    "home": ("home/4",),
    "side": ("side_region/3",),
    "slots": ("driver_candidate/2", "monitor_candidate/1", "protocol_candidate/3", "protocol_of/2", "runs/2"),
    "tree": ("close/2", "multicast_order/3", "numa_order/3"),
    "memory": ("memory/3",),
    "placement": ("may_drive/2", "placement/3"),
    "interrupts": ("may_take/2", "interrupt/3"),
    "pci": ("may_hold/4", "window_fits/5"),
    "sharing": ("sharing/3",),
    "group": ("group_order/2",),
}
"""Each policy and what the kit asks of it: predicates and their columns."""

PARAMETERS = (
    predicate("kind_order(kind: str, order: int)", "Kinds of memory, the preferred first."),
    predicate("memory_order(kind: str, order: int)", "The same, for a core's own memory."),
    predicate("driver(device: str, core: int)", "Decided already: the core that drives a device."),
    predicate("prefetch_fits(wanted: int, given: int, order: int)", "Windows in apertures, prefetchable (1) or not."),
    predicate("bits_fit(bits: int, low: int, order: int)", "Windows of so many bits in apertures, below 4 GiB or not."),
    predicate("share_bytes(bytes: int)", "The least cache over which replicas are shared."),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that decide one thing; `file` is what they are called in messages."""

    decides: str
    text: str
    file: str


def shipped(name: str) -> Policy:
    """The kit's own."""
    text = (files(__package__) / f"{name}.dl").read_text(encoding="utf-8")
    return Policy(name, text, f"multikernel/knowledge/policies/{name}.dl")


def load(skb: Skb, policies: Sequence[Policy]) -> None:
    """Declare the parameters and add the rules, all at once.  Raises KnowledgeError with every mistake."""
    skb.declare(*PARAMETERS)
    rules = [rule for policy in policies for rule in parse_rules(policy.text, policy.file)]
    skb.declare(*_own_parameters(skb, rules))
    skb.add_parsed(rules)


def check(kits: Sequence[Policy], others: Sequence[Policy] = ()) -> None:
    """Raises KnowledgeError unless each defines what the kit asks of it, and the others nothing that is defined
    already: rules of one name add up, wherever they stand."""
    mistakes: list[Diagnostic] = []
    heads: dict[str, Policy] = {}
    for policy in (*kits, *others):
        rules = parse_rules(policy.text, policy.file)
        own = {f"{rule.name}/{len(rule.head.terms)}" for rule in rules}
        lacking = [asked for asked in POLICIES.get(policy.decides, ()) if asked not in own]
        if lacking:
            message = f"the policy {policy.decides} lacks rules for {', '.join(lacking)} (name/columns)"
            mistakes.append(Diagnostic(policy.file, 1, 1, "policy-lacks", message))
        for rule in rules:
            first = heads.setdefault(rule.name, policy)
            if first is not policy and rule.body:
                message = f"{rule.name} is already a predicate of {first.file}; give it another name"
                mistakes.append(Diagnostic(*rule.head.where, "policy-clash", message))
    if mistakes:
        raise KnowledgeError("the policies do not hold together", tuple(dict.fromkeys(mistakes)))


def _own_parameters(skb: Skb, rules: Sequence[Rule]) -> tuple[Predicate, ...]:
    """What the policies state as facts and ask for, and nobody declared."""
    asked = {
        atom.predicate
        for rule in rules
        for literal in rule.body
        for atom in ((literal,) if isinstance(literal, Atom) else (literal.atom,) if isinstance(literal, Not) else ())
    }
    found: dict[str, Predicate] = {}
    for rule in rules:
        if not rule.body and rule.name in asked and rule.name not in skb.schema:
            kinds: list[ColumnType] = ["int" if isinstance(term, int) else "str" for term in rule.head.terms]
            columns = tuple((f"column{number}", kind) for number, kind in enumerate(kinds))
            found.setdefault(rule.name, Predicate(rule.name, columns, f"A parameter of {rule.where.file}."))
    return tuple(found.values())
