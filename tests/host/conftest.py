"""Shared memory, and how a test gets a process of its own."""

from __future__ import annotations

import mmap
import os
import traceback
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def mapping() -> mmap.mmap:
    """64 KB that children of a fork share."""
    return mmap.mmap(-1, 65536)


Fork = Callable[[Callable[[], None]], int]


@pytest.fixture
def fork() -> Iterator[Fork]:
    """Runs a function in a child; at the end every child must have returned from it."""
    children: list[int] = []

    def start(body: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                body()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
        return child

    yield start
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
