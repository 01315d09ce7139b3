"""docs/protocols.md: its tables are those of what is installed, its example keeps what it promises."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

from multikernel.checking import check_group
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec
from multikernel.system.group import GroupProtocol
from tests.benchmarks.protocols import measured

TEXT = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows, below its head, of the table that begins with this column."""
    lines = TEXT[TEXT.index(heading) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


def row(spec: ConsistencyProtocolSpec) -> list[str]:
    """What the page says of a protocol."""
    equals = isinstance(spec.factory(), GroupProtocol)
    return [
        spec.name,
        "equals" if equals else "tree",
        ", ".join(spec.replicates),
        str(spec.rank),
        spec.members,
        spec.order if equals else "",
        spec.survives,
        ", ".join(spec.withstands),
    ]


def test_every_protocol_is_in_the_table_as_it_is() -> None:
    installed = [row(spec) for spec in Registry.load().consistency_protocols]
    assert sorted(table("| protocol | shape |")) == sorted(installed)


def test_the_messages_are_those_that_are_counted() -> None:
    counted = [
        [str(each["protocol"]), *(f"{each[key]:g}" if each[key] is not None else "-" for key in list(each)[1:])]
        for each in measured()
    ]
    assert table("| protocol | members |") == counted


def test_the_example_keeps_what_it_promises() -> None:
    found = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    module = ModuleType("shouting")
    sys.modules["shouting"] = module
    exec(found[1], module.__dict__)  # the page's own code
    (spec,) = module.consistency_protocols()
    for faults in ((), spec.withstands):
        report = check_group(spec, 3, (0, 1), faults)
        assert report.violation is None
        assert report.whole
        assert report.reached == (1, 2, 3, 4)
