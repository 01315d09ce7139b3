"""docs/skb.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from multikernel.binding.board_facts import BOARD
from multikernel.binding.measured import MEASURED
from multikernel.binding.plugin_facts import PLUGINS
from multikernel.cli.explain import codes
from multikernel.knowledge.facts import predicate
from multikernel.knowledge.policies import POLICIES, VOCABULARY
from multikernel.knowledge.skb import Skb
from multikernel.testing.naive import Naive

PAGE = (Path(__file__).parents[2] / "docs" / "skb.md").read_text()


def test_the_table_of_predicates_is_the_schema() -> None:
    told = re.findall(r"^\| `(\w+\(.*\))` \| (.*) \|$", PAGE, re.MULTILINE)
    assert told == [(str(entry), entry.doc) for entry in (*BOARD, *PLUGINS, *MEASURED)]


def test_the_rules_of_the_page_are_rules() -> None:
    block = PAGE.partition("## Rules")[2].partition("\n\n    ")[2].partition("\n\n")[0]
    skb = Skb(Naive())
    skb.declare(*BOARD, predicate("kind_order(kind: str, order: int)"))
    skb.declare(predicate("shares_memory(a: int, b: int, region: str)"))
    skb.declare(predicate("candidate(a: int, b: int, rank: int, name: str)"))
    skb.add_rules("\n".join(line.removeprefix("    ") for line in block.splitlines()), "docs/skb.md")
    assert [rule.name for rule in skb.program.rules] == ["coherent", "same_core", "shares_uncached", "wide", "best"]
    assert [str(fact) for fact in skb.snapshot().facts] == ['kind_order("dram", 0)']


def test_the_codes_of_the_page_are_explained() -> None:
    table = PAGE.partition("| code | refused |")[2].partition("\n\n")[0]
    told = re.findall(r"`([a-z-]+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert len(told) > 12
    assert sorted(set(told) - set(codes())) == []


def test_the_policies_of_the_page_are_those_there_are_with_what_each_must_define() -> None:
    folder = Path(__file__).parents[2] / "kit" / "multikernel" / "knowledge" / "policies"
    rows = re.findall(r"^\| `(\w+)\.dl` \| .* \| (.*)\|$", PAGE, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(file.stem for file in folder.glob("*.dl"))
    asked = {name: tuple(re.findall(r"`(\w+/\d)`", cell)) for name, cell in rows}
    assert asked == POLICIES | dict.fromkeys(VOCABULARY, ())
