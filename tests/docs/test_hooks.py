"""Every hook has a page, an example that registers, and words on when it is called."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from pathlib import Path

import pytest

from multikernel import hookspecs
from multikernel.board import load_board
from multikernel.registry import Registry
from multikernel.testing.transports import TransportConformance

ROOT = Path(__file__).parents[2]
HOOKS = [name for name in vars(hookspecs.Hooks) if not name.startswith("_")]
EXAMPLE = re.compile(r"^Example, a whole plugin.*:\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def example(hook: str) -> object:
    """The example of `hook`, executed as a module."""
    text = inspect.getdoc(getattr(hookspecs.Hooks, hook)) or ""
    found = EXAMPLE.search(text + "\n")
    assert found, f"{hook} has no example"
    module = type(sys)(f"example_{hook}")
    exec(compile(textwrap.dedent(found[1]), f"<example of {hook}>", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_every_hook_is_a_plugin(hook: str) -> None:
    registry = Registry.of(example(hook))
    specs = getattr(registry, hook)
    assert len(specs) == 1
    assert [spec for _, spec, _ in registry.specs()] == list(specs)


def test_all_examples_register_together() -> None:
    registry = Registry.of(*(example(hook) for hook in HOOKS))
    assert len(list(registry.specs())) == len(HOOKS) == 10


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_page_on_plugins(hook: str) -> None:
    assert f"`{hook}`" in (ROOT / "docs" / "plugins.md").read_text()


def test_the_example_board_is_a_board() -> None:
    registry = Registry.of(example("board_dirs"))
    board = load_board("pair", sources=list(registry.board_dirs))
    assert board.name == "pair"


def test_the_example_protocol_agrees_on_every_core() -> None:
    from multikernel.system.protocol import ALL, Applied, Apply, Branch, Complete, Member, Received, ReplicaState, Send

    protocol = next(iter(Registry.of(example("consistency_protocols")).consistency_protocols)).factory()
    tree = {0: Member(-1, 0, (1, 2)), 1: Member(0, 0, ()), 2: Member(0, 1, (3,)), 3: Member(2, 0, ())}
    states = {core: ReplicaState(core, (member,)) for core, member in tree.items()}
    branches = [Branch(1, ALL), Branch(2, ALL)]
    pending = [(0, effect) for effect in protocol.begin(states[0], 7, 99, 0, branches)]
    applied: list[int] = []
    completed: list[int] = []
    while pending:
        core, effect = pending.pop(0)
        if isinstance(effect, Send):
            target, *message = effect
            pending += [(target, more) for more in protocol.step(states[target], Received(core, *message))]
        elif isinstance(effect, Apply):
            assert effect.value == 99
            applied.append(core)
            pending += [(core, more) for more in protocol.step(states[core], Applied(effect.operation))]
        elif isinstance(effect, Complete):
            completed.append(core)
    assert sorted(applied) == [0, 1, 2, 3]
    assert completed == [0]


def test_the_example_backend_answers_from_facts() -> None:
    from multikernel.knowledge.facts import Fact, Source
    from multikernel.knowledge.ir import Atom, Program, Query, Var, Where

    backend = next(iter(Registry.of(example("skb_backends")).skb_backends)).factory()
    backend.set_rules(Program((), (("near", 2),)))
    source = Source("asserted", "here")
    facts = [Fact("near", row, source, 1) for row in ((0, 1), (1, 2), (2, 2))]
    backend.sync(facts, [])
    here, x, y = Where("here", 1, 1), Var("X"), Var("Y")
    two_steps = Query((x, y), (Atom("near", (x, Var("Z")), here), Atom("near", (Var("Z"), y), here)), "")
    assert backend.query(two_steps, 1000) == [(0, 2), (1, 2), (2, 2)]
    assert backend.query(Query((), (Atom("near", (2, 1), here),), ""), 1000) == []
    backend.sync([], facts[2:])
    assert backend.query(Query((x,), (Atom("near", (x, x), here),), ""), 1000) == []


class TestTheExampleTransport(TransportConformance):
    """The example of `transports` does what every transport must."""

    factory = next(iter(Registry.of(example("transports")).transports)).factory
