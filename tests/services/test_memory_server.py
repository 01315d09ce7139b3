"""The memory server, asked by programs on two cores: locality, exhaustion, no page given twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import multikernel
from multikernel.errors import LocalMisuse
from multikernel.events import Row
from multikernel.hookspecs import hookimpl
from multikernel.registry import Registry
from multikernel.spec import ProgramSpec
from multikernel.system.caps.requests import Identify
from multikernel.system.operations import InvokeCap
from multikernel.system.runtime import Dispatcher

MIB = 1 << 20


async def base_of(dispatcher: Dispatcher, cptr: int) -> tuple[int, int]:
    """Physical base and size of a memory capability."""
    found = (await InvokeCap(cptr, Identify())).result
    assert found is not None
    return found.base, found.size


async def ask(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Two frames near this core, one near the farthest, and more than there is."""
    last = dispatcher.environment.routes.cores[-1]
    rows: list[Row] = []
    for near in (dispatcher.core, dispatcher.core, last):
        frame = await dispatcher.memory.allocate(4 * MIB, near=near)
        rows.append(Row(("core", "base", "size"), (near, *await base_of(dispatcher, frame.cptr))))
        mapping = await dispatcher.vspace.map(await dispatcher.memory.allocate(4096, near=near))
        await dispatcher.store(mapping.address, near + 1)
        assert await dispatcher.load(mapping.address) == near + 1
    with pytest.raises(
        LocalMisuse, match=r"^no \d+ bytes of memory near core 0; the largest piece left has \d+ bytes$"
    ):
        await dispatcher.memory.allocate(1 << 40, near=0)
    return tuple(rows)


async def elsewhere(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """The same asked on another core."""
    listener = await dispatcher.export("answers")
    await dispatcher.spawn_on(dispatcher.environment.routes.cores[-1], "ask-remote")
    channel = await listener.accept()
    base = int.from_bytes(await channel.recv(), "little")
    return (Row(("base",), (base,)),)


async def ask_remote(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Ask near this core, tell the boot core."""
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, "answers")
    frame = await dispatcher.memory.allocate(2 * MIB, near=dispatcher.core)
    base, _ = await base_of(dispatcher, frame.cptr)
    await channel.send(base.to_bytes(8, "little"))
    return ()


class Programs:
    """A plugin of this test's."""

    __name__ = "mk_test_programs"
    multikernel_api = 1

    @hookimpl
    def programs(self) -> Iterator[ProgramSpec]:
        yield ProgramSpec("ask", "Asks the memory server.", factory=ask)
        yield ProgramSpec("ask-elsewhere", "Has another core ask.", factory=elsewhere)
        yield ProgramSpec("ask-remote", "Asks on another core.", factory=ask_remote)


@pytest.fixture(scope="module")
def kernel() -> Iterator[multikernel.Multikernel]:
    registry = Registry.load(Programs())
    with multikernel.Multikernel(multikernel.assemble("paper-8x4-amd", registry), registry) as booted:
        yield booted


def node_at(kernel: multikernel.Multikernel, base: object) -> int:
    assert isinstance(base, int)
    return next(m.node for m in kernel.blueprint.memory if m.base <= base < m.base + m.size)


def test_memory_is_near_the_core_asked_for_and_given_once(kernel: multikernel.Multikernel) -> None:
    result = kernel.run("ask")
    bases = result.column("base")
    assert [node_at(kernel, base) for base in bases] == [0, 0, 7]
    assert len(set(bases)) == 3
    assert abs(int(bases[0]) - int(bases[1])) >= 4 * MIB


def test_another_core_gets_its_own_nodes_memory(kernel: multikernel.Multikernel) -> None:
    assert node_at(kernel, kernel.run("ask-elsewhere").column("base")[0]) == 7
