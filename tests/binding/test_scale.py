"""Nothing quadratic: facts grow with cores, questions with classes and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import mk_pydatalog
from multikernel.assemble import assemble
from multikernel.blueprint import Blueprint
from multikernel.hookspecs import hookimpl
from multikernel.knowledge.backend import SkbBackend
from multikernel.knowledge.facts import Fact, Row
from multikernel.knowledge.ir import Program, Query
from multikernel.registry import Registry
from multikernel.spec import SkbBackendSpec
from tests.binding.boards import from_text, mesh
from tests.binding.fakes import Plugins

INNER = Registry.of(mk_pydatalog).skb_backends.get("pydatalog").factory


class Counting:
    """A backend that counts what another is asked."""

    def __init__(self) -> None:
        self._inner: SkbBackend = INNER()
        self.facts = 0
        self.queries = 0

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        self.facts += len(added)
        self._inner.sync(added, removed)

    def set_rules(self, program: Program) -> None:
        self._inner.set_rules(program)

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        self.queries += 1
        return self._inner.query(query, max_steps)

    def close(self) -> None:
        self._inner.close()


class CountingPlugin:
    multikernel_api = 1

    def __init__(self) -> None:
        self.backend = Counting()

    @hookimpl
    def skb_backends(self) -> Iterator[SkbBackendSpec]:
        yield SkbBackendSpec("counting", "Counts.", lambda: self.backend)


def measure(folder: Path, side: int, cores: int) -> tuple[Blueprint, Counting]:
    plugin = CountingPlugin()
    return assemble(from_text(folder, mesh(side, cores)), Registry.of(plugin, Plugins())), plugin.backend


def test_four_times_the_cores_ask_no_more_questions(tmp_path: Path) -> None:
    small, few = measure(tmp_path, 3, 8)
    large, many = measure(tmp_path, 3, 32)
    assert (len(small.cores), len(large.cores)) == (72, 288)
    assert many.queries == few.queries
    assert many.facts - few.facts == (288 - 72) * 7, "core, space, node, island, package, cluster, gateway"
    assert len(large.channels) == 287
