"""The kit's policies: rules in `*.dl` beside this file, each deciding one thing.

Interface: `load(skb, names)` with `VOCABULARY`, what a plugin's `requires` may ask, or `POLICIES`.

May not know: boards, plugins, beyond the predicates the rules name.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from multikernel.knowledge.facts import predicate
from multikernel.knowledge.rules import parse_rules
from multikernel.knowledge.skb import Skb

VOCABULARY = ("pairs",)
POLICIES = ("transport", "home", "slots", "tree", "memory", "placement", "interrupts", "pci", "sharing")

PARAMETERS = (
    predicate("kind_order(kind: str, order: int)", "Kinds of memory, the preferred first."),
    predicate("memory_order(kind: str, order: int)", "The same, for a core's own memory."),
    predicate("driver(device: str, core: int)", "Decided already: the core that drives a device."),
    predicate("prefetch_fits(wanted: int, given: int, order: int)", "Windows in apertures, prefetchable (1) or not."),
    predicate("bits_fit(bits: int, low: int, order: int)", "Windows of so many bits in apertures, below 4 GiB or not."),
    predicate("share_bytes(bytes: int)", "The least cache over which replicas are shared."),
)


def load(skb: Skb, names: Sequence[str]) -> None:
    """Declare the policies' own parameters and add the rules, all at once."""
    skb.declare(*PARAMETERS)
    folder = files(__package__)
    rules = [
        rule
        for name in names
        for rule in parse_rules(
            (folder / f"{name}.dl").read_text(encoding="utf-8"), f"multikernel/knowledge/policies/{name}.dl"
        )
    ]
    skb.add_parsed(rules)
