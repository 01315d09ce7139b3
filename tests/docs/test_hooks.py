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
    assert len(list(registry.specs())) == len(HOOKS) == 9


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_page_on_plugins(hook: str) -> None:
    assert f"`{hook}`" in (ROOT / "docs" / "plugins.md").read_text()


def test_the_example_board_is_a_board() -> None:
    registry = Registry.of(example("board_dirs"))
    board = load_board("pair", sources=list(registry.board_dirs))
    assert board.name == "pair"
