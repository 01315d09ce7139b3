"""A frame that was freed is mapped no more, however many pages it had, and its slots serve again."""

from __future__ import annotations

import pytest

from multikernel.errors import ProgramFailed
from multikernel.system.layout import PAGE
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot


async def touches(dispatcher: Dispatcher) -> tuple[()]:
    frame = await dispatcher.memory.allocate(int(dispatcher.environment.parameter("pages", "1")) * PAGE)
    mapping = await dispatcher.vspace.map(frame)
    await dispatcher.store(mapping.address + mapping.size - 8, 1)
    await dispatcher.memory.free(frame)
    await dispatcher.load(mapping.address + mapping.size - 8)
    return ()


async def again(dispatcher: Dispatcher) -> tuple[()]:
    """More pages in all than a dispatcher has slots."""
    for _ in range(100):
        frame = await dispatcher.memory.allocate(2 * PAGE)
        await dispatcher.vspace.map(frame)
        await dispatcher.memory.free(frame)
    return ()


@pytest.mark.parametrize("pages", [1, 2, 1024])
def test_a_page_of_a_freed_frame_faults(pages: int) -> None:
    with boot("x86-qemu", {"touches": touches}) as kernel, pytest.raises(ProgramFailed, match="UnhandledFault"):
        kernel.run("touches", pages=pages)


def test_slots_of_freed_frames_serve_again() -> None:
    with boot("x86-qemu", {"again": again}) as kernel:
        kernel.run("again")
