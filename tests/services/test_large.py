"""Frames of many pages: mapped across page tables, every page where it belongs, one of them taken away."""

from __future__ import annotations

from multikernel.events import Row
from multikernel.system.dispatcher import UnhandledFault
from multikernel.system.layout import PAGE
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot

MIB = 1 << 20


async def large(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """4 MiB from the middle of a page table on, written and read back at both ends of every table."""
    frame = await dispatcher.memory.allocate(4 * MIB, near=dispatcher.core)
    mapping = await dispatcher.vspace.map(frame, at=(1 << 30) + 3 * PAGE)
    places = [mapping.address + offset for offset in (0, 508 * PAGE, 509 * PAGE, 1023 * PAGE)]
    for number, place in enumerate(places):
        await dispatcher.store(place, number + 1)
    read = [await dispatcher.load(place) for place in places]
    mapping.size = PAGE  # the first page alone
    await mapping.unmap()
    faults = 0
    try:
        await dispatcher.load(places[0])
    except UnhandledFault:
        faults += 1
    return (Row(("read", "left", "faults"), (str(read), str(await dispatcher.load(places[1])), faults)),)


def test_four_mebibytes_are_mapped_and_a_page_of_them_goes() -> None:
    for board in ("x86-qemu", "zcu102"):
        with boot(board, {"large": large}) as kernel:
            assert kernel.run("large").rows[0].values == ("[1, 2, 3, 4]", "2", 1)
