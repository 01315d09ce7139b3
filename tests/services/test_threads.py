"""Threads of one dispatcher that want memory at once get what each asked for, and map it."""

from __future__ import annotations

import gc

import pytest

from multikernel.errors import ProgramFailed
from multikernel.events import Row
from multikernel.system.caps.requests import Identify
from multikernel.system.layout import PAGE
from multikernel.system.operations import InvokeCap
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot

SIZES = (4, 1, 3, 1, 2)
"""Pages each thread asks for."""


async def main(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Rows of pages asked for, pages got, the word read back."""
    near = dispatcher.environment.parameter("near", "")

    async def use(pages: int, word: int) -> Row:
        frame = await dispatcher.memory.allocate(pages * PAGE, near=int(near) if near else None)
        what = (await InvokeCap(frame.cptr, Identify())).result
        mapping = await dispatcher.vspace.map(frame)
        last = mapping.address + mapping.size - 8
        await dispatcher.store(last, word)
        await dispatcher.compute(await dispatcher.random(3000))
        return Row(("asked", "got", "word"), (pages, what.size // PAGE if what else 0, await dispatcher.load(last)))

    threads = [dispatcher.spawn(use(pages, word)) for word, pages in enumerate(SIZES)]
    return tuple([await thread for thread in threads])


@pytest.mark.parametrize(
    ("board", "near"), [("x86-qemu", ""), ("x86-qemu", "3"), ("zcu102", "0"), ("paper-8x4-amd", "31")]
)
def test_threads_at_once_get_their_own_memory(board: str, near: str) -> None:
    with boot(board, {"main": main}) as kernel:
        rows = kernel.run("main", near=near)
    assert rows.column("asked") == rows.column("got") == list(SIZES)
    assert rows.column("word") == list(range(len(SIZES)))


@pytest.mark.filterwarnings("error")
def test_a_thread_that_never_ran_goes_without_a_word() -> None:
    async def idle() -> None:
        pass

    async def fails(dispatcher: Dispatcher) -> tuple[Row, ...]:
        dispatcher.spawn(idle())
        raise ZeroDivisionError("on purpose")

    with boot("x86-qemu", {"fails": fails}) as kernel, pytest.raises(ProgramFailed, match="on purpose"):
        kernel.run("fails")
    gc.collect()  # what would warn does so now
