"""A forgotten `await` does nothing, and is not passed over in silence: Python's warning is an error here."""

from __future__ import annotations

import pytest

from multikernel.system.operations import Compute
from tests.system.machines import Core


async def spend() -> None:
    await Compute(10)


def test_a_forgotten_await_is_warned_of() -> None:
    core = Core()

    async def careless() -> None:
        spend()

    core.add("a", careless())
    with pytest.warns(RuntimeWarning, match="'spend' was never awaited"):
        core.run()


def test_such_warnings_are_errors(pytestconfig: pytest.Config) -> None:
    assert "error" in pytestconfig.getini("filterwarnings")
