"""What a plugin's factory makes belongs to one core: nothing it keeps is seen by another."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from multikernel import Multikernel, assemble
from multikernel.hookspecs import hookimpl
from multikernel.interfaces import ChannelMemory, Endpoint
from multikernel.registry import GROUP, Registry
from multikernel.spec import API_VERSION, TransportSpec

BOARD = "extends: x86-qemu\nname: counted\nbind: {transport: counted}\n"


class Counting:
    """A plugin made in memory: a transport that does as `ump` does, and counts what each instance opens."""

    multikernel_api = API_VERSION

    def __init__(self) -> None:
        self.opened: list[list[int]] = []

    @hookimpl
    def transports(self) -> Iterator[TransportSpec]:
        yield TransportSpec("counted", "Counts.", factory=lambda: Counted(self.opened), requires="coherent(A, B)")


class Counted:
    """See `Counting`."""

    def __init__(self, opened: list[list[int]]) -> None:
        self._ump = Registry.load().transports.get("ump").factory()
        self._sides: list[int] = []
        opened.append(self._sides)

    def lines(self, slots: int) -> int:
        return self._ump.lines(slots)

    def open(self, memory: ChannelMemory, slots: int, side: int) -> Endpoint:
        self._sides.append(side)
        return self._ump.open(memory, slots, side)


def test_every_core_makes_its_own_transport(tmp_path: Path) -> None:
    board = tmp_path / "counted.yaml"
    board.write_text(BOARD)
    counting = Counting()
    registry = Registry.of(*(point.load() for point in entry_points(group=GROUP)), counting)
    blueprint = assemble(str(board), registry)
    counting.opened.clear()
    Multikernel(blueprint, registry).boot("sim").stop()
    assert counting.opened == [[0, 0, 0], [1], [1], [1]], "the boot core's to each other, and theirs to it"
