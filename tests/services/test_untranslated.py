"""Memory on cores that do not translate: with protection regions (an MPU), and with nothing at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from multikernel.errors import CapabilityError, LocalMisuse, ProgramFailed
from multikernel.system.dispatcher import UnhandledFault
from multikernel.system.layout import PAGE
from multikernel.system.page_tables import READ
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import SECOND, boot

MIXED = str(Path(__file__).parents[1] / "transports" / "mixed.yaml")
WIDE, BIG, LITTLE, DSP, ENGINE = 2, 3, 4, 5, 6
"""Cores of that board."""
R5 = 4
"""A core of zcu102 with an MPU."""
VALUE, TURNED = 0x0102030405060708, 0x0807060504030201


async def main(dispatcher: Dispatcher) -> tuple[()]:
    """Runs `there` on core `on`, which tells when it is done by giving a frame; what is in it shows `word`."""
    listener = await dispatcher.export("there")
    core = dispatcher.environment.count("on", 0)
    await dispatcher.spawn_on(core, "there", dispatcher.environment.number)
    await listener.accept()
    expected = int(dispatcher.environment.parameter("word", "0"))
    if expected:
        mapping = await dispatcher.vspace.map(await dispatcher.receive_frame())
        assert await dispatcher.load(mapping.address) == expected
    return ()


async def unprotected(dispatcher: Dispatcher) -> tuple[()]:
    memory, vspace = dispatcher.memory, dispatcher.vspace
    frame = await memory.allocate(2 * PAGE)
    mapping = await vspace.map(frame)
    assert 0x8000_0000 <= mapping.address < 0x8400_0000, "where the core's own space has it, not the host's"
    assert (await vspace.map(frame, READ, at=mapping.address)).address == mapping.address
    with pytest.raises(LocalMisuse, match="does not translate addresses: the frame is at 0x8"):
        await vspace.map(frame, at=1 << 30)
    with pytest.raises(LocalMisuse, match=f"core {DSP} has no MMU: nothing mapped there can be taken away"):
        mapping.unmap()
    last = mapping.address + mapping.size - 8
    await dispatcher.store(last, VALUE)
    assert await dispatcher.load(last) == VALUE
    with pytest.raises(LocalMisuse, match="uncached: nothing there is atomic"):
        await dispatcher.cas(last, VALUE, 0)
    await memory.free(frame)
    assert await dispatcher.load(last) == VALUE, "nobody can keep such a core from memory"
    for nowhere in (0, 0x8400_0000, 0x4_0000_0000):
        with pytest.raises(UnhandledFault, match="not-mapped"):
            await dispatcher.load(nowhere)
    with pytest.raises(UnhandledFault, match="alignment"):
        await dispatcher.load(last + 4)
    await dispatcher.connect(0, "there")
    return ()


async def physical(dispatcher: Dispatcher) -> tuple[()]:
    mapping = await dispatcher.vspace.map(await dispatcher.memory.allocate(PAGE))
    assert mapping.address >= 0x4_0000_0000
    await dispatcher.store(mapping.address, VALUE)
    assert await dispatcher.cas(mapping.address, VALUE, 1)
    assert await dispatcher.load(mapping.address) == 1
    with pytest.raises(UnhandledFault, match="not-mapped"):
        await dispatcher.load(1 << 60)
    await dispatcher.connect(0, "there")
    return ()


async def regions(dispatcher: Dispatcher) -> tuple[()]:
    """As many regions as the hardware has, each a power of two, aligned; freed ones serve again."""
    memory, vspace = dispatcher.memory, dispatcher.vspace
    frames = [await memory.allocate((1 + number % 2) * PAGE) for number in range(17)]
    mappings = [await vspace.map(frame) for frame in frames[:16]]
    for number, mapping in enumerate(mappings):
        assert mapping.address % mapping.size == 0
        await dispatcher.store(mapping.address + mapping.size - 8, number)
    with pytest.raises(LocalMisuse, match=f"all 16 protection regions of core {R5} are in use; free a frame"):
        await vspace.map(frames[16])
    await memory.free(frames[5])
    with pytest.raises(UnhandledFault, match="not-mapped"):
        await dispatcher.load(mappings[5].address)
    late = await vspace.map(frames[16])
    await dispatcher.store(late.address, 99)
    for number, mapping in enumerate(mappings):
        if number != 5:
            assert await dispatcher.load(mapping.address + mapping.size - 8) == number
    for frame in (*frames[:5], *frames[6:]):
        await memory.free(frame)
    odd, read = await memory.allocate(3 * PAGE), await memory.allocate(PAGE)
    with pytest.raises(CapabilityError, match="an MPU region is a power of two, not 0x3000 bytes"):
        await vspace.map(odd)
    with pytest.raises(LocalMisuse, match="cannot be mapped at 0x40000000"):
        await vspace.map(read, at=1 << 30)
    mapping = await vspace.map(read, READ)
    await dispatcher.load(mapping.address)
    with pytest.raises(UnhandledFault, match="write-protected"):
        await dispatcher.store(mapping.address, 1)
    await dispatcher.connect(0, "there")
    return ()


async def elsewhere(dispatcher: Dispatcher) -> tuple[()]:
    """A register of 32 bits cannot hold the physical address, and the core sees another anyway."""
    frame = await dispatcher.memory.allocate(PAGE)
    with pytest.raises(LocalMisuse, match=r"sees physical address 0x4\w+ at 0x8\w+; a protection region holds"):
        await dispatcher.vspace.map(frame)
    await dispatcher.connect(0, "there")
    return ()


async def writes(dispatcher: Dispatcher) -> tuple[()]:
    """Store a word and give it away."""
    frame = await dispatcher.memory.allocate(PAGE)
    mapping = await dispatcher.vspace.map(frame)
    await dispatcher.store(mapping.address, VALUE)
    assert await dispatcher.load(mapping.address) == VALUE
    await dispatcher.sleep(10_000)
    await dispatcher.memory.give(frame, 0, dispatcher.argument)
    await dispatcher.connect(0, "there")
    return ()


async def swaps(dispatcher: Dispatcher) -> tuple[()]:
    mapping = await dispatcher.vspace.map(await dispatcher.memory.allocate(PAGE))
    await dispatcher.store(mapping.address, VALUE)
    assert not await dispatcher.cas(mapping.address, TURNED, 1)
    assert await dispatcher.cas(mapping.address, VALUE, 1)
    assert await dispatcher.load(mapping.address) == 1
    await dispatcher.connect(0, "there")
    return ()


async def namesakes(dispatcher: Dispatcher) -> tuple[()]:
    """On the boot core: unmap a page whose virtual address is a physical one that `keeps` has mapped."""
    listener = await dispatcher.export("there")
    await dispatcher.spawn_on(R5, "keeps")
    channel = await listener.accept()
    address = int.from_bytes(await channel.recv(), "little")
    mapping = await dispatcher.vspace.map(await dispatcher.memory.allocate(PAGE), at=address)
    assert await mapping.unmap() == 0
    await channel.send(b"gone")
    await channel.recv()
    return ()


async def keeps(dispatcher: Dispatcher) -> tuple[()]:
    mapping = await dispatcher.vspace.map(await dispatcher.memory.allocate(PAGE))
    await dispatcher.store(mapping.address, VALUE)
    channel = await dispatcher.connect(0, "there")
    await channel.send(mapping.address.to_bytes(8, "little"))
    await channel.recv()
    assert await dispatcher.load(mapping.address) == VALUE
    await channel.send(b"kept")
    return ()


def test_an_unmapping_takes_nothing_from_a_core_where_the_address_is_another_page() -> None:
    with boot("zcu102", {"namesakes": namesakes, "keeps": keeps}) as kernel:
        kernel.run("namesakes")


def test_a_core_without_mmu_reaches_everything_its_space_has() -> None:
    with boot(MIXED, {"main": main, "there": unprotected}) as kernel:
        kernel.run("main", on=DSP)


def test_on_the_host_too_but_at_physical_addresses() -> None:
    with boot(MIXED, {"main": main, "there": physical}, platform="host", timeout_ns=60 * SECOND) as kernel:
        kernel.run("main", on=DSP)


def test_protection_regions_are_as_many_and_as_shaped_as_the_hardwares() -> None:
    with boot("zcu102", {"main": main, "there": regions}) as kernel:
        kernel.run("main", on=R5)


@pytest.mark.parametrize("core", [BIG, LITTLE])
def test_a_region_register_holds_only_what_is_seen_where_it_is(core: int) -> None:
    with boot(MIXED, {"main": main, "there": elsewhere}) as kernel:
        kernel.run("main", on=core)


@pytest.mark.parametrize(("core", "word"), [(DSP, VALUE), (ENGINE, TURNED)])
def test_a_word_lies_in_memory_in_its_cores_byte_order(core: int, word: int) -> None:
    """A little-endian host reads what cores without a cache have written."""
    with boot(MIXED, {"main": main, "there": writes}) as kernel:
        kernel.run("main", on=core, word=word)
        with pytest.raises(ProgramFailed, match="AssertionError"):
            kernel.run("main", on=core, word=word + 1)


@pytest.mark.parametrize("core", [1, WIDE])
def test_compare_and_swap_is_of_the_words_the_core_loads(core: int) -> None:
    with boot(MIXED, {"main": main, "there": swaps}) as kernel:
        kernel.run("main", on=core)
