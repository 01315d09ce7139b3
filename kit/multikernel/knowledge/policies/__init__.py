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
POLICIES = ("transport", "home", "slots", "tree")

PARAMETERS = (predicate("kind_order(kind: str, order: int)", "Kinds of memory, the preferred first."),)


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
