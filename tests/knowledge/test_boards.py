"""The kit's policies over real boards: whatever is asked, every backend answers alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from multikernel.assemble import assemble, know
from multikernel.blueprint import Blueprint
from multikernel.board.find import packaged_folder
from multikernel.hookspecs import hookimpl
from multikernel.knowledge.facts import Fact, Row
from multikernel.knowledge.ir import Program, Query
from multikernel.registry import Registry
from multikernel.spec import SkbBackendSpec

BOARDS = [*sorted(file.stem for file in packaged_folder().glob("*.yaml")), "mesh:8x8"]
INSTALLED = Registry.load().skb_backends


class Comparing:
    """A backend that asks all the others, and stops where they differ."""

    def __init__(self) -> None:
        self._backends = [spec.factory() for spec in INSTALLED]
        self.compared = 0

    def sync(self, added: Sequence[Fact], removed: Sequence[Fact]) -> None:
        for backend in self._backends:
            backend.sync(added, removed)

    def set_rules(self, program: Program) -> None:
        for backend in self._backends:
            backend.set_rules(program)

    def query(self, query: Query, max_steps: int) -> Sequence[Row]:
        first, *others = ([*backend.query(query, max_steps)] for backend in self._backends)
        assert others
        for other in others:
            assert other == first, query.text
        self.compared += 1
        return first

    def close(self) -> None:
        for backend in self._backends:
            backend.close()


class ComparingPlugin:
    multikernel_api = 1

    def __init__(self) -> None:
        self.backend = Comparing()

    @hookimpl
    def skb_backends(self) -> Iterator[SkbBackendSpec]:
        yield SkbBackendSpec("comparing", "Compares.", lambda: self.backend)


def over(folder: Path, board: str, backend: str) -> str:
    """A file of the board with another backend."""
    file = folder / f"{backend}.yaml"
    file.write_text(f"extends: {board}\nbind: {{skb: {backend}}}\n")
    return str(file)


@pytest.mark.parametrize("board", BOARDS)
def test_whatever_binding_asks_every_backend_answers_alike(tmp_path: Path, board: str) -> None:
    plugin = ComparingPlugin()
    assemble(over(tmp_path, board, "comparing"), Registry.load(plugin))
    assert plugin.backend.compared > 10


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_the_blueprint_is_the_same_over_every_backend(tmp_path: Path, board: str) -> None:
    def without_backend(blueprint: Blueprint) -> Blueprint:
        bindings = tuple(binding for binding in blueprint.bindings if binding.slot != "skb")
        assert len(bindings) == len(blueprint.bindings) - 1
        return replace(blueprint, board_hash="", bindings=bindings)

    made = [without_backend(assemble(over(tmp_path, board, spec.name))) for spec in INSTALLED]
    assert len(made) > 2
    assert all(blueprint == made[0] for blueprint in made)


def test_reasons_are_the_same_over_every_backend(tmp_path: Path) -> None:
    told: list[list[str]] = []
    for spec in INSTALLED:
        skb = know(over(tmp_path, "zcu102", spec.name)).skb
        ((chosen,),) = skb.query("transport_of(0, 4, T)").rows
        proof = skb.explain("transport_of", 0, 4, chosen)
        assert proof is not None
        failures = skb.why_not("transport_serves", "ump", 0, 4)
        told.append([str(chosen), *map(str, proof.facts()), *map(str, failures)])
    assert len(told[0]) > 3
    assert all(each == told[0] for each in told)
