"""Cores of a test are switched off after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.machines import Core


@pytest.fixture(autouse=True)
def _power_off() -> Iterator[None]:
    yield
    while Core.made:
        Core.made.pop().driver.close()
